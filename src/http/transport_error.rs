//! Transport errors in words that say what to look at.

use std::io::ErrorKind;

use ureq::Timeout;

use super::proxy::Proxy;
use super::status_text;

const HOST_NOT_KNOWN: &str = "its host name is not known";

/// What happened, of a request for which each step may take `seconds` and the answer `mib`; where
/// it goes through a proxy, that is named.
pub(super) fn describe(
    error: &ureq::Error,
    proxy: Option<&Proxy>,
    seconds: u32,
    mib: u32,
) -> String {
    match (proxy, not_connected(error)) {
        (None, Some(HOST_NOT_KNOWN)) => {
            format!("{HOST_NOT_KNOWN}: check its address in the configuration, and the DNS")
        }
        (None, Some(why)) => why.into(),
        (Some(proxy), Some(why)) => format!("the proxy {proxy} cannot be reached: {why}"),
        (None, None) => after_connecting(error, seconds, mib),
        (Some(proxy), None) => match error {
            ureq::Error::ConnectProxyFailed(reason) => proxy_refusal(proxy, reason),
            _ => format!(
                "{}, through the proxy {proxy}",
                after_connecting(error, seconds, mib)
            ),
        },
    }
}

/// Why there was no connection to the other end, if that is so; with a proxy, that is the proxy.
fn not_connected(error: &ureq::Error) -> Option<&'static str> {
    let error = match error {
        ureq::Error::HostNotFound => return Some(HOST_NOT_KNOWN),
        ureq::Error::ConnectionFailed => return Some("no connection"),
        ureq::Error::Io(error) => error,
        _ => return None,
    };
    // The standard library has no kind for it, only this text.
    if error.to_string().starts_with("failed to lookup address") {
        return Some(HOST_NOT_KNOWN);
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => Some("connection refused"),
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => Some("its host cannot be reached"),
        _ => None,
    }
}

/// What went wrong after that.
fn after_connecting(error: &ureq::Error, seconds: u32, mib: u32) -> String {
    match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            format!("no connection within {seconds} s")
        }
        ureq::Error::Timeout(_) => format!("no answer within {seconds} s"),
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => {
            "the request cannot be put into HTTP".into()
        }
        ureq::Error::BodyExceedsLimit(_) => format!("its answer is larger than {mib} MiB"),
        // rustls tells of certificates here, never of what was sent.
        ureq::Error::Rustls(error) => {
            format!("no trust in its certificate or connection: {error}")
        }
        // The TLS handshake reports a bad certificate as invalid data.
        ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
            format!("no trust in its certificate or connection: {error}")
        }
        ureq::Error::Io(_) => "the connection broke".into(),
        _ => "its answer is no readable HTTP".into(),
    }
}

/// `reason` is ureq's, which ends in the status if there was an answer.
fn proxy_refusal(proxy: &Proxy, reason: &str) -> String {
    let status = reason.rsplit('/').next().and_then(|text| text.parse().ok());
    match status {
        Some(status) => format!(
            "the proxy {proxy} did not connect us: it answered {}",
            status_text(status)
        ),
        None => format!("the proxy {proxy} did not connect us"),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use ureq::Error;

    use super::*;

    #[test]
    fn each_error_of_the_transport_has_words_that_say_what_to_look_at() {
        let io = |kind: ErrorKind| Error::Io(kind.into());
        let unreachable = "its host cannot be reached";
        for (error, says) in [
            (Error::HostNotFound, "and the DNS"),
            (
                Error::Io(io::Error::other("failed to lookup address information: x")),
                "and the DNS",
            ),
            (Error::ConnectionFailed, "no connection"),
            (io(ErrorKind::ConnectionRefused), "connection refused"),
            (io(ErrorKind::HostUnreachable), unreachable),
            (io(ErrorKind::NetworkUnreachable), unreachable),
            (io(ErrorKind::NetworkDown), unreachable),
            (io(ErrorKind::AddrNotAvailable), unreachable),
            (Error::Timeout(Timeout::Resolve), "no connection within 7 s"),
            (Error::Timeout(Timeout::Connect), "no connection within 7 s"),
            (Error::Timeout(Timeout::RecvBody), "no answer within 7 s"),
            (
                Error::BadUri(String::new()),
                "the request cannot be put into HTTP",
            ),
            (
                Error::BodyExceedsLimit(1),
                "its answer is larger than 3 MiB",
            ),
            (io(ErrorKind::InvalidData), "no trust in its certificate"),
            (io(ErrorKind::ConnectionReset), "the connection broke"),
            (Error::TooManyRedirects, "its answer is no readable HTTP"),
        ] {
            let told = describe(&error, None, 7, 3);
            assert!(told.contains(says), "{error:?}: {told}");
            assert_eq!(told.lines().count(), 1, "{error:?}: {told}");
        }
    }
}
