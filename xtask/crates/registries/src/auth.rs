//! Credentials and proxies. Nothing here can be printed by accident.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::url::without_credentials;

/// A password or token. `Debug` shows three stars, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the request that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a request has to carry so that the registry answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The user's name; without a colon, as the RFC has it.
        user: String,
        /// The password or the token that stands for it.
        password: Secret,
    },
    /// A bearer token (RFC 6750).
    Bearer(Secret),
    /// Any other header, as Maven's `httpHeaders` allow: `Job-Token`, `X-API-Key`.
    Header {
        /// The header's name.
        name: String,
        /// The header's value.
        value: Secret,
    },
}

impl Auth {
    /// The name and the value of the header to send. It must not follow a redirect to another host.
    pub fn header(&self) -> (&str, Secret) {
        match self {
            Self::Basic { user, password } => {
                let encoded = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
                ("Authorization", Secret::new(format!("Basic {encoded}")))
            }
            Self::Bearer(token) => ("Authorization", Secret::new(format!("Bearer {}", token.expose()))),
            Self::Header { name, value } => (name, value.clone()),
        }
    }
}

/// How the connections to a registry leave this machine.
#[derive(Clone, PartialEq, Eq)]
pub enum Proxy {
    /// As `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    Environment,
    /// Directly, whatever the environment says: the client's configuration excludes this host.
    Direct,
    /// Through this proxy: a URL that may hold credentials.
    Through(Secret),
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::Direct => f.write_str("Direct"),
            Self::Through(url) => write!(f, "Through({})", without_credentials(url.expose())),
        }
    }
}

/// For people: never the credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("as the environment says"),
            Self::Direct => f.write_str("none"),
            Self::Through(url) => f.write_str(&without_credentials(url.expose())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_those_of_the_rfcs() {
        // The example of RFC 7617, section 2.
        let basic = Auth::Basic { user: "Aladdin".to_owned(), password: Secret::new("open sesame") };
        let (name, value) = basic.header();
        assert_eq!((name, value.expose()), ("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert_eq!(Auth::Bearer(Secret::new("t")).header().1.expose(), "Bearer t");
        let header = Auth::Header { name: "Job-Token".to_owned(), value: Secret::new("t") };
        assert_eq!(header.header().0, "Job-Token");
    }

    #[test]
    fn secrets_are_not_printed() {
        let proxy = Proxy::Through(Secret::new("http://ann:hidden@proxy.example:3128"));
        let auth = Auth::Basic { user: "ann".to_owned(), password: Secret::new("hidden") };
        let shown = format!("{proxy} {proxy:?} {auth:?} {:?}", auth.header());
        assert!(!shown.contains("hidden"), "{shown}");
        assert!(shown.contains("proxy.example:3128"), "{shown}");
    }
}
