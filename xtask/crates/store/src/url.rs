//! The little of URLs that a download needs: user information, origins, and references (RFC 3986 section 5.2).
//!
//! `ureq` brings `http::Uri`, which parses; the `url` crate would bring Unicode tables for host names that no registry
//! has, and their build time.

use ureq::http::{Uri, uri::Scheme};

use crate::{error::HttpError, location::Auth};

/// An absolute `http` or `https` URL without user information.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url(Uri);

impl Url {
    /// Splits `text` into the URL and its user information, percent-decoded.
    pub(crate) fn parse(text: &str) -> Result<(Self, Option<Auth>), HttpError> {
        let bad = |reason: &str| HttpError::BadUrl { url: redacted(text), reason: reason.to_owned() };
        let (bare, userinfo) = split_userinfo(text);
        let uri: Uri = escape_spaces(&bare).parse().map_err(|error| bad(&format!("{error}")))?;
        if uri.scheme() != Some(&Scheme::HTTP) && uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(bad("it must begin with http:// or https://"));
        }
        if uri.host().is_none_or(str::is_empty) {
            return Err(bad("it names no host"));
        }
        let auth = userinfo.map(|userinfo| {
            let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
            Auth::Basic { user: percent_decoded(user), password: percent_decoded(password) }
        });
        Ok((Self(uri), auth))
    }

    /// The URL that `reference` means when it stands in a document or a `Location` header of this URL.
    pub(crate) fn join(&self, reference: &str) -> Result<Self, HttpError> {
        let reference = reference.split('#').next().unwrap_or_default();
        let scheme = self.0.scheme_str().unwrap_or_default();
        let origin = self.origin();
        let path = self.0.path();
        let target = if has_scheme(reference) {
            reference.to_owned()
        } else if reference.starts_with("//") {
            format!("{scheme}:{reference}")
        } else if reference.is_empty() {
            return Ok(self.clone());
        } else if reference.starts_with('?') {
            format!("{origin}{path}{reference}")
        } else {
            let (ref_path, query) = match reference.find('?') {
                Some(at) => reference.split_at(at),
                None => (reference, ""),
            };
            let merged = if ref_path.starts_with('/') {
                ref_path.to_owned()
            } else {
                format!("{}/{ref_path}", path.rsplit_once('/').map_or("", |(folder, _)| folder))
            };
            format!("{origin}{}{query}", without_dot_segments(&merged))
        };
        Self::parse(&target).map(|(url, _)| url)
    }

    /// The URL as `ureq` takes it.
    pub(crate) fn uri(&self) -> &Uri {
        &self.0
    }

    /// The URL in full, with its query: not for messages.
    pub(crate) fn as_text(&self) -> String {
        self.0.to_string()
    }

    /// The URL for messages.
    pub(crate) fn shown(&self) -> String {
        redacted(&self.0.to_string())
    }

    /// Whether it is `https`.
    pub(crate) fn is_https(&self) -> bool {
        self.0.scheme() == Some(&Scheme::HTTPS)
    }

    /// Host name or address; an IPv6 address without brackets.
    pub(crate) fn host(&self) -> &str {
        self.0.host().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// The port, given or implied.
    pub(crate) fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// Scheme, host and given port, as the URL writes them.
    pub(crate) fn origin(&self) -> String {
        let authority = self.0.authority().map_or("", |authority| authority.as_str());
        format!("{}://{authority}", self.0.scheme_str().unwrap_or_default())
    }

    /// Whether both have scheme, host and port in common (RFC 6454): what one may know, the other may.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.is_https() == other.is_https()
            && self.host().eq_ignore_ascii_case(other.host())
            && self.port() == other.port()
    }
}

/// The absolute URL that `reference` means in a document that came from `base`. User information of `base` is not
/// handed on.
///
/// # Errors
/// `base` is no absolute `http` or `https` URL, or the result is none.
pub fn join(base: &str, reference: &str) -> Result<String, HttpError> {
    Ok(Url::parse(base)?.0.join(reference)?.as_text())
}

/// Whether both URLs have scheme, host and port in common: what one server may know, the other may. Texts that are no
/// URLs have nothing in common.
pub fn same_origin(one: &str, other: &str) -> bool {
    matches!((Url::parse(one), Url::parse(other)), (Ok((one, _)), Ok((other, _))) if one.same_origin(&other))
}

/// `url` as it may be shown: user information and query are the places where URLs carry secrets, so the first is left
/// out, and of the second only is said that there is one.
pub fn redacted(url: &str) -> String {
    let (mut shown, _) = split_userinfo(url);
    if let Some(query) = shown.find('?') {
        shown.truncate(query);
        shown.push_str("?…");
    }
    shown
}

/// `url` without its user information, and that information.
fn split_userinfo(url: &str) -> (String, Option<&str>) {
    let start = url.find("://").map_or(0, |at| at + 3);
    let rest = &url[start..];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => (format!("{}{}", &url[..start], &rest[at + 1..]), Some(&rest[..at])),
        None => (url.to_owned(), None),
    }
}

/// Servers put bare spaces into `Location`; browsers send them escaped.
fn escape_spaces(url: &str) -> String {
    url.trim().replace(' ', "%20")
}

fn has_scheme(reference: &str) -> bool {
    let Some((scheme, _)) = reference.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// RFC 3986 section 5.2.4, for a path that begins with `/`.
fn without_dot_segments(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    segments.pop();
                }
                if last {
                    segments.push("");
                }
            }
            part => segments.push(part),
        }
    }
    format!("/{}", segments.join("/"))
}

/// `%41` becomes `A`; what is no escape stays, and so does the whole text when it would be no UTF-8.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_as_rfc_3986_says() {
        // The normal and abnormal examples of section 5.4 that have a path or a query.
        let base = "http://a/b/c/d;p?q";
        for (reference, expected) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g#s", "http://a/b/c/g"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("./../g", "http://a/b/g"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("https://h/x", "https://h/x"),
            ("a b", "http://a/b/c/a%20b"),
        ] {
            assert_eq!(join(base, reference).unwrap(), expected, "{reference}");
        }
    }

    #[test]
    fn user_information_is_split_off_and_decoded() {
        let (url, auth) = Url::parse("https://me%40corp:p%3Aq@registry.example:8443/simple/").unwrap();
        assert_eq!(url.as_text(), "https://registry.example:8443/simple/");
        assert_eq!(auth, Some(Auth::Basic { user: "me@corp".to_owned(), password: "p:q".to_owned() }));
        assert_eq!((url.host(), url.port()), ("registry.example", 8443));
        assert_eq!(Url::parse("http://[::1]/a").unwrap().0.host(), "::1");
    }

    #[test]
    fn what_is_no_http_url_is_refused_without_showing_its_secret() {
        for text in ["ftp://u:hunter2@h/x", "registry.example/x", "http://", "", "https://u:hunter2@/x", "/etc/passwd"]
        {
            let error = Url::parse(text).err().unwrap_or_else(|| panic!("`{text}` was taken"));
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn origins_differ_by_scheme_host_and_port() {
        let origin = |text| Url::parse(text).unwrap().0;
        assert!(origin("https://A.example/x").same_origin(&origin("https://a.example:443/y")));
        for other in ["http://a.example/x", "https://b.example/x", "https://a.example:444/x"] {
            assert!(!origin("https://a.example/x").same_origin(&origin(other)), "{other}");
        }
    }
}
