//! Where one file may be had: an address, and what must be said to be let in. Holds secrets, so it never shows them.

use std::fmt;

use crate::url::redacted;

/// One place from which a file may be had.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Location {
    /// An `http` or `https` URL. `user:password@` before the host means Basic authentication, unless `auth` is set.
    pub url: String,
    /// What is sent as `Authorization` to this URL's origin, and to no other that it redirects to.
    pub auth: Option<Auth>,
    /// How to get there.
    pub route: Route,
    /// Further headers for this URL's origin, such as `Accept`.
    pub headers: Vec<(String, String)>,
}

/// How a connection leaves this machine.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Route {
    /// As the environment says.
    #[default]
    Environment,
    /// Without a proxy, whatever the environment says.
    Direct,
    /// Through this proxy: `http://`, `https://`, `socks5://` and so on, with percent-encoded `user:password@` if it
    /// wants them.
    Proxy(String),
}

/// What is sent as `Authorization`.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    /// User and password, in clear text (RFC 7617).
    Basic {
        /// The user, without a colon.
        user: String,
        /// The password.
        password: String,
    },
    /// A token (RFC 6750).
    Bearer(String),
}

impl Location {
    /// A location that needs nothing but its URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.url))
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Location")
            .field("url", &redacted(&self.url))
            .field("auth", &self.auth)
            .field("route", &self.route)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Route::Environment => f.write_str("Environment"),
            Route::Direct => f.write_str("Direct"),
            Route::Proxy(url) => write!(f, "Proxy({})", redacted(url)),
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Auth::Basic { .. } => f.write_str("Basic(***)"),
            Auth::Bearer(_) => f.write_str("Bearer(***)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let location = Location {
            url: "https://me:hunter2@registry.example/a?sig=hunter2".to_owned(),
            auth: Some(Auth::Basic { user: "me".to_owned(), password: "hunter2".to_owned() }),
            route: Route::Proxy("http://me:hunter2@proxy.example:3128".to_owned()),
            headers: vec![("X-Api-Key".to_owned(), "hunter2".to_owned())],
        };
        for text in [format!("{location:?}"), location.to_string(), format!("{:?}", Auth::Bearer("hunter2".to_owned()))]
        {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
