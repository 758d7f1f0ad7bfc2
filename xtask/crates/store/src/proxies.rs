//! Which proxy a URL goes through, as the environment says it. Follows curl, because that is what administrators test
//! with; `ureq` itself would use one proxy for both schemes and knows no networks in `NO_PROXY`.

use std::net::IpAddr;

use crate::{
    location::Auth,
    url::{Url, redacted},
};

/// The proxies of `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`. The default uses none.
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<Setting>,
    https: Option<Setting>,
    all: Option<Setting>,
    bypass: Vec<Bypass>,
}

/// A proxy's URL and the variable that named it.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) url: String,
    pub(crate) from: String,
}

/// One entry of `no_proxy`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bypass {
    Everything,
    /// A domain and all below it, and a port if only that one is meant.
    Domain(String, Option<u16>),
    /// A network: its address, and the number of leading bits that count.
    Network(IpAddr, u8),
}

impl Setting {
    /// The credentials in the URL of an HTTP proxy, for a request that goes to the proxy itself.
    pub(crate) fn auth(&self) -> Option<Auth> {
        let url = if self.url.contains("://") { self.url.clone() } else { format!("http://{}", self.url) };
        Url::parse(&url).ok()?.1
    }
}

impl Proxies {
    /// Reads the environment of this process.
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Reads the variables from `get`. The lower-case name of each wins over the upper-case one; an empty value is
    /// none.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Self {
        let find = |name: &str| {
            [name.to_owned(), name.to_uppercase()].into_iter().find_map(|name| {
                let value = get(&name)?.trim().to_owned();
                (!value.is_empty()).then_some((name, value))
            })
        };
        let proxy = |name: &str| find(name).map(|(from, url)| Setting { url, from });
        let bypass = find("no_proxy").map(|(_, list)| list).unwrap_or_default();
        Self {
            http: proxy("http_proxy"),
            https: proxy("https_proxy"),
            all: proxy("all_proxy"),
            bypass: bypass.split([',', ' ']).filter_map(Bypass::parse).collect(),
        }
    }

    /// The proxy for `url`, or nothing to go there directly.
    pub(crate) fn for_url(&self, url: &Url) -> Option<&Setting> {
        if self.bypass.iter().any(|bypass| bypass.covers(url.host(), url.port())) {
            return None;
        }
        let own = if url.is_https() { &self.https } else { &self.http };
        own.as_ref().or(self.all.as_ref())
    }
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |setting: &Option<Setting>| setting.as_ref().map(|it| redacted(&it.url));
        f.debug_struct("Proxies")
            .field("http", &shown(&self.http))
            .field("https", &shown(&self.https))
            .field("all", &shown(&self.all))
            .field("bypass", &self.bypass)
            .finish()
    }
}

impl Bypass {
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim();
        if entry.is_empty() {
            return None;
        }
        if entry == "*" {
            return Some(Self::Everything);
        }
        if let Some((address, bits)) = entry.split_once('/') {
            let address: IpAddr = address.parse().ok()?;
            let bits = bits.parse().ok().filter(|bits| *bits <= width(address))?;
            return Some(Self::Network(address, bits));
        }
        if let Ok(address) = entry.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Some(Self::Network(address, width(address)));
        }
        let (domain, port) = match entry.rsplit_once(':') {
            Some((domain, port)) => (domain, Some(port.parse().ok()?)),
            None => (entry, None),
        };
        let domain = domain.trim_start_matches('*').trim_matches('.').trim_matches(['[', ']']);
        Some(Self::Domain(domain.to_ascii_lowercase(), port))
    }

    fn covers(&self, host: &str, port: u16) -> bool {
        match self {
            Self::Everything => true,
            Self::Domain(domain, only) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let below =
                    host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                below && only.is_none_or(|only| only == port)
            }
            Self::Network(network, bits) => {
                host.parse().is_ok_and(|address: IpAddr| leading(address, *bits) == leading(*network, *bits))
            }
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first `bits` bits of `address`, together with its family.
fn leading(address: IpAddr, bits: u8) -> (bool, u128) {
    let number = match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    (address.is_ipv4(), number.checked_shr(u32::from(width(address).saturating_sub(bits))).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy_for(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let get = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let url = Url::parse(url).unwrap().0;
        Proxies::from_variables(get).for_url(&url).map(|setting| setting.url.clone())
    }

    #[test]
    fn each_scheme_has_its_variable_in_both_cases() {
        let variables = [("HTTP_PROXY", "h"), ("https_proxy", "s"), ("HTTPS_PROXY", "S"), ("ALL_PROXY", "a")];
        assert_eq!(proxy_for(&variables, "http://x/").as_deref(), Some("h"));
        assert_eq!(proxy_for(&variables, "https://x/").as_deref(), Some("s"));
        assert_eq!(proxy_for(&variables[3..], "https://x/").as_deref(), Some("a"));
        assert_eq!(proxy_for(&[("https_proxy", " ")], "https://x/"), None);
        assert_eq!(proxy_for(&[], "https://x/"), None);
    }

    #[test]
    fn no_proxy_knows_domains_ports_addresses_and_networks() {
        let bypassed = |list: &str, url: &str| proxy_for(&[("all_proxy", "a"), ("NO_PROXY", list)], url).is_none();
        for (list, url) in [
            ("*", "http://x/"),
            ("corp.example", "http://corp.example/"),
            ("corp.example", "https://a.b.CORP.example/"),
            (".corp.example", "http://corp.example/"),
            ("*.corp.example", "http://a.corp.example/"),
            ("x, corp.example", "http://corp.example/"),
            ("x corp.example:8080", "http://corp.example:8080/"),
            ("corp.example:443", "https://corp.example/"),
            ("10.1.2.3", "http://10.1.2.3/"),
            ("10.0.0.0/8", "http://10.1.2.3/"),
            ("0.0.0.0/0", "http://10.1.2.3/"),
            ("::1", "http://[::1]/"),
            ("fd00::/8", "http://[fd12::1]:8080/"),
        ] {
            assert!(bypassed(list, url), "{list} {url}");
        }
        for (list, url) in [
            ("", "http://x/"),
            ("corp.example", "http://evilcorp.example/"),
            ("corp.example:443", "http://corp.example/"),
            ("10.0.0.0/8", "http://11.0.0.1/"),
            ("10.0.0.0/8", "http://[::a01:203]/"),
            ("10.0.0.0/33", "http://10.0.0.0/"),
            ("0.0.0.0/0", "http://x/"),
        ] {
            assert!(!bypassed(list, url), "{list} {url}");
        }
    }
}
