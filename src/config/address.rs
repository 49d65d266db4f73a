//! Addresses of services, and paths of their endpoints.

use std::net::IpAddr;

use ureq::http::Uri;

/// The address of a service: `https:`, or `http:` on this machine only. It has
/// no user name, query or fragment, and no slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads and checks an address.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_end_matches('/').to_owned();
        if text == "https:" || text == "http:" {
            return Err(not_an_address("it has no host"));
        }
        let uri: Uri = text
            .parse()
            .map_err(|_| not_an_address("it is not a URL"))?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| not_an_address("it has no host"))?;
        if uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(not_an_address("it must not contain a user name"));
        }
        if text.contains(['?', '#']) {
            return Err(not_an_address(
                "it must not contain a query (`?`) or fragment (`#`)",
            ));
        }
        match uri.scheme_str() {
            Some("https") => Ok(Self(text)),
            Some("http") if is_loopback(host) => Ok(Self(text)),
            Some("http") => Err(
                "http:// would send secrets unencrypted and is accepted only for this machine: use https://"
                    .into(),
            ),
            _ => Err(not_an_address("it does not begin with https://")),
        }
    }
}

fn not_an_address(why: &str) -> String {
    format!("is not an address like https://library.example.edu/path: {why}")
}

/// Whether a host, as an address names it, is this machine.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || bare
            .parse()
            // `::ffff:127.0.0.1` is 127.0.0.1.
            .is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

/// What is wrong with a path that a shell would have to expand.
pub(super) const HOME_NOT_EXPANDED: &str = "`~` is not expanded: write the full path";

/// The path of one endpoint below a server's root; always begins with a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// A path that is known to be right.
    pub(super) fn new(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads and checks a path; its first slash may be left out.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        // The Python program's own example leaves the first slash out of one of them.
        let path = format!("/{}", text.trim().trim_start_matches('/'));
        let plain = path.len() > 1 && !path.contains("://") && !path.contains(['?', '#']);
        if !plain || path.parse::<Uri>().is_err() {
            return Err("is not a path like /pp/api/v2/auth/login".into());
        }
        Ok(Self(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<Address, String> {
        Address::read(text)
    }

    #[test]
    fn http_is_for_this_machine_only() {
        for ok in [
            "http://127.0.0.1:81/x",
            "http://localhost/x",
            "http://[::1]:8/x",
            "http://localhost.:8/x",
            "http://[::ffff:127.0.0.1]:8/x",
            "https://a.example/x",
        ] {
            assert!(address(ok).is_ok(), "{ok}");
        }
        for bad in [
            "http://a.example/x",
            "http://localhost@a.example/x",
            "http://127.0.0.1.a.example/x",
            "http://localhost.a.example",
            "http://localhost../x",
            "http://[::ffff:10.0.0.1]/x",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_whole_and_nothing_more() {
        for bad in [
            "",
            "library",
            "/path",
            "https://",
            "ftp://a.example",
            "https://u:p@a.example",
            "https://a.example/?x=1",
            "https://a.example/#x",
        ] {
            let error = address(bad).unwrap_err();
            assert!(!error.contains("u:p"), "{error}");
        }
        assert_eq!(
            address("https://a.example/x/").unwrap().as_str(),
            "https://a.example/x"
        );
    }

    #[test]
    fn an_endpoint_may_lack_its_first_slash() {
        let endpoint = Endpoint::read("pp/api/v2/visit/getDestinations").unwrap();
        assert_eq!(endpoint.as_str(), "/pp/api/v2/visit/getDestinations");
        assert!(Endpoint::read("https://a.example/pp").is_err());
        assert!(Endpoint::read("/").is_err());
    }
}
