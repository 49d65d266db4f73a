//! Parses requests from a connection, byte by byte. Answering them is left to `http`.

use std::io::{BufRead, BufReader, Read};
use std::time::Instant;

use super::http::{ReceivedRequest, Service, decode_form, value_of};

/// Longer heads and bodies than this are no request of ours.
const LONGEST: u64 = 1 << 20;

/// What came from a client.
pub(super) enum Received {
    Request(ReceivedRequest),
    Malformed(String),
    /// The client closed the connection, or broke off.
    End,
}

/// Reads the next request of a connection from that port.
pub(super) fn read_request(
    service: Service,
    port: u16,
    reader: &mut BufReader<impl Read>,
) -> Received {
    let mut lines = Vec::new();
    loop {
        match read_line(reader) {
            None => return Received::End,
            Some(line) if line.is_empty() => break,
            Some(line) => lines.push(line),
        }
    }
    let Some((request_line, header_lines)) = lines.split_first() else {
        return Received::Malformed("an empty request".to_owned());
    };
    // A target with a raw space is wrong, but for the service to complain about.
    let outer = request_line.split_once(' ').and_then(|(method, rest)| {
        let (target, version) = rest.rsplit_once(' ')?;
        (version == "HTTP/1.1").then_some((method, target))
    });
    let Some((method, target)) = outer else {
        return Received::Malformed(format!("the request line {request_line:?}"));
    };
    let mut headers = Vec::new();
    for line in header_lines {
        let Some((name, value)) = line.split_once(':') else {
            return Received::Malformed(format!("the header line {line:?}"));
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if value_of(&headers, "transfer-encoding").is_some() {
        return Received::Malformed("a body without Content-Length".to_owned());
    }
    let length = match value_of(&headers, "content-length").map(str::parse) {
        None => 0,
        Some(Ok(length)) if length <= LONGEST => length,
        Some(_) => return Received::Malformed("a wrong Content-Length".to_owned()),
    };
    let Some(body) = read_body(reader, length) else {
        return Received::End;
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Received::Request(ReceivedRequest {
        service,
        method: method.to_owned(),
        path: path.to_owned(),
        query: decode_form(query),
        headers,
        body,
        raw_target: target.to_owned(),
        at: Instant::now(),
        port,
    })
}

/// A line without its end; none if the connection ended within it.
fn read_line(reader: &mut BufReader<impl Read>) -> Option<String> {
    let mut line = Vec::new();
    reader.take(LONGEST).read_until(b'\n', &mut line).ok()?;
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Some(String::from_utf8_lossy(line).into_owned())
}

fn read_body(reader: &mut BufReader<impl Read>, length: u64) -> Option<String> {
    let mut body = vec![0; usize::try_from(length).ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(String::from_utf8_lossy(&body).into_owned())
}
