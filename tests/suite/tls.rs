//! Certificates: the system's store decides, or the file that `SSL_CERT_FILE` names; over real TLS.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::sandbox::{Run, Sandbox, Service};
use crate::support::{assert_says, needy_sync, one_person, warnings};

/// A campus's own certification authority, made for one test.
pub struct Campus {
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Campus {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        Self { authority }
    }

    /// Its certificate, as a file for `SSL_CERT_FILE`.
    pub fn file(&self, sandbox: &Sandbox) -> PathBuf {
        let file = sandbox.path("campus.pem");
        fs::write(&file, self.authority.pem()).expect("a file");
        file
    }

    /// What a server of that name shows.
    pub fn server(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.authority).expect("signed");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key);
        Arc::new(config.expect("a certificate and its key"))
    }
}

/// TLS in front of one of the sandbox's services. Gives the address to put into the configuration.
fn in_front_of(sandbox: &Sandbox, service: Service, server: Arc<ServerConfig>) -> String {
    let behind = sandbox.url(service).replace("http://", "");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, behind, server) =
                (client.expect("a client"), behind.clone(), server.clone());
            thread::spawn(move || relay(client, &behind, server));
        }
    });
    format!("https://localhost:{port}")
}

/// Takes TLS off a connection, and carries bytes both ways until one side ends.
pub fn relay(client: TcpStream, behind: &str, server: Arc<ServerConfig>) {
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

/// A day whose services are all behind TLS.
fn behind_tls(campus: &Campus) -> Sandbox {
    let sandbox = one_person();
    let [libcal, alma, passagepoint] =
        Service::ALL.map(|service| in_front_of(&sandbox, service, campus.server("localhost")));
    sandbox
        .config(
            "LibCal.credentials_endpt",
            &format!("{libcal}/1.1/oauth/token"),
        )
        .config(
            "LibCal.bookings_endpt",
            &format!("{libcal}/1.1/space/bookings"),
        )
        .config("Alma.users_endpt", &format!("{alma}/almaws/v1/users"))
        .config("PassagePoint.pp_api_root", &passagepoint)
}

#[test]
fn an_authority_that_the_system_does_not_know_is_refused_and_gets_nothing() {
    let sandbox = behind_tls(&Campus::new());
    let first = sandbox.sync();
    assert_eq!((first.code, first.stderr.as_str()), (1, ""));
    // It is told by the second pass in a row.
    let said = needy_sync(&sandbox);
    assert_says(&said, &["LibCal", "certificate"]);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(sandbox.arrived(), 0, "nothing was sent");
}

#[test]
fn the_campus_authority_in_ssl_cert_file_is_trusted() {
    let campus = Campus::new();
    let sandbox = behind_tls(&campus);
    let mut command = sandbox.command(&["sync"]);
    command.env("SSL_CERT_FILE", campus.file(&sandbox));
    let run = Run::of(command);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn another_authority_in_ssl_cert_file_does_not_help() {
    let sandbox = behind_tls(&Campus::new());
    let mut command = sandbox.command(&["-v", "sync"]);
    command.env("SSL_CERT_FILE", Campus::new().file(&sandbox));
    let run = Run::of(command);
    assert_eq!(run.code, 1, "{run:#?}");
    assert_says(&warnings(&run), &["LibCal", "certificate"]);
    assert_eq!(sandbox.arrived(), 0, "nothing was sent");
}
