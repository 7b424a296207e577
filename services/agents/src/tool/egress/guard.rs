//! Who may be asked: checked in the address, and again in what a name leads to.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

use super::address::is_open;

/// Finds the addresses of a name.
pub(in crate::tool) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Stands between names and connections.
pub(in crate::tool) struct Guard {
    allowed: Arc<Vec<IpNet>>,
    lookup: Lookup,
}

/// A name that leads to no address that may be reached.
#[derive(Debug, thiserror::Error)]
#[error("tools may not reach {0}: it is neither on the public internet nor in a network that [egress] allows")]
struct Forbidden(String);

impl Guard {
    /// With the machine's own lookup of names.
    pub(in crate::tool) fn new(allowed: Vec<IpNet>) -> Self {
        let lookup = |name: String| {
            let found =
                async move { tokio::net::lookup_host((name, 0)).await.map(|all| all.map(|a| a.ip()).collect()) };
            found.boxed()
        };
        Self::with_lookup(allowed, Arc::new(lookup))
    }

    pub(in crate::tool) fn with_lookup(allowed: Vec<IpNet>, lookup: Lookup) -> Self {
        Self { allowed: Arc::new(allowed), lookup }
    }

    /// Whether this address may be asked, as far as it can be seen without looking up a name.
    ///
    /// # Errors
    /// It may not; in words for a model.
    pub(super) fn check(&self, url: &Url) -> Result<(), String> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("tools ask by http and https only, not by {}", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address must not hold a user or a password".into());
        }
        // Odd spellings of numbers are IPv4 addresses by now: whoever parsed the address saw to that.
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err("the address has no host".into()),
        };
        match is_open(address, &self.allowed) {
            true => Ok(()),
            false => Err(Forbidden(address.to_string()).to_string()),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (allowed, lookup) = (self.allowed.clone(), self.lookup.clone());
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let found = match is_localhost(&name) {
                true => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
                false => lookup(name.clone()).await?,
            };
            let open: Vec<SocketAddr> =
                found.into_iter().filter(|ip| is_open(*ip, &allowed)).map(|ip| SocketAddr::new(ip, 0)).collect();
            match open.is_empty() {
                true => Err(Forbidden(name).into()),
                false => Ok(Box::new(open.into_iter()) as Addrs),
            }
        })
    }
}

/// RFC 6761: these names are this machine, whatever a server says about them.
fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// What the guard said, where it is the reason.
pub(super) fn forbidden(error: &reqwest::Error) -> Option<String> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(forbidden) = error.downcast_ref::<Forbidden>() {
            return Some(forbidden.to_string());
        }
        source = error.source();
    }
    None
}
