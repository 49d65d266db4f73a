//! Certificates: the system's store decides, or the file that `SSL_CERT_FILE` names; over real TLS.

use crate::sandbox::{CertificateAuthority, Run, Sandbox};
use crate::support::{assert_says, of_ada, sync_needing_attention, warnings, with_ada};

/// A day whose services are all behind TLS.
fn behind_tls(authority: &CertificateAuthority) -> Sandbox {
    with_ada().behind_tls(authority).booking(of_ada("cs_1"))
}

#[test]
fn an_authority_that_the_system_does_not_know_is_refused_and_gets_nothing() {
    let sandbox = behind_tls(&CertificateAuthority::new());
    let first = sandbox.sync();
    assert_eq!((first.code, first.stderr.as_str()), (1, ""));
    // It is told by the second pass in a row.
    let said = sync_needing_attention(&sandbox);
    assert_says(&said, &["LibCal", "certificate"]);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(sandbox.arrived(), 0, "nothing was sent");
}

#[test]
fn the_campus_authority_in_ssl_cert_file_is_trusted() {
    let authority = CertificateAuthority::new();
    let sandbox = behind_tls(&authority);
    let mut command = sandbox.command(&["sync"]);
    command.env("SSL_CERT_FILE", authority.file(&sandbox));
    let run = Run::of(command);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(sandbox.expected().len(), 1);
}

#[test]
fn another_authority_in_ssl_cert_file_does_not_help() {
    let sandbox = behind_tls(&CertificateAuthority::new());
    let mut command = sandbox.command(&["-v", "sync"]);
    command.env("SSL_CERT_FILE", CertificateAuthority::new().file(&sandbox));
    let run = Run::of(command);
    assert_eq!(run.code, 1, "{run:#?}");
    assert_says(&warnings(&run), &["LibCal", "certificate"]);
    assert_eq!(sandbox.arrived(), 0, "nothing was sent");
}
