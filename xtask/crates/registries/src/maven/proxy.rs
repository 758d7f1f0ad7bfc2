//! Which proxy of `settings.xml` serves a host: the rules of the resolver's `DefaultProxySelector`.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{secret, settings::ProxySetting};
use crate::{
    auth::{Proxy, Secret},
    search::Search,
    url::BaseUrl,
};

/// The way to `url`: the first active proxy for its scheme, where one for `http` also serves `https`; direct if all
/// those proxies exclude the host; as the environment says if there are none.
pub(super) fn of(search: &mut Search, proxies: &[ProxySetting], url: &BaseUrl) -> Proxy {
    let serves =
        |proxy: &&ProxySetting, scheme: &str| proxy.active && !proxy.host.is_empty() && proxy.protocol == scheme;
    let schemes = if url.is_secure() { &["https", "http"][..] } else { &["http"][..] };
    let mut excluded = false;
    for scheme in schemes {
        for proxy in proxies.iter().filter(|proxy| serves(proxy, scheme)) {
            if proxy.non_proxy_hosts.split(['|', ',']).any(|pattern| excludes(pattern.trim(), url.host())) {
                excluded = true;
            } else {
                return Proxy::Through(address(search, proxy));
            }
        }
    }
    if excluded { Proxy::Direct } else { Proxy::Environment }
}

/// Whether a pattern of `nonProxyHosts` (`*` stands for anything) matches a host.
fn excludes(pattern: &str, host: &str) -> bool {
    let pattern = glob::Pattern::escape(&pattern.to_ascii_lowercase()).replace("[*]", "*");
    !pattern.is_empty() && glob::Pattern::new(&pattern).is_ok_and(|pattern| pattern.matches(host))
}

/// The proxy as a URL. Maven speaks plain HTTP to it, whatever it is for.
fn address(search: &mut Search, proxy: &ProxySetting) -> Secret {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let password = proxy.password.as_deref().and_then(|password| secret(search, password, &proxy.found_in));
    let credentials = match (&proxy.username, password) {
        (Some(user), Some(password)) => format!("{}:{}@", encode(user), encode(password.expose())),
        _ => String::new(),
    };
    Secret::new(format!("http://{credentials}{}:{}", proxy.host, proxy.port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_excluded_by_pattern() {
        for (pattern, host, expected) in [
            ("*.corp.example", "maven.corp.example", true),
            ("*.corp.example", "corp.example", false),
            ("10.*", "10.1.2.3", true),
            ("*", "any.example", true),
            ("Registry.Example", "registry.example", true),
            ("a[b]?.example", "ab1.example", false),
            ("", "registry.example", false),
        ] {
            assert_eq!(excludes(pattern, host), expected, "{pattern} {host}");
        }
    }
}
