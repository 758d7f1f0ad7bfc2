//! One `ureq` agent for each proxy: connections are pooled, certificates are read once and only when `https` is used.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use ureq::{
    Agent, Proxy,
    config::{AutoHeaderValue, Config},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
    unversioned::resolver::DefaultResolver,
};

use crate::{absolute_form::AbsoluteFormConnector, error::HttpError, names::Names, proxies::Setting, url::redacted};

type Roots = Arc<Vec<Certificate<'static>>>;

/// The agents in use, by proxy and by whether they can do TLS.
pub(crate) struct Agents {
    user_agent: String,
    connect_timeout: Duration,
    stall_timeout: Duration,
    extra: Vec<Certificate<'static>>,
    roots: OnceLock<Result<Roots, HttpError>>,
    agents: Mutex<BTreeMap<(Option<String>, bool), Agent>>,
}

impl Agents {
    pub(crate) fn new(
        user_agent: String,
        connect_timeout: Duration,
        stall_timeout: Duration,
        extra_ca: &[Vec<u8>],
    ) -> Result<Self, HttpError> {
        let mut extra = Vec::new();
        for pem in extra_ca {
            extra.extend(certificates_in(pem)?);
        }
        let agents = Mutex::default();
        Ok(Self { user_agent, connect_timeout, stall_timeout, extra, roots: OnceLock::new(), agents })
    }

    /// The agent that goes through `proxy`.
    pub(crate) fn agent(&self, proxy: Option<&Setting>, https: bool) -> Result<Agent, HttpError> {
        let tls = https || proxy.is_some_and(|proxy| proxy.url.starts_with("https:"));
        let key = (proxy.map(|proxy| proxy.url.clone()), tls);
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(&key) {
            return Ok(agent.clone());
        }
        let roots = if tls { Some(self.roots()?) } else { None };
        let proxy = proxy.map(parse_proxy).transpose()?;
        let direct = self.config(roots.clone(), None);
        let connector = AbsoluteFormConnector::new(direct);
        let agent = Agent::with_parts(self.config(roots, proxy), connector, Names::<DefaultResolver>::default());
        agents.insert(key, agent.clone());
        Ok(agent)
    }

    /// Ends every connection, in whatever thread it is used. Later requests make new ones.
    pub(crate) fn disconnect(&self) {
        let agents = std::mem::take(&mut *self.agents.lock().unwrap_or_else(PoisonError::into_inner));
        agents.into_values().for_each(Agent::shutdown);
    }

    /// The certificates of the authorities that are trusted, as DER.
    pub(crate) fn authorities(&self) -> Result<Vec<Vec<u8>>, HttpError> {
        Ok(self.roots()?.iter().map(|certificate| certificate.der().to_vec()).collect())
    }

    fn config(&self, roots: Option<Roots>, proxy: Option<Proxy>) -> Config {
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::Specific(roots.unwrap_or_default()))
            .build();
        Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections_per_host(16)
            .max_idle_connections(32)
            .user_agent(self.user_agent.as_str())
            // An encoded body would have another digest than the file.
            .accept_encoding(AutoHeaderValue::Provided(Arc::new("identity".to_owned())))
            .timeout_resolve(Some(self.connect_timeout))
            .timeout_connect(Some(self.connect_timeout))
            .timeout_per_read(Some(self.stall_timeout))
            .timeout_per_write(Some(self.stall_timeout))
            .tls_config(tls)
            .proxy(proxy)
            .build()
    }

    fn roots(&self) -> Result<Roots, HttpError> {
        self.roots
            .get_or_init(|| {
                let system = rustls_native_certs::load_native_certs();
                let mut roots: Vec<_> = system.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
                roots.extend(self.extra.iter().cloned());
                if roots.is_empty() {
                    let reason = system.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
                    return Err(HttpError::NoAuthorities { reason });
                }
                Ok(Arc::new(roots))
            })
            .clone()
    }
}

fn parse_proxy(setting: &Setting) -> Result<Proxy, HttpError> {
    Proxy::new(&setting.url).map_err(|error| HttpError::BadProxy {
        proxy: redacted(&setting.url),
        from: setting.from.clone(),
        reason: error.to_string(),
    })
}

fn certificates_in(pem: &[u8]) -> Result<Vec<Certificate<'static>>, HttpError> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(HttpError::BadAuthority { reason: error.to_string() }),
        }
    }
    if certificates.is_empty() {
        let reason = "it holds no `-----BEGIN CERTIFICATE-----`; convert it to PEM".to_owned();
        return Err(HttpError::BadAuthority { reason });
    }
    Ok(certificates)
}
