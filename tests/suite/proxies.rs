//! Proxies that the environment names: what goes through them, and what is said of one that does not let us through.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use crate::sandbox::{CertificateAuthority, Run, Sandbox, Service};
use crate::support::{
    assert_no_complaints, assert_says, count_rows, good_sync, of_ada, one_person, state_of,
    warnings,
};

const VARIABLES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "HTTP_PROXY",
    "http_proxy",
];
const PASSWORD: &str = "ProxyPasswordQ7";

const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\n\r\n";

/// A proxy on this machine.
struct Proxy {
    port: u16,
    /// The heads of the requests that it got.
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// One that lets nobody through: it gives this answer to every request, and closes the connection.
    fn answering(answer: &'static str) -> Self {
        Self::serving(move |_, mut client| {
            let _ = client.write_all(answer.as_bytes());
        })
    }

    /// One that does this with each connection once its first request is read; the first connection is number 1. It
    /// lasts as long as the tests.
    fn serving(mut serve: impl FnMut(usize, TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        thread::spawn(move || {
            for (number, client) in (1..).zip(listener.incoming()) {
                let client = client.expect("a client");
                seen.lock().expect("no panic").push(read_head(&client));
                serve(number, client);
            }
        });
        Self { port, heads }
    }

    /// Its address, with the name and password of somebody.
    fn address(&self) -> String {
        format!("http://somebody:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }
}

/// Reads up to the first empty line.
fn read_head(client: &TcpStream) -> String {
    let lines = BufReader::new(client).lines();
    let head = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty());
    head.collect::<Vec<_>>().join("\n")
}

/// A run with these variables in the environment.
fn run_with(sandbox: &Sandbox, args: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = sandbox.command(args);
    command.envs(variables.iter().copied());
    Run::of(command)
}

/// LibCal at a host of that name, which is not on this machine.
fn libcal_at(host: &str) -> Sandbox {
    one_person()
        .config(
            "LibCal.credentials_endpt",
            &format!("https://{host}/1.1/oauth/token"),
        )
        .config(
            "LibCal.bookings_endpt",
            &format!("https://{host}/1.1/space/bookings"),
        )
        .config("Network.tries", "1")
}

#[test]
fn what_is_on_this_machine_is_never_asked_through_a_proxy() {
    let proxy = Proxy::answering(FORBIDDEN);
    for variable in VARIABLES {
        for no_proxy in ["", "alma.example.edu"] {
            let sandbox = one_person();
            let variables = [(variable, &*proxy.address()), ("NO_PROXY", no_proxy)];
            let run = run_with(&sandbox, &["sync"], &variables);
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{variable}");
            assert_no_complaints(&sandbox);
            assert_eq!(sandbox.expected().len(), 1, "{variable}");
        }
    }
    // Neither by the other names of this machine.
    let sandbox = one_person();
    for (key, service, path) in [
        ("Alma.users_endpt", Service::Alma, "/almaws/v1/users"),
        ("PassagePoint.pp_api_root", Service::PassagePoint, ""),
    ] {
        let root = sandbox.url(service).replace("127.0.0.1", "localhost");
        sandbox.set_config(key, &format!("{root}{path}"));
    }
    let run = run_with(&sandbox, &["sync"], &[("http_proxy", &proxy.address())]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    // Whether the system finds it by these or not.
    for host in ["localhost.", "[::ffff:127.0.0.1]"] {
        let sandbox = libcal_at(host).config("Network.timeout_seconds", "1");
        run_with(&sandbox, &["sync"], &[("https_proxy", &proxy.address())]);
    }
    assert_eq!(proxy.heads(), [""; 0]);
}

#[test]
fn other_hosts_are_asked_through_the_proxy_by_connect_and_no_secret_is_in_the_clear() {
    for variable in VARIABLES {
        let proxy = Proxy::answering(FORBIDDEN);
        let sandbox = libcal_at("libcal.example.edu");
        let address = proxy.address();
        let run = run_with(&sandbox, &["-v", "sync"], &[(variable, &address)]);
        assert_eq!(run.code, 1, "{run:#?}");
        let heads = proxy.heads();
        assert_eq!(heads.len(), 1, "{heads:?}");
        assert!(
            heads[0].starts_with("CONNECT libcal.example.edu:443 HTTP/1.1\n"),
            "{heads:?}"
        );
        // The proxy's own password goes to the proxy.
        assert_says(&heads[0], &["Proxy-Authorization: Basic "]);
        for secret in sandbox.secrets() {
            assert!(!heads[0].contains(&secret), "{heads:?}");
        }
        let named = format!("127.0.0.1:{} ({variable})", proxy.port);
        assert_says(&warnings(&run), &["LibCal", &named, "403 Forbidden"]);
        assert!(!run.stderr.contains(PASSWORD), "{run:#?}");
        assert!(!run.stderr.contains("somebody"), "{run:#?}");
    }
}

#[test]
fn the_variable_for_https_comes_before_those_for_everything() {
    let (right, wrong) = (Proxy::answering(FORBIDDEN), Proxy::answering(FORBIDDEN));
    let sandbox = libcal_at("libcal.example.edu");
    let (right_address, wrong_address) = (right.address(), wrong.address());
    let variables = [
        ("ALL_PROXY", &*wrong_address),
        ("HTTP_PROXY", &*wrong_address),
        ("https_proxy", &*right_address),
        ("HTTPS_PROXY", " "),
    ];
    let run = run_with(&sandbox, &["-v", "sync"], &variables);
    assert_says(&warnings(&run), &["(https_proxy)"]);
    assert_eq!((right.heads().len(), wrong.heads().len()), (1, 0));
}

#[test]
fn hosts_that_no_proxy_names_are_asked_directly() {
    let proxy = Proxy::answering(FORBIDDEN);
    // Nobody has such a name, so that asking directly ends soon and reaches nobody.
    let host = "libcal.library.invalid";
    for (name, hosts, is_direct) in [
        ("NO_PROXY", "libcal.library.invalid", true),
        ("no_proxy", "alma.invalid, library.invalid", true),
        ("NO_PROXY", ".library.invalid", true),
        ("NO_PROXY", "*.library.invalid", true),
        ("NO_PROXY", "*", true),
        ("NO_PROXY", "brary.invalid,cal.library.invalid", false),
    ] {
        let sandbox = libcal_at(host);
        let before = proxy.heads().len();
        let variables = [("HTTPS_PROXY", &*proxy.address()), (name, hosts)];
        let run = run_with(&sandbox, &["-v", "sync"], &variables);
        assert_eq!(run.code, 1, "{run:#?}");
        let told = warnings(&run);
        assert_eq!(told.contains("HTTPS_PROXY"), !is_direct, "{hosts}: {told}");
        let asked = proxy.heads().len() - before;
        assert_eq!(asked, usize::from(!is_direct), "{hosts}");
    }
}

#[test]
fn a_proxy_that_lets_nobody_through_is_named_with_what_it_answered() {
    for (answer, says) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            "refused the connection (407 Proxy Authentication Required)",
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\n\r\n",
            "refused the connection (502 Bad Gateway)",
        ),
        ("", "proxy"),
        ("this is no proxy\r\n\r\n", "proxy"),
    ] {
        let proxy = Proxy::answering(answer);
        let sandbox = libcal_at("libcal.example.edu");
        let address = proxy.address();
        let run = run_with(&sandbox, &["-v", "sync"], &[("https_proxy", &address)]);
        assert_eq!(run.code, 1, "{run:#?}");
        let named = format!("127.0.0.1:{} (https_proxy)", proxy.port);
        let told = warnings(&run);
        assert_says(&told, &["LibCal ", says, &named]);
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(!run.stderr.contains(PASSWORD), "{run:#?}");
    }
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    // It stays bound and does not listen, so that no other program gets it meanwhile.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any_port.into()).expect("a free port");
    let address = socket.local_addr().ok().and_then(|own| own.as_socket());
    let port = address.expect("its address").port();
    let sandbox = libcal_at("libcal.example.edu");
    for (address, says) in [
        (
            format!("127.0.0.1:{port}"),
            format!(
                "cannot connect to the proxy 127.0.0.1:{port} (HTTPS_PROXY): connection refused"
            ),
        ),
        (
            "http://proxy.invalid:3128".to_owned(),
            "cannot connect to the proxy proxy.invalid:3128 (HTTPS_PROXY)".to_owned(),
        ),
        (
            "https://proxy.invalid:3129".to_owned(),
            "cannot connect to the proxy proxy.invalid:3129 (HTTPS_PROXY)".to_owned(),
        ),
    ] {
        let run = run_with(&sandbox, &["-v", "sync"], &[("HTTPS_PROXY", &address)]);
        assert_eq!(run.code, 1, "{run:#?}");
        assert_says(&warnings(&run), &["LibCal is not responding: ", &says]);
    }
}

/// Takes TLS off a connection, and carries bytes both ways until one side ends.
fn relay(client: TcpStream, behind: &str, server: Arc<ServerConfig>) {
    let turn = Some(Duration::from_millis(5));
    client.set_read_timeout(turn).expect("a socket");
    let mut behind = TcpStream::connect(behind).expect("the service");
    behind.set_read_timeout(turn).expect("a socket");
    let connection = ServerConnection::new(server).expect("a server");
    let mut client = StreamOwned::new(connection, client);
    while carry(&mut client, &mut behind) && carry(&mut behind, &mut client) {}
}

/// Carries what there is; whether there may come more.
fn carry(from: &mut impl Read, to: &mut impl Write) -> bool {
    let mut bytes = [0; 16 * 1024];
    match from.read(&mut bytes) {
        Ok(0) => false,
        Ok(read) => to
            .write_all(&bytes[..read])
            .and_then(|()| to.flush())
            .is_ok(),
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

/// PassagePoint at another host, behind a proxy that lets so many connections through and answers the others with this.
fn doors_behind(
    connections: usize,
    answer: &'static str,
) -> (Sandbox, Proxy, CertificateAuthority) {
    let (sandbox, authority) = (one_person(), CertificateAuthority::new());
    let behind = sandbox.url(Service::PassagePoint).replace("http://", "");
    let server = authority.server("doors.example.edu");
    let proxy = Proxy::serving(move |number, mut client| {
        if number > connections {
            let _ = client.write_all(answer.as_bytes());
            return;
        }
        let (behind, server) = (behind.clone(), Arc::clone(&server));
        thread::spawn(move || {
            let _ = client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
            relay(client, &behind, server);
        });
    });
    (sandbox, proxy, authority)
}

/// A pass with PassagePoint at that host.
fn sync_through(sandbox: &Sandbox, proxy: &Proxy, authority: &CertificateAuthority) -> Run {
    sandbox.set_config("PassagePoint.pp_api_root", "https://doors.example.edu:2444");
    let (address, file) = (proxy.address(), authority.file(sandbox));
    let file = file.to_str().expect("a name");
    let variables = [("HTTPS_PROXY", &*address), ("SSL_CERT_FILE", file)];
    run_with(sandbox, &["-v", "sync"], &variables)
}

#[test]
fn a_pass_goes_through_a_proxy_that_lets_it() {
    let (sandbox, proxy, authority) = doors_behind(usize::MAX, "");
    let run = sync_through(&sandbox, &proxy, &authority);
    assert_eq!((run.code, warnings(&run).as_str()), (0, ""), "{run:#?}");
    assert_no_complaints(&sandbox);
    assert_eq!(sandbox.expected().len(), 1);
    let to_doors = |head: &String| head.starts_with("CONNECT doors.example.edu:2444 HTTP/1.1\n");
    assert!(proxy.heads().iter().all(to_doors), "{:?}", proxy.heads());
}

#[test]
fn a_visit_that_a_proxy_kept_from_being_asked_for_is_not_in_doubt() {
    for answer in [FORBIDDEN, "", "this is no proxy\r\n\r\n"] {
        // The login's connection; that for the visit is one of its own.
        let (sandbox, proxy, authority) = doors_behind(1, answer);
        good_sync(&sandbox);
        sandbox.add_booking(of_ada("cs_2").minutes(100, 160));
        sandbox.forget_requests();
        let run = sync_through(&sandbox, &proxy, &authority);
        assert_eq!(run.code, 1, "{run:#?}");
        let says = ["PassagePoint", "(HTTPS_PROXY)", "1 visit waits", "cs_2"];
        assert_says(&warnings(&run), &says);
        assert_eq!(sandbox.count_of(Service::PassagePoint, "login"), 1);
        assert_ne!(proxy.heads().len(), 1, "the visit was to be asked for");
        assert_eq!(state_of(&sandbox, "cs_2"), "waiting", "{answer:?}");
        let in_doubt = count_rows(&sandbox, "appts WHERE asked_ends_at IS NOT NULL");
        assert_eq!(in_doubt, 0, "{answer:?}");
    }
}

#[test]
fn a_variable_that_is_not_the_address_of_a_proxy_is_an_error_that_does_not_show_it() {
    for value in [
        "socks5://somebody:ProxyPasswordQ7@proxy.example.edu",
        "http://",
        "http://somebody:ProxyPasswordQ7@proxy example",
        "://",
        // What comes before the slash is not the proxy's host.
        "http://somebody:12/ProxyPasswordQ7@proxy.invalid:3128",
        "http://somebody:12?ProxyPasswordQ7@proxy.invalid:3128",
        "http://somebody:12#ProxyPasswordQ7@proxy.invalid:3128",
    ] {
        let sandbox = one_person();
        for (command, code) in [("sync", 78), ("check", 1)] {
            let run = run_with(&sandbox, &[command], &[("https_proxy", value)]);
            assert_eq!(run.code, code, "{value}: {run:#?}");
            let told = format!("{}{}", run.stdout, run.stderr);
            let says = ["https_proxy in the environment is not the address of an HTTP proxy"];
            assert_says(&told, &says);
            assert!(
                !told.contains(PASSWORD) && !told.contains("somebody"),
                "{told}"
            );
        }
        assert_eq!(sandbox.arrived(), 0, "{value}");
    }
}

#[test]
fn check_tells_which_proxy_is_in_use_and_for_what_without_its_password() {
    let proxy = Proxy::answering(FORBIDDEN);
    let line = |sandbox: &Sandbox, variables: &[(&str, &str)]| {
        let run = run_with(sandbox, &["check"], variables);
        assert!(!run.stdout.contains(PASSWORD), "{run:#?}");
        let mut lines = run.stdout.lines().map(str::to_owned);
        let line = lines.find(|line| line.starts_with("ok    proxy: "));
        (run, line)
    };
    let address = proxy.address();
    let named = format!("127.0.0.1:{} (https_proxy)", proxy.port);
    let sandbox = libcal_at("libcal.example.edu");
    let (run, told) = line(&sandbox, &[("https_proxy", &address)]);
    assert_eq!(
        told,
        Some(format!("ok    proxy: {named} is used for LibCal"))
    );
    assert_eq!(run.code, 1, "{run:#?}");
    assert_says(
        &run.stdout,
        &[&format!(
            "FAIL  LibCal: LibCal is not responding: the proxy {named} refused the connection"
        )],
    );

    let (run, told) = line(&one_person(), &[("https_proxy", &address)]);
    let none = format!("ok    proxy: {named} is not used");
    assert!(told.is_some_and(|told| told.starts_with(&none)), "{run:#?}");
    assert_eq!(run.code, 0, "{run:#?}");
    let (run, told) = line(&one_person(), &[]);
    assert_eq!(told, None, "{run:#?}");
}
