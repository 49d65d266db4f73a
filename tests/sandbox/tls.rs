//! TLS for the stand-ins: a campus's own certificate authority, and the certificates of its servers.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use super::Sandbox;

/// A campus's own certificate authority, made for one test.
pub struct CertificateAuthority {
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl CertificateAuthority {
    /// One that nobody knows yet.
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

impl Default for CertificateAuthority {
    fn default() -> Self {
        Self::new()
    }
}
