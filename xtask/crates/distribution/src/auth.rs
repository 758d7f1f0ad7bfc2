//! Challenges and tokens: <https://distribution.github.io/distribution/spec/auth/token/>.

use std::time::{Duration, Instant};

use http_auth::parse_challenges;
use serde::Deserialize;
use store::{Auth, Content, Exchange, Http, Location, Method};

use crate::{
    credentials::Credential,
    error::{Error, Result, beginning, detail},
};

/// What a token is worth if its server does not say: the specification's minimum.
const TOKEN_LIFE: Duration = Duration::from_secs(60);
/// A token that ends this soon is not used any more.
const TOKEN_MARGIN: Duration = Duration::from_secs(10);
/// No token is larger.
const MAX_TOKEN: u64 = 1 << 20;
const CLIENT: &str = "spark-images";

/// How a registry wants to be convinced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// User and password with each request.
    Basic,
    /// A token of this server.
    Bearer {
        realm: String,
        service: String,
        /// What this request would need, in the registry's words.
        scope: String,
    },
}

/// A token, and until when it is used.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) until: Instant,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    expires_in: Option<u64>,
}

/// The scheme in the answer 401. A token is preferred: it is what those want who offer both.
pub(crate) fn scheme(host: &str, answer: &Exchange) -> Result<Scheme> {
    let wrong = |reason: String| Error::Challenge { host: host.to_owned(), reason };
    let mut offered = Vec::new();
    let mut basic = false;
    for header in answer.headers("www-authenticate") {
        let challenges = parse_challenges(&header).map_err(|error| wrong(format!("WWW-Authenticate: {error}")))?;
        for challenge in challenges {
            let parameter = |name: &str| {
                let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped()).unwrap_or_default()
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer") {
                let realm = parameter("realm");
                if realm.is_empty() {
                    return Err(wrong("it names no server for tokens".to_owned()));
                }
                return Ok(Scheme::Bearer { realm, service: parameter("service"), scope: parameter("scope") });
            }
            basic |= challenge.scheme.eq_ignore_ascii_case("basic");
            offered.push(challenge.scheme.to_owned());
        }
    }
    match (basic, offered.as_slice()) {
        (true, _) => Ok(Scheme::Basic),
        (false, []) => Err(wrong("it answers 401 and does not say how".to_owned())),
        (false, offered) => Err(wrong(format!("expected Bearer or Basic, found {}", offered.join(", ")))),
    }
}

/// Whom a token is asked of, and for what.
pub(crate) struct Wish<'a> {
    pub(crate) host: &'a str,
    /// Whether the registry itself is asked without TLS.
    pub(crate) plain: bool,
    pub(crate) realm: &'a str,
    pub(crate) service: &'a str,
    /// `repository:NAME:ACTIONS`, each.
    pub(crate) scopes: &'a [String],
    pub(crate) credential: Option<&'a Credential>,
}

/// Gets a token. Asks once; the caller repeats.
pub(crate) fn token(http: &Http, wish: &Wish<'_>) -> Result<Token> {
    let asked = Instant::now();
    if !wish.plain && !wish.realm.starts_with("https://") {
        let reason = format!("expected a server for tokens with https, found {}", store::redacted(wish.realm));
        return Err(Error::Challenge { host: wish.host.to_owned(), reason });
    }
    let answer = match wish.credential {
        Some(Credential::Refresh(refresh)) => refreshed(http, wish, refresh)?,
        _ => gotten(http, wish)?,
    };
    let (url, status) = (answer.shown(), answer.status());
    let error = answer.error();
    let body = answer.read(MAX_TOKEN)?;
    match status {
        200 => {}
        401 | 403 => {
            let found = match wish.credential {
                Some(_) => format!("refuses a token for these credentials ({url} answered {status})"),
                None => format!("gives no token to somebody without credentials ({url} answered {status})"),
            };
            return Err(Error::Unauthorized { host: wish.host.to_owned(), found, detail: detail(&body) });
        }
        _ => return Err(Error::Refused { error, detail: detail(&body) }),
    }
    let parsed = serde_json::from_slice::<Answer>(&body).ok();
    let text = parsed.as_ref().map(|answer| match answer.token.is_empty() {
        true => answer.access_token.clone(),
        false => answer.token.clone(),
    });
    // A token with a line end in it would write headers of its own.
    let text = text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()));
    let Some(text) = text else {
        // What looks like JSON may hold a secret.
        let found = if body.starts_with(b"{") { "JSON without one".to_owned() } else { beginning(&body) };
        return Err(Error::Contradiction { url, what: "a token", expected: "JSON with `token`".to_owned(), found });
    };
    let life = parsed.and_then(|answer| answer.expires_in).map_or(TOKEN_LIFE, Duration::from_secs);
    Ok(Token { text, until: asked + life.saturating_sub(TOKEN_MARGIN).max(TOKEN_MARGIN) })
}

fn gotten(http: &Http, wish: &Wish<'_>) -> Result<Exchange> {
    let mut url = wish.realm.to_owned();
    let pairs = (!wish.service.is_empty()).then_some(("service", wish.service));
    for (name, value) in pairs.into_iter().chain(wish.scopes.iter().map(|scope| ("scope", scope.as_str()))) {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&format!("{name}={}", escaped(value)));
    }
    let mut location = Location::new(url);
    if let Some(Credential::Basic { user, password }) = wish.credential {
        location.auth = Some(Auth::Basic { user: user.clone(), password: password.clone() });
    }
    Ok(http.exchange(&Method::GET, &location, &[], Content::Nothing, None)?)
}

fn refreshed(http: &Http, wish: &Wish<'_>, refresh: &str) -> Result<Exchange> {
    let scope = wish.scopes.join(" ");
    let fields = [
        ("grant_type", "refresh_token"),
        ("service", wish.service),
        ("client_id", CLIENT),
        ("scope", &scope),
        ("refresh_token", refresh),
    ];
    let form: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let mut location = Location::new(wish.realm);
    location.headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    Ok(http.exchange(&Method::POST, &location, &[], Content::Bytes(form.join("&").as_bytes()), None)?)
}

/// A value for a query or a form (RFC 3986, section 2.3).
pub(crate) fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
