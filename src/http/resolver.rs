//! A DNS resolver with a timeout.
//!
//! ureq's own resolver does the same, but panics if the system cannot start another thread.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// The most addresses of one host: what ureq has room for.
const MAX_ADDRESSES: usize = 16;

/// Asks the system in a thread of its own, and gives up when the time is over.
#[derive(Debug)]
pub(super) struct TimedResolver;

impl Resolver for TimedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(Error::BadUri(uri.to_string()));
        };
        let host = DefaultResolver::host_and_port(scheme, authority)
            .ok_or_else(|| Error::BadUri(uri.to_string()))?;
        let found = look_up(&host, timeout)?;
        let mut addresses = self.empty();
        for address in config
            .ip_family()
            .keep_wanted(found.into_iter())
            .take(MAX_ADDRESSES)
        {
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(Error::HostNotFound);
        }
        Ok(addresses)
    }
}

fn look_up(host: &str, timeout: NextTimeout) -> Result<Vec<SocketAddr>, Error> {
    // An address needs no look-up, and so no thread.
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let (send, receive) = sync_channel(1);
    let ask = {
        let host = host.to_owned();
        // The caller may have given up.
        move || drop(send.send(resolved(&host)))
    };
    if thread::Builder::new().spawn(ask).is_err() {
        // Without another thread there is no timeout but the system's own.
        return Ok(resolved(host)?);
    }
    match receive.recv_timeout(*timeout.after) {
        Ok(found) => Ok(found?),
        Err(RecvTimeoutError::Timeout) => Err(Error::Timeout(timeout.reason)),
        Err(RecvTimeoutError::Disconnected) => Err(Error::HostNotFound),
    }
}

fn resolved(host: &str) -> io::Result<Vec<SocketAddr>> {
    host.to_socket_addrs().map(Iterator::collect)
}
