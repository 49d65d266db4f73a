//! The ureq agents that all services share: their timeouts, certificates, proxy and connection
//! pools.

use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;

use super::proxy::Proxy;
use super::request::RetryPolicy;
use super::resolver::TimedResolver;
use crate::config::{ConfigError, Network};

/// The agents of a run.
#[derive(Debug, Clone)]
pub struct Agents {
    direct: Pair,
    /// The proxy, and the agents that go through it.
    proxied: Option<(Proxy, Pair)>,
}

#[derive(Debug, Clone)]
struct Pair {
    /// Reuses connections.
    pooled: Agent,
    /// Opens a new connection for each request.
    unpooled: Agent,
}

/// Creates the agents.
///
/// Certificates are checked against the operating system's store, and redirects are not followed.
///
/// # Errors
/// [`ConfigError`] if the environment names a proxy that cannot be used.
pub fn agents(network: &Network) -> Result<Agents, ConfigError> {
    let pair = |proxy: Option<&Proxy>| Pair {
        pooled: agent(network, proxy, network.concurrency as usize),
        unpooled: agent(network, proxy, 0),
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

    /// The proxy that requests to this address go through, if they do.
    #[must_use]
    pub fn proxy_for(&self, address: &str) -> Option<&Proxy> {
        let address: Uri = address.parse().ok()?;
        self.proxy().filter(|proxy| proxy.applies_to(&address))
    }

    /// The agent for requests of this retry policy, through the proxy or not.
    pub(super) fn agent(&self, retry_policy: RetryPolicy, through: Option<&Proxy>) -> &Agent {
        let pair = match &self.proxied {
            Some((_, pair)) if through.is_some() => pair,
            _ => &self.direct,
        };
        match retry_policy {
            RetryPolicy::Idempotent => &pair.pooled,
            // On a connection that was used before, nobody can tell whether a server that has just
            // closed it acted, nor whether an answer is a late one to another request.
            RetryPolicy::OnlyIfNotProcessed => &pair.unpooled,
        }
    }
}

fn agent(network: &Network, proxy: Option<&Proxy>, max_idle: usize) -> Agent {
    // A limit for each step instead of one for the whole: a list that comes slowly but
    // steadily is not an outage.
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
        // Each connection has its own buffer; the default of 128 KiB adds up.
        .input_buffer_size(32 << 10)
        .max_idle_connections(3 * max_idle)
        .max_idle_connections_per_host(max_idle)
        .tls_config(
            TlsConfig::builder()
                .root_certs(RootCerts::PlatformVerifier)
                .build(),
        )
        .build();
    Agent::with_parts(config, DefaultConnector::default(), TimedResolver)
}
