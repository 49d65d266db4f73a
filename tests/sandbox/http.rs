//! A tiny HTTP/1.1 server on loopback: it takes requests and writes answers, a thread a connection, kept alive.
//! What an answer says, and whether it is sent at all, is left to [`Shared::handle`].

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use super::request_parser::{Received, read_request};
use super::run::DEADLINE;
use super::shared::{Shared, lock};

/// One of the three services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// The booking system.
    LibCal,
    /// The library system.
    Alma,
    /// The system at the doors.
    PassagePoint,
}

impl Service {
    /// All of them, in the order of their listeners.
    pub const ALL: [Self; 3] = [Self::LibCal, Self::Alma, Self::PassagePoint];
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// Whom it was sent to.
    pub service: Service,
    /// `GET`, `POST`, ...
    pub method: String,
    /// The part of the target before `?`, still percent-encoded.
    pub path: String,
    /// The query's names and values, decoded (`+` is a space), in their order.
    pub query: Vec<(String, String)>,
    /// The headers, names in lower case, in their order.
    pub headers: Vec<(String, String)>,
    /// The body; bytes that are not UTF-8 are replaced.
    pub body: String,
    /// The target as it stood in the request line.
    pub raw_target: String,
    /// When the last byte of it had been read.
    pub at: Instant,
    /// The client's port, which tells connections apart.
    pub port: u16,
}

impl ReceivedRequest {
    /// The first header of that name (given in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        value_of(&self.headers, name)
    }

    /// The first query parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        value_of(&self.query, name)
    }

    /// Whether the body is declared to be of this media type.
    pub fn is_of_type(&self, media_type: &str) -> bool {
        let declared = self.header("content-type").unwrap_or_default();
        let declared = declared.split(';').next().unwrap_or_default();
        declared.trim().eq_ignore_ascii_case(media_type)
    }
}

pub(super) fn value_of<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = pairs.iter().find(|(key, _)| key == name)?;
    Some(value)
}

/// The pairs of a query string or of a form body.
pub fn decode_form(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| {
        let spaced = part.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// An answer to be sent.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type`; none is sent if it is empty.
    pub content_type: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The body, shared: some are large, and sent many times.
    pub body: Arc<str>,
}

impl Answer {
    /// An answer without further headers.
    pub fn new(status: u16, content_type: &str, body: impl Into<Arc<str>>) -> Self {
        Self {
            status,
            content_type: content_type.to_owned(),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json;charset=UTF-8", body.to_string())
    }

    /// A `text/plain` answer.
    pub fn text(status: u16, body: impl Into<Arc<str>>) -> Self {
        Self::new(status, "text/plain; charset=UTF-8", body)
    }

    fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        if !self.content_type.is_empty() {
            let _ = write!(head, "Content-Type: {}\r\n", self.content_type);
        }
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "Content-Length: {}\r\n\r\n", self.body.len());
        head
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Other",
    }
}

/// What becomes of a request.
pub enum Reply {
    /// The answer is sent.
    Whole(Answer),
    /// The head and the first half of the body are sent, and after so long the connection is closed.
    Half(Answer, Duration),
    /// The connection is closed without an answer.
    Cut,
}

/// One service's listener. It closes, and cuts its connections, when dropped.
pub struct Server {
    service: Service,
    address: SocketAddr,
    shared: Arc<Shared>,
    port: Port,
    gate: Arc<Gate>,
    tls: Option<Arc<ServerConfig>>,
    /// Closed by a fault, and to be opened when the faults end.
    is_at_fault: bool,
}

enum Port {
    Open(JoinHandle<()>),
    /// Connections are refused. It stays bound, so that no other program gets the port meanwhile.
    Closed(Socket),
}

/// What the acceptor and its connections have in common.
#[derive(Default)]
struct Gate {
    closing: AtomicBool,
    connections: Mutex<HashMap<usize, TcpStream>>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1; over TLS, if it is said what to show.
    pub fn open(service: Service, shared: &Arc<Shared>, tls: Option<Arc<ServerConfig>>) -> Self {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let socket = bound_to(any_port).expect("a free port on loopback");
        let address = socket.local_addr().ok().and_then(|own| own.as_socket());
        let mut server = Self {
            service,
            address: address.expect("the socket's own address"),
            shared: Arc::clone(shared),
            port: Port::Closed(socket),
            gate: Arc::default(),
            tls,
            is_at_fault: false,
        };
        server.start();
        server
    }

    /// The root of its addresses, without a slash at the end.
    pub fn url(&self) -> String {
        match self.tls {
            None => format!("http://{}", self.address),
            // A certificate is for a name.
            Some(_) => format!("https://localhost:{}", self.address.port()),
        }
    }

    /// Closes the port, so that connections are refused, and cuts those that are open.
    pub fn stop(&mut self) {
        self.close();
        self.cut();
    }

    fn cut(&self) {
        for stream in lock(&self.gate.connections).values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Closes the port until [`Server::end_fault`]; what is open stays open.
    pub fn begin_fault(&mut self) {
        self.is_at_fault = true;
        self.close();
    }

    /// Opens the port if a fault has closed it.
    pub fn end_fault(&mut self) {
        if std::mem::take(&mut self.is_at_fault) {
            self.start();
        }
    }

    /// Listens again on the port it had.
    pub fn start(&mut self) {
        let Port::Closed(socket) = &self.port else {
            return;
        };
        socket
            .set_reuse_address(true)
            .and_then(|()| socket.listen(128))
            .expect("the port is ours");
        let listener: TcpListener = socket.try_clone().expect("a second handle").into();
        self.gate.closing.store(false, Ordering::SeqCst);
        let (service, shared, gate) = (
            self.service,
            Arc::clone(&self.shared),
            Arc::clone(&self.gate),
        );
        let tls = self.tls.clone();
        self.port = Port::Open(thread::spawn(move || {
            accept(service, &listener, &shared, &gate, tls.as_ref());
        }));
    }

    /// The acceptor blocks in `accept` until somebody comes.
    fn end_acceptor(&self) {
        self.gate.closing.store(true, Ordering::SeqCst);
        // It fails if a client was faster, which does as well.
        let _ = TcpStream::connect(self.address);
    }

    fn close(&mut self) {
        if let Port::Closed(_) = self.port {
            return;
        }
        self.end_acceptor();
        let deadline = Instant::now() + DEADLINE;
        let socket = loop {
            match bound_to(self.address) {
                Ok(socket) => break socket,
                // The acceptor has it until it ends.
                Err(_) if Instant::now() < deadline => thread::yield_now(),
                Err(error) => panic!("cannot keep {}: {error}", self.address),
            }
        };
        if let Port::Open(acceptor) = std::mem::replace(&mut self.port, Port::Closed(socket)) {
            let _ = acceptor.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whoever gets the port next may have it.
        self.end_acceptor();
        self.cut();
    }
}

/// A socket that has this address but does not listen.
fn bound_to(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    // As long as it does not listen, nobody who asks for any port may be given this one.
    socket.set_reuse_address(false)?;
    Ok(socket)
}

fn accept(
    service: Service,
    listener: &TcpListener,
    shared: &Arc<Shared>,
    gate: &Arc<Gate>,
    tls: Option<&Arc<ServerConfig>>,
) {
    for number in 0_usize.. {
        let accepted = listener.accept();
        if gate.closing.load(Ordering::SeqCst) {
            return;
        }
        let Ok((stream, _)) = accepted else {
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        if shared.refuses(service) {
            continue;
        }
        let Ok(second) = stream.try_clone() else {
            continue;
        };
        lock(&gate.connections).insert(number, second);
        let shared = Arc::clone(shared);
        let gate = Arc::clone(gate);
        let tls = tls.map(|tls| ServerConnection::new(Arc::clone(tls)).expect("a server"));
        thread::spawn(move || {
            let _ = stream.set_nodelay(true);
            let port = stream.peer_addr().map_or(0, |client| client.port());
            match tls {
                None => converse(service, port, &stream, &shared),
                Some(tls) => converse(service, port, StreamOwned::new(tls, &stream), &shared),
            }
            // The gate's copy would keep the connection open.
            let _ = stream.shutdown(Shutdown::Both);
            lock(&gate.connections).remove(&number);
        });
    }
}

/// Answers one request after the other until one side ends the connection.
fn converse(service: Service, port: u16, stream: impl Read + Write, shared: &Shared) {
    let mut reader = BufReader::new(stream);
    loop {
        let seen = match read_request(service, port, &mut reader) {
            Received::Request(seen) => seen,
            Received::Malformed(why) => {
                shared.complain(service, &why);
                let _ = send(reader.get_mut(), &Answer::text(400, why), 1);
                return;
            }
            Received::End => return,
        };
        let last = seen.header("connection") == Some("close");
        let sent = match shared.handle(&seen) {
            Reply::Whole(answer) => send(reader.get_mut(), &answer, 1),
            Reply::Half(answer, silence) => {
                let _ = send(reader.get_mut(), &answer, 2);
                shared.wait(silence);
                return;
            }
            Reply::Cut => return,
        };
        if last || sent.is_err() {
            return;
        }
    }
}

/// How much of a body goes out with the head in one write, so that no packet waits for another.
const FIRST_WRITE: usize = 64 * 1024;

/// Sends the head and one `part`-th of the body.
fn send(stream: &mut impl Write, answer: &Answer, part: usize) -> std::io::Result<()> {
    let body = &answer.body.as_bytes()[..answer.body.len() / part];
    let (first, rest) = body.split_at(body.len().min(FIRST_WRITE));
    let mut bytes = answer.head().into_bytes();
    bytes.extend_from_slice(first);
    stream.write_all(&bytes)?;
    stream.write_all(rest)
}
