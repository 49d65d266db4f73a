//! Transport errors in words that say what to look at.

use std::io::ErrorKind;

use rustls::CertificateError;
use ureq::Timeout;

use super::proxy::Proxy;
use super::status_text;

const HOST_NOT_FOUND: &str = "host name not found";

/// The message about a service, without its name, after a request for which each step may take `seconds`
/// and the response `mib`; where it goes through a proxy, that is named.
pub(super) fn describe(
    error: &ureq::Error,
    proxy: Option<&Proxy>,
    seconds: u32,
    mib: u32,
) -> String {
    match (proxy, not_connected(error)) {
        (None, Some(HOST_NOT_FOUND)) => format!(
            "is not responding: {HOST_NOT_FOUND}; check its address in the configuration, and DNS"
        ),
        (None, Some(why)) => format!("is not responding: {why}"),
        (Some(proxy), Some(why)) => {
            format!("is not responding: cannot connect to the proxy {proxy}: {why}")
        }
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

/// Why the other end (with a proxy, the proxy) could not be reached, if that is what failed.
fn not_connected(error: &ureq::Error) -> Option<&'static str> {
    let error = match error {
        ureq::Error::HostNotFound => return Some(HOST_NOT_FOUND),
        ureq::Error::ConnectionFailed => return Some("no connection"),
        ureq::Error::Io(error) => error,
        _ => return None,
    };
    // The standard library has no kind for it, only this text.
    if error.to_string().starts_with("failed to lookup address") {
        return Some(HOST_NOT_FOUND);
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => Some("connection refused"),
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => Some("host unreachable"),
        _ => None,
    }
}

/// What went wrong after that.
fn after_connecting(error: &ureq::Error, seconds: u32, mib: u32) -> String {
    match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            format!("is not responding: no connection within {seconds} s")
        }
        ureq::Error::Timeout(_) => format!("is not responding: no response within {seconds} s"),
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => {
            "was not asked: the request is not valid HTTP".into()
        }
        ureq::Error::BodyExceedsLimit(_) => {
            format!("sent an unexpected response (larger than {mib} MiB)")
        }
        ureq::Error::Rustls(error) => not_trusted(error),
        ureq::Error::Io(error) => match tls_error(error) {
            Some(error) => not_trusted(error),
            None => "is not responding: the connection was lost".into(),
        },
        _ => "sent an unexpected response (not HTTP)".into(),
    }
}

/// The error of the TLS handshake that is reported as one of the connection, if it is one.
fn tls_error(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Why no secure connection was made.
fn not_trusted(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(error) = error else {
        return "is not responding: no secure connection (TLS) could be made".into();
    };
    let why = match error {
        CertificateError::UnknownIssuer => {
            "it was issued by an unknown authority; add that to the system's certificates, or name its file in SSL_CERT_FILE"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet; check this machine's clock"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another host name"
        }
        CertificateError::Revoked => "it was revoked",
        _ => "it is not valid",
    };
    format!("has a certificate that is not trusted: {why}")
}

/// `reason` is ureq's, which ends in the status if there was a response.
fn proxy_refusal(proxy: &Proxy, reason: &str) -> String {
    let status = reason.rsplit('/').next().and_then(|text| text.parse().ok());
    let status = status.map_or(String::new(), |status| {
        format!(" ({})", status_text(status))
    });
    format!("is not responding: the proxy {proxy} refused the connection{status}")
}

#[cfg(test)]
mod tests {
    use std::io;

    use ureq::Error;

    use super::*;

    #[test]
    fn each_transport_error_has_a_message_that_says_what_to_check() {
        let io = |kind: ErrorKind| Error::Io(kind.into());
        let tls = |error: rustls::Error| Error::Io(io::Error::new(ErrorKind::InvalidData, error));
        let unreachable = "is not responding: host unreachable";
        for (error, says) in [
            (Error::HostNotFound, "and DNS"),
            (
                Error::Io(io::Error::other("failed to lookup address information: x")),
                "and DNS",
            ),
            (Error::ConnectionFailed, "is not responding: no connection"),
            (io(ErrorKind::ConnectionRefused), "connection refused"),
            (io(ErrorKind::HostUnreachable), unreachable),
            (io(ErrorKind::NetworkUnreachable), unreachable),
            (io(ErrorKind::NetworkDown), unreachable),
            (io(ErrorKind::AddrNotAvailable), unreachable),
            (Error::Timeout(Timeout::Resolve), "no connection within 7 s"),
            (Error::Timeout(Timeout::Connect), "no connection within 7 s"),
            (Error::Timeout(Timeout::RecvBody), "no response within 7 s"),
            (
                Error::BadUri(String::new()),
                "the request is not valid HTTP",
            ),
            (
                Error::BodyExceedsLimit(1),
                "sent an unexpected response (larger than 3 MiB)",
            ),
            (
                tls(CertificateError::UnknownIssuer.into()),
                "not trusted: it was issued by an unknown authority",
            ),
            (
                Error::Rustls(CertificateError::Expired.into()),
                "not trusted: it has expired",
            ),
            (
                tls(CertificateError::NotValidYet.into()),
                "not valid yet; check this machine's clock",
            ),
            (
                tls(CertificateError::NotValidForName.into()),
                "for another host name",
            ),
            (tls(CertificateError::Revoked.into()), "it was revoked"),
            (tls(CertificateError::BadEncoding.into()), "it is not valid"),
            (
                tls(rustls::Error::HandshakeNotComplete),
                "no secure connection (TLS)",
            ),
            (
                io(ErrorKind::ConnectionReset),
                "is not responding: the connection was lost",
            ),
            (
                Error::TooManyRedirects,
                "sent an unexpected response (not HTTP)",
            ),
        ] {
            let message = describe(&error, None, 7, 3);
            assert!(message.contains(says), "{error:?}: {message}");
            assert_eq!(message.lines().count(), 1, "{error:?}: {message}");
        }
    }
}
