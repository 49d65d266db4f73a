//! What is said of a service that cannot be reached or understood, and of a proxy.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::services::{alone, answered, met};
use super::{Case, Part, pass};
use crate::sandbox::{CertificateAuthority, Fault, Run, Sandbox, Service};

pub static PART: Part = Part {
    sources: &["http"],
    cases: CASES,
    as_root: &[],
    unseen: &[
        (
            "failed to lookup address",
            "it is compared with, not printed",
        ),
        (
            "was not asked: the request",
            "addresses are checked when the configuration is read",
        ),
        (
            "is not responding: no secure connection",
            "a unit test has it: it takes a service of another age",
        ),
        (
            "it has expired",
            "a unit test has it: the campus of the tests has no old certificates",
        ),
        ("it is not valid yet", "as above"),
        ("it is for another host name", "as above"),
        ("it was revoked", "as above"),
        ("it is not valid", "as above"),
    ],
};

const CASES: &[Case] = &[
    // No response.
    (
        &[
            "LibCal is not responding: connection refused",
            "Main Library (8827)",
            "all bookings of",
        ],
        || {
            let sandbox = alone();
            sandbox.stop(Service::LibCal);
            pass(&sandbox)
        },
    ),
    (
        &[
            "Alma is not responding",
            "host name not found",
            "DNS",
            "cs_1",
        ],
        || pass(&alone().config("Alma.users_endpt", "https://alma.invalid/users")),
    ),
    (
        &["PassagePoint is not responding", "host unreachable"],
        || pass(&alone().config("PassagePoint.pp_api_root", "https://255.255.255.255")),
    ),
    (
        &["Alma is not responding: no connection within 1 s"],
        || {
            let (_listening, address) = full_queue();
            pass(&impatient().config("Alma.users_endpt", &format!("http://{address}")))
        },
    ),
    (
        &[
            "Alma is not responding: no response within 1 s",
            "retrying in",
        ],
        || {
            let sandbox = impatient().config("Network.tries", "2");
            sandbox.fault(Fault::on(Service::Alma).hang(Duration::from_millis(1_500)));
            pass(&sandbox)
        },
    ),
    (
        &["Alma is not responding: the connection was lost", "cs_1"],
        || met(Fault::on(Service::Alma).cut_before()),
    ),
    (
        &[
            "LibCal has a certificate that is not trusted",
            "SSL_CERT_FILE",
        ],
        || pass(&alone().behind_tls(&CertificateAuthority::new())),
    ),
    // Proxies.
    (
        &[
            "cannot connect to the proxy 127.0.0.1:",
            "(HTTPS_PROXY)",
            "connection refused",
        ],
        || {
            let (_bound, address) = bound();
            through_proxy(&format!("http://{address}"))
        },
    ),
    (
        &[
            "the proxy 127.0.0.1:",
            "(HTTPS_PROXY)",
            "407 Proxy Authentication Required",
        ],
        || {
            through_proxy(&answering(
                "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            ))
        },
    ),
    (&["LibCal", "through the proxy 127.0.0.1:"], || {
        through_proxy(&answering("HTTP/1.1 200 OK\r\n\r\n"))
    }),
    (&["HTTPS_PROXY", "correct or unset it"], || {
        through_proxy("socks5://127.0.0.1:1080")
    }),
    // Responses that are errors or cannot be read.
    (&["Alma sent an unexpected response (not HTTP)"], || {
        pass(&alone().config("Alma.users_endpt", &answering("SSH-2.0-OpenSSH_9.2\r\n")))
    }),
    (
        &["Alma sent an unexpected response (larger than 1 MiB)"],
        || answered(Service::Alma, "", 200, &" ".repeat((1 << 20) + 1)),
    ),
    (
        &["Alma's rate limit is exceeded (429 Too Many Requests)"],
        || answered(Service::Alma, "", 429, ""),
    ),
    (
        &["LibCal returned a server error (503 Service Unavailable)"],
        || answered(Service::LibCal, "bookings", 503, ""),
    ),
    (
        &["Alma returned a redirect (302 Found)", "Alma.users_endpt"],
        || answered(Service::Alma, "", 302, ""),
    ),
    (
        &[
            "PassagePoint denied access (403 Forbidden)",
            "PassagePoint.username",
        ],
        || answered(Service::PassagePoint, "createPreReg", 403, ""),
    ),
    (
        &[
            "PassagePoint has nothing at this address (404 Not Found)",
            "PassagePoint.create_visitor_endpt",
        ],
        || answered(Service::PassagePoint, "createVisitor", 404, ""),
    ),
];

/// A pass that reaches LibCal through this proxy only.
fn through_proxy(address: &str) -> Run {
    let sandbox = alone().config(
        "LibCal.credentials_endpt",
        "https://libcal.example.edu/token",
    );
    let mut command = sandbox.command(&["-v", "sync"]);
    command.env("HTTPS_PROXY", address);
    Run::of(command)
}

/// The address of a server that says this, whatever it is asked.
fn answering(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.expect("a client");
            let mut byte = [0];
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|read| read > 0)
            {
                head.extend(byte);
            }
            let _ = client.write_all(text.as_bytes());
        }
    });
    format!("http://{address}")
}

/// A socket that does not listen, so that no other program gets its port.
fn bound() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any_port.into()).expect("a free port");
    let address = socket.local_addr().ok().and_then(|own| own.as_socket());
    (socket, address.expect("its address"))
}

/// A socket whose queue is full: nobody else gets a connection.
fn full_queue() -> ((Socket, TcpStream), SocketAddr) {
    let (socket, address) = bound();
    socket.listen(0).expect("a queue");
    let first = TcpStream::connect(address).expect("the queue takes one");
    ((socket, first), address)
}

fn impatient() -> Sandbox {
    alone().config("Network.timeout_seconds", "1")
}
