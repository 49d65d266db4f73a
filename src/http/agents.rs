//! The agents that all services share: their time-outs, certificates and proxy, and the
//! connections that some of them keep.

use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;

use super::proxy::Proxy;
use super::request::Repeat;
use super::resolve::TimedResolver;
use crate::config::{Network, Wrong};

/// The agents of a run.
#[derive(Debug, Clone)]
pub struct Agents {
    direct: Pair,
    /// The proxy, and the agents that go through it.
    proxied: Option<(Proxy, Pair)>,
}

#[derive(Debug, Clone)]
struct Pair {
    /// Uses a connection as long as it lasts.
    keeping: Agent,
    /// Makes a connection of its own for each request.
    fresh: Agent,
}

/// Makes the agents.
///
/// Certificates are checked against the operating system's store, and redirects are not followed.
///
/// # Errors
/// [`Wrong`] if the environment names a proxy that cannot be used.
pub fn agents(network: &Network) -> Result<Agents, Wrong> {
    let pair = |proxy: Option<&Proxy>| Pair {
        keeping: agent(network, proxy, network.concurrency as usize),
        fresh: agent(network, proxy, 0),
    };
    let proxy = Proxy::from_env()?;
    Ok(Agents {
        direct: pair(None),
        proxied: proxy.map(|proxy| (proxy.clone(), pair(Some(&proxy)))),
    })
}

impl Agents {
    /// The proxy that is in use, if there is one.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxied.as_ref().map(|(proxy, _)| proxy)
    }

    /// The proxy through which that address is asked, if it is.
    #[must_use]
    pub fn proxy_for(&self, address: &str) -> Option<&Proxy> {
        let address: Uri = address.parse().ok()?;
        self.proxy().filter(|proxy| proxy.serves(&address))
    }

    /// The agent for such a request, through the proxy or not.
    pub(super) fn agent(&self, repeat: Repeat, through: Option<&Proxy>) -> &Agent {
        let pair = match &self.proxied {
            Some((_, pair)) if through.is_some() => pair,
            _ => &self.direct,
        };
        match repeat {
            Repeat::Safe => &pair.keeping,
            // On a connection that was used before, nobody can tell whether a server that has just
            // closed it acted, nor whether an answer is a late one to another request.
            Repeat::OnlyIfNotProcessed => &pair.fresh,
        }
    }
}

fn agent(network: &Network, proxy: Option<&Proxy>, kept_connections: usize) -> Agent {
    // One limit for each step instead of one for the whole: a list that comes slowly but
    // steadily is no outage.
    let limit = Some(Duration::from_secs(network.timeout_seconds.into()));
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("libcal-pp/", env!("CARGO_PKG_VERSION")))
        .proxy(proxy.map(Proxy::as_ureq))
        .timeout_resolve(limit)
        .timeout_connect(limit)
        .timeout_send_request(limit)
        .timeout_send_body(limit)
        .timeout_recv_response(limit)
        .timeout_recv_body(limit)
        // Each connection has its own; the default of 128 KiB adds up.
        .input_buffer_size(32 << 10)
        .max_idle_connections(3 * kept_connections)
        .max_idle_connections_per_host(kept_connections)
        .tls_config(
            TlsConfig::builder()
                .root_certs(RootCerts::PlatformVerifier)
                .build(),
        )
        .build();
    Agent::with_parts(config, DefaultConnector::default(), TimedResolver)
}
