//! Addresses of registries: parsed once, credentials taken out of them.
//!
//! Nothing here opens a connection.

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::auth::{Auth, Secret};

/// Where a registry is: `http` or `https`, a host, perhaps a port and a path. It holds no credentials and does not end
/// in a slash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BaseUrl {
    text: String,
    host: String,
    port: Option<u16>,
    secure: bool,
}

/// An address that no registry can have. The text shown is without its credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` cannot be the address of a registry: {problem}")]
pub struct UrlError {
    url: String,
    problem: String,
}

impl BaseUrl {
    /// Parses an address and separates the credentials before its host (`https://user:password@host/path`); both parts
    /// of those may be percent-encoded.
    ///
    /// # Errors
    /// The scheme is neither `http` nor `https`, there is no host, there is a query or a fragment, or a character that
    /// has to be percent-encoded.
    pub fn parse(text: &str) -> Result<(Self, Option<Auth>), UrlError> {
        let text = text.trim();
        let error = |problem: &str| UrlError { url: without_credentials(text), problem: problem.to_owned() };
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(error("expected https://HOST/PATH"));
        };
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(error("expected the scheme https or http; serve the folder over HTTP if it is a local mirror"));
        }
        if rest.contains(['?', '#']) {
            return Err(error("expected neither query nor fragment (percent-encode `?` and `#` in a password)"));
        }
        let uri: http::Uri = text.parse().map_err(|_| {
            error("expected a host and only characters that may stand in a URL (percent-encode those of a password)")
        })?;
        let authority = uri.authority().ok_or_else(|| error("expected a host"))?;
        let (userinfo, place) = match authority.as_str().rsplit_once('@') {
            Some((userinfo, place)) => (Some(userinfo), place),
            None => (None, authority.as_str()),
        };
        if authority.host().is_empty() {
            return Err(error("expected a host"));
        }
        if place.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']')) && authority.port_u16().is_none() {
            return Err(error("expected a port between 0 and 65535"));
        }
        let url = Self {
            text: format!("{scheme}://{}{}", place.to_ascii_lowercase(), uri.path().trim_end_matches('/')),
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16(),
            secure: scheme == "https",
        };
        Ok((url, userinfo.and_then(auth_of_userinfo)))
    }

    /// The address without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, in lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, where the address names one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The path: empty, or a slash and what follows it.
    pub fn path(&self) -> &str {
        let authority = self.text.find("://").map_or(0, |at| at + 3);
        self.text[authority..].find('/').map_or("", |at| &self.text[authority + at..])
    }

    /// Whether the connection is encrypted.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The scheme: `https` or `http`.
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Whether the host is this machine itself.
    pub fn is_local(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "[::1]")
    }

    /// The address whose path goes on with `suffix`.
    pub(crate) fn with_suffix(&self, suffix: &str) -> Self {
        Self { text: format!("{}{suffix}", self.text), ..self.clone() }
    }

    /// The address of something below this one; `path` is relative.
    pub fn join(&self, path: &str) -> String {
        format!("{}/{}", self.text, path.trim_start_matches('/'))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// The credentials before the `@` of a URL; none where the user is empty (`https://@host`).
fn auth_of_userinfo(userinfo: &str) -> Option<Auth> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    (!userinfo.is_empty()).then(|| Auth::Basic { user: decode(user), password: Secret::new(decode(password)) })
}

/// `text` with all between `://` and the last `@` replaced, for messages: even where the URL is malformed, no password
/// gets through.
pub(crate) fn without_credentials(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    match text.rfind('@') {
        Some(end) if end >= start => format!("{}***{}", &text[..start], &text[end..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> BaseUrl {
        BaseUrl::parse(text).unwrap().0
    }

    #[test]
    fn addresses_are_normalised() {
        let url = url(" HTTPS://Registry.Example:8443/Simple// ");
        assert_eq!(url.as_str(), "https://registry.example:8443/Simple");
        assert_eq!((url.host(), url.port(), url.path()), ("registry.example", Some(8443), "/Simple"));
        assert_eq!(url.join("/numpy/"), "https://registry.example:8443/Simple/numpy/");
        assert_eq!(super::BaseUrl::parse("http://[::1]:8080/").unwrap().0.as_str(), "http://[::1]:8080");
        assert_eq!(super::BaseUrl::parse("http://[::1]").unwrap().0.path(), "");
    }

    #[test]
    fn credentials_are_taken_out_and_decoded() {
        let (url, auth) = BaseUrl::parse("https://ann%40corp:p%3Aw%2F@registry.example/x").unwrap();
        assert_eq!(url.as_str(), "https://registry.example/x");
        assert_eq!(auth, Some(Auth::Basic { user: "ann@corp".to_owned(), password: Secret::new("p:w/") }));
        assert_eq!(BaseUrl::parse("https://@registry.example/x").unwrap().1, None);
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_its_password() {
        for text in [
            "",
            "registry.example",
            "ftp://ann:secret@registry.example",
            "file:///srv/mirror",
            "https://",
            "https:///path",
            "https://ann:secret@",
            "https://ann:secret@registry.example:port/",
            "https://ann:secret@registry.example:99999/",
            "https://ann:secret@registry.example/?x=1",
            "https://ann:secret#1@registry.example/",
            "https://ann:se cret@registry.example/",
            "https://ann:secret/1@registry.example/",
            "ann:secret@registry.example",
        ] {
            let error = BaseUrl::parse(text).expect_err(text).to_string();
            assert!(!error.contains("secret") && error.contains("expected"), "{error}");
        }
    }
}
