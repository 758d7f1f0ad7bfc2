//! Plain `http` through an HTTP proxy, in the absolute form of RFC 9112 section 3.2.2.
//!
//! `ureq` tunnels everything with CONNECT, and most proxies allow that to port 443 only. Debian mirrors are often
//! plain `http`, and the caches that stand before them know the absolute form alone. So requests of that kind go to the
//! proxy as they are, with the origin put before the path. Tunnels for `https` remain `ureq`'s.

use ureq::{
    Error,
    config::Config,
    http::uri::Scheme,
    unversioned::transport::{Buffers, ConnectionDetails, Connector, DefaultConnector, Either, NextTimeout, Transport},
};

/// Connects to the proxy for plain `http`, and as `ureq` does for all else.
#[derive(Debug)]
pub(crate) struct AbsoluteFormConnector {
    inner: DefaultConnector,
    /// The agent's configuration, without its proxy: for the connection to the proxy itself.
    direct: Config,
}

impl AbsoluteFormConnector {
    pub(crate) fn new(direct: Config) -> Self {
        Self { inner: DefaultConnector::new(), direct }
    }
}

impl Connector for AbsoluteFormConnector {
    type Out = Either<Box<dyn Transport>, AbsoluteForm>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<()>) -> Result<Option<Self::Out>, Error> {
        use ureq::ProxyProtocol::{Http, Https};
        let proxy = details.config.proxy().filter(|proxy| matches!(proxy.protocol(), Http | Https));
        let Some(proxy) = proxy.filter(|_| details.uri.scheme() == Some(&Scheme::HTTP)) else {
            return Ok(self.inner.connect(details, chained)?.map(Either::A));
        };
        let to_proxy = ConnectionDetails {
            uri: proxy.uri(),
            addrs: details.resolver.resolve(proxy.uri(), &self.direct, details.timeout)?,
            config: &self.direct,
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        let origin = format!("http://{}", details.uri.authority().map_or("", |authority| authority.as_str()));
        let transport = self.inner.connect(&to_proxy, None)?;
        Ok(transport.map(|transport| Either::B(AbsoluteForm { transport, origin: origin.into_bytes() })))
    }
}

/// Puts the origin before the path of every request.
#[derive(Debug)]
pub(crate) struct AbsoluteForm {
    transport: Box<dyn Transport>,
    origin: Vec<u8>,
}

impl Transport for AbsoluteForm {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    /// Requests have no body here, and their head fits into one buffer: what is sent begins with a request line.
    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let output = self.transport.buffers().output();
        let path = output[..amount].iter().position(|byte| *byte == b' ').map_or(amount, |space| space + 1);
        let longer = amount + self.origin.len();
        if longer > output.len() {
            return Err(Error::LargeResponseHeader(longer, output.len()));
        }
        output.copy_within(path..amount, path + self.origin.len());
        output[path..path + self.origin.len()].copy_from_slice(&self.origin);
        self.transport.transmit_output(longer, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.transport.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        false
    }
}
