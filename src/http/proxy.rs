//! The proxy that the environment names, and what goes through it.
//!
//! ureq would read the same variables, but it sends this machine's own services to the proxy
//! too, ignores a proxy that it cannot use, and does not say which variable named it.

use std::env;
use std::fmt;

use ureq::ProxyProtocol;
use ureq::http::Uri;

use crate::config::{ConfigError, is_loopback};

/// The variables that may name a proxy: those for https: first, then those for everything.
const PROXY_VARIABLES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "HTTP_PROXY",
    "http_proxy",
];
/// The variables that name hosts to reach without a proxy.
const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// A proxy, and the variable that names it. It is shown as host and port, without its password.
#[derive(Debug, Clone)]
pub struct Proxy {
    variable: &'static str,
    proxy: ureq::Proxy,
}

impl Proxy {
    /// The proxy of the first variable that is set and not blank, if there is one.
    ///
    /// # Errors
    /// [`ConfigError`] if it is not the address of an HTTP proxy.
    pub(super) fn from_env() -> Result<Option<Self>, ConfigError> {
        let Some((variable, value)) = PROXY_VARIABLES.iter().find_map(|name| non_blank_var(name))
        else {
            return Ok(None);
        };
        let read = Some(&value).filter(|value| !has_at_sign_behind_host(value));
        let read = read.and_then(|value| ureq::Proxy::new(value).ok());
        // Other kinds of proxy would need further features of ureq.
        let read = read
            .filter(|proxy| matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https));
        let with_exceptions = read.and_then(|proxy| with_no_proxy(&proxy));
        let proxy = with_exceptions.ok_or_else(|| {
            ConfigError(vec![format!(
                "{variable} in the environment is not the address of an HTTP proxy, such as http://proxy.example.edu:3128 (percent-encode special characters in a password): correct or unset it"
            )])
        })?;
        Ok(Some(Self { variable, proxy }))
    }

    pub(super) fn as_ureq(&self) -> ureq::Proxy {
        self.proxy.clone()
    }

    /// Whether requests to this address go through the proxy. Those to this machine never do,
    /// for they may go in the clear.
    pub(super) fn applies_to(&self, address: &Uri) -> bool {
        let is_here = address.host().is_none_or(is_loopback);
        !is_here && !self.proxy.is_no_proxy(address)
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (self.proxy.host(), self.proxy.port());
        write!(f, "{host}:{port} ({})", self.variable)
    }
}

/// Whether an `@` comes behind what would be taken for the host: then that is the beginning of a
/// name or password with a `/`, `?` or `#` in it, and must not be shown.
fn has_at_sign_behind_host(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let path = rest.split_once(['/', '?', '#']).map(|(_, path)| path);
    path.is_some_and(|path| path.contains('@'))
}

/// A variable and its value, unless that is blank.
fn non_blank_var(name: &'static str) -> Option<(&'static str, String)> {
    let value = env::var_os(name)?;
    let value = value.to_string_lossy().trim().to_owned();
    (!value.is_empty()).then_some((name, value))
}

/// The same proxy with the hosts to reach without it. As with curl and others, a name includes all
/// its subdomains, with a leading dot or without.
fn with_no_proxy(proxy: &ureq::Proxy) -> Option<ureq::Proxy> {
    let mut builder = ureq::Proxy::builder(proxy.protocol())
        .host(proxy.host())
        .port(proxy.port());
    if let Some(username) = proxy.username() {
        builder = builder.username(username);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    let exceptions = NO_PROXY_VARIABLES
        .iter()
        .find_map(|name| non_blank_var(name));
    let exceptions = exceptions.map(|(_, hosts)| hosts).unwrap_or_default();
    for host in exceptions.split(',').map(str::trim) {
        let name = host.trim_start_matches("*.").trim_start_matches('.');
        if !name.is_empty() {
            builder = builder.no_proxy(name).no_proxy(&format!(".{name}"));
        }
    }
    builder.build().ok()
}
