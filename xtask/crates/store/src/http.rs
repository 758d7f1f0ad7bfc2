//! Requests: proxies, redirects, credentials and retries. Writes no file; the only opener of sockets.

use std::{
    collections::BTreeSet,
    fmt,
    io::Read as _,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ureq::{
    Body, SendBody,
    http::{HeaderMap, Method, Request, header},
};

use crate::{
    agents::Agents,
    error::{HttpError, is_transient_status},
    location::{Auth, Location, Route},
    proxies::{Proxies, Setting},
    retry::{self, Retry},
    url::{Url, redacted},
};

/// More hops than this lead nowhere; ten is what `ureq` and most clients allow.
const MAX_REDIRECTS: usize = 10;

/// What a client needs to know of this machine.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Certificate authorities to trust besides the system's (or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`): the
    /// contents of PEM files.
    pub extra_ca: Vec<Vec<u8>>,
    /// What is sent as `User-Agent`.
    pub user_agent: String,
    /// How long the name look-up, and then the connection, may take.
    pub connect_timeout: Duration,
    /// How long a server may stay silent, before the answer or within it.
    pub stall_timeout: Duration,
    /// How often to repeat what failed for a transient reason.
    pub retry: Retry,
    /// The proxies of the environment; a location's own proxy goes before them.
    pub proxies: Proxies,
    /// Whether every request is refused before a socket is opened.
    pub offline: bool,
    /// Once it is set, waits between attempts end and no request is begun. What is being read goes on until
    /// [`Http::disconnect`], which [`fetch`](crate::fetch) calls by itself.
    pub cancel: Arc<AtomicBool>,
}

impl Default for HttpOptions {
    /// The proxies of this process's environment, and times that suit a slow line.
    fn default() -> Self {
        Self {
            extra_ca: Vec::new(),
            user_agent: concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(20),
            stall_timeout: Duration::from_secs(30),
            retry: Retry::default(),
            proxies: Proxies::from_env(),
            offline: false,
            cancel: Arc::default(),
        }
    }
}

/// An HTTP client. Shared by all threads.
pub struct Http {
    agents: Agents,
    retry: Retry,
    proxies: Proxies,
    offline: bool,
    cancel: Arc<AtomicBool>,
}

/// A small file, whole in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Small {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The URL that gave it, after redirects: the base of the references in it. It may hold a secret query.
    pub url: String,
    /// The media type, as sent.
    pub content_type: Option<String>,
}

/// What a server says of a file without sending it.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    /// The URL that answered, after redirects. It may hold a secret query.
    pub url: String,
    /// The size in bytes.
    pub size: Option<u64>,
    /// The media type, as sent.
    pub content_type: Option<String>,
}

/// An answer whose body has not been read.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) url: Url,
}

impl Http {
    /// A client. Opens nothing yet; the system's certificates are read with the first `https` request.
    ///
    /// # Errors
    /// A PEM text in `extra_ca` cannot be read.
    pub fn new(options: HttpOptions) -> Result<Self, HttpError> {
        let HttpOptions { extra_ca, user_agent, connect_timeout, stall_timeout, retry, proxies, offline, cancel } =
            options;
        let agents = Agents::new(user_agent, connect_timeout, stall_timeout, &extra_ca)?;
        Ok(Self { agents, retry, proxies, offline, cancel })
    }

    /// The certificates of the authorities that this trusts, as DER: for programs that are started to fetch by themselves.
    ///
    /// # Errors
    /// The system's certificates cannot be read.
    pub fn authorities(&self) -> Result<Vec<Vec<u8>>, HttpError> {
        self.agents.authorities()
    }

    /// The proxy that a request for `location` goes through, with its credentials, as a URL.
    ///
    /// # Errors
    /// The location's URL cannot be read.
    pub fn proxy_of(&self, location: &Location) -> Result<Option<String>, HttpError> {
        let (url, _) = Url::parse(&location.url)?;
        Ok(self.proxy(&url, location).map(|setting| setting.url))
    }

    /// The file at `location`, or nothing if the server does not have it (404, 410). Repeated as [`Retry`] says.
    ///
    /// # Errors
    /// Any other answer, no whole answer, or one of more than `limit` bytes.
    pub fn get_small(&self, location: &Location, limit: u64) -> Result<Option<Small>, HttpError> {
        let whole = || {
            let answer = self.send(&Method::GET, location, &[])?.ok()?;
            let (url, content_type) = (answer.url.as_text(), answer.text(header::CONTENT_TYPE));
            Ok(Small { bytes: answer.read(limit)?, url, content_type })
        };
        present(self.repeated(whole))
    }

    /// These bytes of the file at `location`, or nothing if the server does not give parts of it. Repeated as [`Retry`]
    /// says.
    ///
    /// # Errors
    /// Any other answer, one without all of these bytes, or none.
    pub fn get_range(&self, location: &Location, range: Range<u64>) -> Result<Option<Vec<u8>>, HttpError> {
        let wanted = range.end - range.start;
        let part = || {
            let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
            let answer = self.send(&Method::GET, location, &[(header::RANGE, bytes)])?;
            match answer.status {
                206 => {}
                200 => return Ok(None),
                _ => return Err(answer.error()),
            }
            let url = answer.url.shown();
            let bytes = answer.read(wanted)?;
            if bytes.len() as u64 == wanted {
                return Ok(Some(bytes));
            }
            let reason = format!("expected {wanted} bytes of a part, found {}", bytes.len());
            Err(HttpError::Transport { url, reason, transient: false })
        };
        self.repeated(part)
    }

    /// What the server says of the file at `location`, or nothing if it does not have it. Repeated as [`Retry`] says.
    ///
    /// # Errors
    /// Any other answer, or none.
    pub fn head(&self, location: &Location) -> Result<Option<Head>, HttpError> {
        let head = || {
            let answer = self.send(&Method::HEAD, location, &[])?.ok()?;
            let (size, content_type) = (answer.content_length(), answer.text(header::CONTENT_TYPE));
            Ok(Head { url: answer.url.as_text(), size, content_type })
        };
        present(self.repeated(head))
    }

    /// Ends every connection at once; requests that are being read fail. Later requests connect again.
    pub fn disconnect(&self) {
        self.agents.disconnect();
    }

    /// Whether every request is refused.
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// The flag that interrupts everything.
    pub(crate) fn cancel(&self) -> &AtomicBool {
        &self.cancel
    }

    /// Whether the run was interrupted.
    pub fn is_interrupted(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// How long to wait before `error`, failure number `failures` (from 1) in a row, is tried again; nothing to give up.
    pub fn wait_after(&self, error: &HttpError, failures: u32) -> Option<Duration> {
        self.retry.wait_after(error, failures)
    }

    /// Waits, and says false at once if the run is interrupted.
    pub fn wait(&self, duration: Duration) -> bool {
        retry::wait(duration, &self.cancel)
    }

    /// How requests are repeated.
    pub(crate) fn retry(&self) -> &Retry {
        &self.retry
    }

    fn repeated<T>(&self, attempt: impl Fn() -> Result<T, HttpError>) -> Result<T, HttpError> {
        let mut failures = 0;
        loop {
            let error = match attempt() {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            failures += 1;
            match self.retry.wait_after(&error, failures) {
                Some(wait) if retry::wait(wait, &self.cancel) => {}
                _ => return Err(error),
            }
        }
    }

    /// One request, with the redirects that follow from it. Any status but a redirect is an answer.
    pub(crate) fn send(
        &self,
        method: &Method,
        location: &Location,
        headers: &[(header::HeaderName, String)],
    ) -> Result<Answer, HttpError> {
        let (origin, userinfo) = Url::parse(&location.url)?;
        let auth = location.auth.as_ref().or(userinfo.as_ref());
        let mut url = origin.clone();
        // What was asked of the origin stays between us and it, even if a redirect comes back to it.
        let mut trusted = true;
        let mut seen = BTreeSet::new();
        loop {
            let auth = auth.filter(|_| trusted);
            let answer = self.one(method, url, location, (trusted, auth), headers, SendBody::none(), None)?;
            let (answer, next) = match answer.redirect()? {
                None => return Ok(answer),
                Some(next) => (answer, next),
            };
            seen.insert(answer.url.as_text());
            if seen.contains(&next.as_text()) {
                return Err(answer.astray(format!("it redirects to {}, where we come from", next.shown())));
            }
            if seen.len() > MAX_REDIRECTS {
                return Err(answer.astray(format!("more than {MAX_REDIRECTS} redirects")));
            }
            trusted &= next.same_origin(&origin);
            url = next;
        }
    }

    /// One request and no other. Headers of the location and `auth` are for those who are trusted; `patience` is how long
    /// the server may stay silent, if that is not the usual.
    #[expect(clippy::too_many_arguments, reason = "two callers, and each of them knows all of it")]
    pub(crate) fn one(
        &self,
        method: &Method,
        url: Url,
        location: &Location,
        (trusted, auth): (bool, Option<&Auth>),
        headers: &[(header::HeaderName, String)],
        body: SendBody<'_>,
        patience: Option<Duration>,
    ) -> Result<Answer, HttpError> {
        if self.offline {
            return Err(HttpError::Offline { url: url.shown() });
        }
        if self.cancel.load(Ordering::Relaxed) {
            return Err(HttpError::Interrupted { url: url.shown() });
        }
        let proxy = self.proxy(&url, location);
        let agent = self.agents.agent(proxy.as_ref(), url.is_https())?;
        let mut request = Request::builder().method(method).uri(url.uri());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if trusted {
            for (name, value) in &location.headers {
                request = request.header(name, value);
            }
        }
        if let Some(auth) = auth {
            request = request.header(header::AUTHORIZATION, auth.header());
        }
        if let (false, Some(auth)) = (url.is_https(), proxy.as_ref().and_then(Setting::auth)) {
            request = request.header(header::PROXY_AUTHORIZATION, auth.header());
        }
        let bad = |error: &dyn fmt::Display| HttpError::BadUrl { url: url.shown(), reason: error.to_string() };
        let mut request = request.body(body).map_err(|error| bad(&error))?;
        if patience.is_some() {
            request = agent.configure_request(request).timeout_per_read(patience).build();
        }
        let response = agent.run(request).map_err(|error| through(proxy.as_ref(), transport_error(&url, error)))?;
        let (parts, body) = response.into_parts();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, url })
    }

    /// The proxy for `url`: the location's own, or the environment's.
    fn proxy(&self, url: &Url, location: &Location) -> Option<Setting> {
        match &location.route {
            Route::Environment => self.proxies.for_url(url).cloned(),
            Route::Direct => None,
            Route::Proxy(url) => Some(Setting { url: url.clone(), from: "the registry".to_owned() }),
        }
    }
}

impl Answer {
    /// This answer if its status is 200.
    pub(crate) fn ok(self) -> Result<Self, HttpError> {
        if self.status == 200 { Ok(self) } else { Err(self.error()) }
    }

    /// The error that this answer's status means.
    pub(crate) fn error(&self) -> HttpError {
        // A date in place of seconds is rare; it is waited out as if nothing was asked.
        let retry_after = self.text(header::RETRY_AFTER).and_then(|text| text.trim().parse().ok());
        HttpError::Status {
            url: self.url.shown(),
            status: self.status,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    /// The value of a header, if it is text.
    pub(crate) fn text(&self, name: header::HeaderName) -> Option<String> {
        Some(self.headers.get(name)?.to_str().ok()?.to_owned())
    }

    /// The announced number of bytes.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.text(header::CONTENT_LENGTH)?.trim().parse().ok()
    }

    pub(crate) fn read(self, limit: u64) -> Result<Vec<u8>, HttpError> {
        let mut bytes = Vec::new();
        let mut reader = self.body.into_reader().take(limit.saturating_add(1));
        reader.read_to_end(&mut bytes).map_err(|error| transport_error(&self.url, error.into()))?;
        if bytes.len() as u64 > limit {
            return Err(HttpError::TooLarge { url: self.url.shown(), limit });
        }
        Ok(bytes)
    }

    /// Where this answer sends us, if it is a redirect.
    fn redirect(&self) -> Result<Option<Url>, HttpError> {
        if !matches!(self.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let target = self.headers.get(header::LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let Some(target) = target else {
            return Err(self.astray(format!("the server answered {} without saying where to go", self.status)));
        };
        let next = self.url.join(&target)?;
        if self.url.is_https() && !next.is_https() {
            let reason = format!("it redirects from https to {}, where anyone could change the bytes", next.shown());
            return Err(self.astray(reason));
        }
        Ok(Some(next))
    }

    fn astray(&self, reason: String) -> HttpError {
        HttpError::Redirect { url: self.url.shown(), reason }
    }
}

impl fmt::Debug for Small {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Small({}, {:?}, {} bytes)", redacted(&self.url), self.content_type, self.bytes.len())
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({}, {:?}, {:?} bytes)", redacted(&self.url), self.content_type, self.size)
    }
}

impl Auth {
    /// The value of an `Authorization` or `Proxy-Authorization` header.
    fn header(&self) -> String {
        match self {
            Auth::Basic { user, password } => format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))),
            Auth::Bearer(token) => format!("Bearer {token}"),
        }
    }
}

fn present<T>(result: Result<T, HttpError>) -> Result<Option<T>, HttpError> {
    match result {
        Err(error) if error.is_absent() => Ok(None),
        result => result.map(Some),
    }
}

/// What `error` means for a request to `url`: only what a quiet network would not do is transient.
pub(crate) fn transport_error(url: &Url, error: ureq::Error) -> HttpError {
    use std::io::ErrorKind::*;
    let (reason, transient) = match &error {
        ureq::Error::Io(io) => match io.kind() {
            UnexpectedEof => ("the connection ended before the answer did".to_owned(), true),
            TimedOut | WouldBlock => ("timed out".to_owned(), true),
            ConnectionRefused | ConnectionReset | ConnectionAborted | BrokenPipe | NotConnected | HostUnreachable
            | NetworkUnreachable | NetworkDown | AddrNotAvailable | Interrupted => (io.to_string(), true),
            // A kind that has no name yet: a name server that does not answer, or that knows no such host.
            _ if io.to_string().starts_with("failed to lookup address information") => (io.to_string(), true),
            _ => (with_hint(io.to_string()), false),
        },
        ureq::Error::Timeout(ureq::Timeout::PerRead | ureq::Timeout::PerWrite) => {
            ("stalled: no byte came for too long".to_owned(), true)
        }
        ureq::Error::Timeout(_) => ("no connection in time".to_owned(), true),
        ureq::Error::HostNotFound => ("the host was not found".to_owned(), true),
        ureq::Error::ConnectionFailed => (error.to_string(), true),
        ureq::Error::ConnectProxyFailed(answer) => match proxy_status(answer) {
            Some(407) => ("the proxy answered 407: it wants `user:password@` before its host".to_owned(), false),
            Some(status) => (format!("the proxy answered {status}"), is_transient_status(status)),
            None => (error.to_string(), true),
        },
        _ => (with_hint(error.to_string()), false),
    };
    HttpError::Transport { url: url.shown(), reason, transient }
}

/// `error`, and that a proxy had a part in it: it may be the proxy that cannot be reached.
fn through(proxy: Option<&Setting>, error: HttpError) -> HttpError {
    match (proxy, error) {
        (Some(proxy), HttpError::Transport { url, reason, transient }) => {
            let reason = format!("{reason} (through the proxy {} of {})", redacted(&proxy.url), proxy.from);
            HttpError::Transport { url, reason, transient }
        }
        (_, error) => error,
    }
}

/// The status in `ureq`'s "proxy server responded 407/407".
fn proxy_status(answer: &str) -> Option<u16> {
    answer.rsplit_once('/')?.1.parse().ok()
}

fn with_hint(reason: String) -> String {
    if reason.contains("UnknownIssuer") {
        format!(
            "{reason}: no authority that this machine trusts signed it; name the one that did in `SSL_CERT_FILE`, or \
             as extra CA"
        )
    } else {
        reason
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_name_server_is_asked_again() {
        let (url, _) = Url::parse("http://registry.example/file").unwrap();
        let error = |text: &str| transport_error(&url, ureq::Error::Io(io::Error::other(text)));
        assert!(error("failed to lookup address information: Temporary failure in name resolution").is_transient());
        assert!(!error("invalid peer certificate: UnknownIssuer").is_transient());
    }
}
