//! Host names, looked up once for many requests.
//!
//! `ureq` looks a name up for every request, also where the connection is there already. Some name servers drop questions
//! that come in a burst, and the C library waits five seconds before it repeats one: a thousand small requests then take
//! minutes, of which the registry needs seconds.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ureq::{
    Error,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

/// How long an answer counts. Registries with a network of their own move names about within minutes.
const KEPT: Duration = Duration::from_secs(30);

/// What is known of a name; locked by who looks it up.
type Known = Arc<Mutex<Option<(Instant, Vec<SocketAddr>)>>>;

/// A resolver that asks once for each name and lets all others wait for the answer.
#[derive(Debug, Default)]
pub(crate) struct Names<R = DefaultResolver> {
    inner: R,
    known: Mutex<BTreeMap<String, Known>>,
}

impl<R: Resolver> Resolver for Names<R> {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority());
        let name = format!("{scheme}://{}", authority.map_or("", |authority| authority.as_str()));
        let known = Arc::clone(self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default());
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let addresses = match &*known {
            Some((since, addresses)) if since.elapsed() < KEPT => addresses,
            // What fails is asked again by the next one who needs it.
            _ => &known.insert((Instant::now(), self.inner.resolve(uri, config, timeout)?.to_vec())).1,
        };
        let mut result = self.empty();
        addresses.iter().for_each(|&address| result.push(address));
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    use super::*;

    /// Fails the first time, and counts.
    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    impl Resolver for Counting {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
            if self.0.fetch_add(1, Ordering::SeqCst) == 0 {
                return Err(Error::HostNotFound);
            }
            let mut found = self.empty();
            found.push("192.0.2.1:80".parse().unwrap());
            Ok(found)
        }
    }

    #[test]
    fn a_name_is_looked_up_once_and_a_failure_is_not_remembered() {
        let names = Names::<Counting>::default();
        let resolve = |uri: &str| {
            let (uri, config) = (uri.parse().unwrap(), Config::default());
            names.resolve(&uri, &config, NextTimeout::default()).map(|found| found.to_vec())
        };
        assert!(matches!(resolve("http://a.example/x"), Err(Error::HostNotFound)));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(resolve("http://a.example/y").unwrap(), ["192.0.2.1:80".parse().unwrap()]));
            }
        });
        assert_eq!(names.inner.0.load(Ordering::SeqCst), 2);
        resolve("http://b.example/").unwrap();
        resolve("https://a.example/").unwrap();
        assert_eq!(names.inner.0.load(Ordering::SeqCst), 4);
    }
}
