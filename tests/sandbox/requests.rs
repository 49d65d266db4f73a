//! The requests that the services get, and what becomes of them.

use std::sync::Arc;
use std::time::Duration;

use super::http::Server;
use super::shared::lock;
use super::{Fault, ReceivedRequest, Sandbox, Service};

impl Sandbox {
    /// The requests that arrived, in their order, also those a fault made an end of.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.shared.requests()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.forget_requests();
    }

    /// How many requests arrived since the sandbox began, forgotten ones too.
    pub fn arrived(&self) -> usize {
        self.shared.arrived()
    }

    /// How many requests a service got.
    pub fn count(&self, service: Service) -> usize {
        self.count_of(service, "")
    }

    /// How many requests a service got whose path contains this.
    pub fn count_of(&self, service: Service, part: &str) -> usize {
        self.requests_to(service, part).len()
    }

    /// The requests that a service got whose path contains this.
    pub fn requests_to(&self, service: Service, part: &str) -> Vec<ReceivedRequest> {
        let mut requests = self.requests();
        requests.retain(|seen| seen.service == service && seen.path.contains(part));
        requests
    }

    /// Puts a fault in force, until [`Sandbox::clear_faults`].
    pub fn fault(&self, fault: Fault) {
        self.shared.add_fault(fault);
    }

    /// From now on all is well. Services that were stopped with [`Sandbox::stop`] stay so.
    pub fn clear_faults(&self) {
        self.shared.clear_faults();
        lock(&self.servers).iter_mut().for_each(Server::end_fault);
    }

    /// From now on each answer comes so late.
    pub fn latency(&self, latency: Duration) {
        self.shared.set_latency(latency);
    }

    /// Calls back once, at the first request that a fault of this kind would take (`Fault::at(3)` is the third from
    /// now): as soon as it has arrived, or else when it has been acted upon and is about to be answered. The request
    /// waits until the callback returns.
    pub fn on_request(
        &self,
        request: Fault,
        before: bool,
        callback: impl FnOnce() + Send + 'static,
    ) {
        self.shared.call_back(request, before, Box::new(callback));
    }

    /// Calls nobody back who is still waiting for a request.
    pub fn forget_callbacks(&self) {
        self.shared.forget_callbacks();
    }

    /// Closes a service's port: connections to it are refused, and those that are open are cut.
    pub fn stop(&self, service: Service) {
        self.with_server(service, Server::stop);
    }

    /// From the n-th request from now on (the first is 1), connections to any service are refused, until
    /// [`Sandbox::clear_faults`]. What was sent before is answered, each answer ending its connection.
    pub fn refuse_from(&self, n: usize) {
        self.fault(Fault::any().header("Connection", "close"));
        let servers = Arc::clone(&self.servers);
        let close = move || lock(&servers).iter_mut().for_each(Server::begin_fault);
        if n == 1 {
            close();
        } else {
            self.on_request(Fault::at(n - 1), true, close);
        }
    }

    /// Opens the port of a stopped service again.
    pub fn start(&self, service: Service) {
        self.with_server(service, Server::start);
    }

    /// The root of a service's addresses, without a slash at the end.
    pub fn url(&self, service: Service) -> String {
        self.with_server(service, |server| server.url())
    }

    fn with_server<T>(&self, service: Service, act: impl FnOnce(&mut Server) -> T) -> T {
        act(&mut lock(&self.servers)[service as usize])
    }
}
