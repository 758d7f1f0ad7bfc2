//! A registry that is asked: challenges answered, tokens kept, transient failures repeated.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use store::{Auth, Content, Exchange, Http, Location, Method};

use crate::{
    address::Address,
    auth::{Scheme, Token, Wish, scheme, token},
    credentials::{Credential, Credentials},
    error::{Error, Result, detail},
    piece::Piece,
    repository::Repository,
};

/// No refusal is longer.
const MAX_REFUSAL: u64 = 64 << 10;

/// A registry, as one run sees it. Shared by all threads.
pub struct Registry<'h> {
    pub(crate) http: &'h Http,
    pub(crate) address: Address,
    credentials: Credentials,
    state: Mutex<State>,
}

/// What was learned of it.
#[derive(Default)]
struct State {
    scheme: Option<Scheme>,
    /// By scopes.
    tokens: BTreeMap<Vec<String>, Token>,
    /// By repository.
    found: BTreeMap<String, Option<Credential>>,
}

/// One request.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) headers: &'a [(&'static str, String)],
    pub(crate) body: Body<'a>,
    /// What a token for it must allow: `repository:NAME:ACTIONS`.
    pub(crate) scopes: &'a [String],
    /// How long the registry may stay silent, where that is longer than usual.
    pub(crate) patience: Option<Duration>,
}

/// What is sent with a request. It can be sent again.
pub(crate) enum Body<'a> {
    Nothing,
    Bytes(&'a [u8]),
    /// A part of a file.
    Piece(Piece<'a>),
}

impl<'h> Registry<'h> {
    /// A registry. Asks nobody yet.
    pub fn new(http: &'h Http, address: Address, credentials: Credentials) -> Self {
        Self { http, address, credentials, state: Mutex::default() }
    }

    /// Its address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The repository `name` below the address's path.
    pub fn repository(&self, name: &str) -> Repository<'_> {
        Repository::new(self, self.address.repository(name))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks once, and once more if the registry wants to know who asks.
    pub(crate) fn ask(&self, ask: &Ask<'_>) -> Result<Exchange> {
        // Others are told nothing of us: a registry may send uploads to a storage of somebody else.
        let own = store::same_origin(ask.url, &self.address.origin());
        let mut challenged = false;
        loop {
            let auth = if own { self.authorization(ask.scopes)? } else { None };
            let shown = auth.is_some();
            let location = Location { auth, ..Location::new(ask.url) };
            let headers: Vec<_> =
                ask.headers.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value.clone()))).collect();
            let exchange =
                |content: Content<'_>| self.http.exchange(&ask.method, &location, &headers, content, ask.patience);
            let answer = match &ask.body {
                Body::Nothing => exchange(Content::Nothing)?,
                Body::Bytes(bytes) => exchange(Content::Bytes(bytes))?,
                Body::Piece(piece) => {
                    let mut reader = piece.open(self.http)?;
                    exchange(Content::Reader { reader: &mut reader, length: piece.length() })?
                }
            };
            if answer.status() != 401 || !own {
                return Ok(answer);
            }
            if challenged {
                let found = if shown { "does not let these credentials in" } else { "wants credentials" };
                let detail = detail(&answer.read(MAX_REFUSAL).unwrap_or_default());
                return Err(Error::Unauthorized { host: self.address.host.clone(), found: found.to_owned(), detail });
            }
            challenged = true;
            let scheme = scheme(&self.address.host, &answer)?;
            let mut state = self.state();
            state.tokens.remove(ask.scopes);
            state.scheme = Some(scheme);
        }
    }

    /// Repeats `attempt` while what it fails for is transient.
    pub(crate) fn repeated<T>(&self, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
        let mut failures = 0;
        loop {
            let error = match attempt() {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            failures += 1;
            if !self.pause(&error, failures) {
                return Err(error);
            }
        }
    }

    /// Waits after failure number `failures` in a row; false if it is not worth it.
    pub(crate) fn pause(&self, error: &Error, failures: u32) -> bool {
        let wait = error.http().and_then(|error| self.http.wait_after(error, failures));
        wait.is_some_and(|wait| self.http.wait(wait))
    }

    /// What is shown with a request. Nothing until the registry asked for it.
    fn authorization(&self, scopes: &[String]) -> Result<Option<Auth>> {
        let Some(scheme) = self.state().scheme.clone() else { return Ok(None) };
        let repository = scopes.first().and_then(|scope| scope.split(':').nth(1)).unwrap_or(&self.address.path);
        let credential = self.credential(repository)?;
        match (scheme, credential) {
            (_, Some(Credential::Bearer(token))) => Ok(Some(Auth::Bearer(token))),
            (Scheme::Basic, Some(Credential::Basic { user, password })) => Ok(Some(Auth::Basic { user, password })),
            (Scheme::Basic, _) => Ok(None),
            (Scheme::Bearer { realm, service, scope }, credential) => {
                if let Some(token) = self.state().tokens.get(scopes).filter(|token| token.until > Instant::now()) {
                    return Ok(Some(Auth::Bearer(token.text.clone())));
                }
                let mut wanted = scopes.to_vec();
                if wanted.is_empty() && !scope.is_empty() {
                    wanted.push(scope);
                }
                let wish = Wish {
                    host: &self.address.host,
                    plain: self.address.is_plain(),
                    realm: &realm,
                    service: &service,
                    scopes: &wanted,
                    credential: credential.as_ref(),
                };
                let token = self.repeated(|| token(self.http, &wish))?;
                let text = token.text.clone();
                self.state().tokens.insert(scopes.to_vec(), token);
                Ok(Some(Auth::Bearer(text)))
            }
        }
    }

    fn credential(&self, repository: &str) -> Result<Option<Credential>> {
        if let Some(found) = self.state().found.get(repository) {
            return Ok(found.clone());
        }
        let found = self.credentials.find(&self.address.host, repository)?.map(|(credential, _)| credential);
        self.state().found.insert(repository.to_owned(), found.clone());
        Ok(found)
    }

    /// The location of a file of the registry with what must be shown for it now.
    pub(crate) fn location(&self, url: String, scopes: &[String]) -> Result<Location> {
        Ok(Location { auth: self.authorization(scopes)?, ..Location::new(url) })
    }
}

/// The error that an answer with an unwanted status is.
pub(crate) fn refusal(answer: Exchange) -> Error {
    let error = answer.error();
    Error::Refused { error, detail: detail(&answer.read(MAX_REFUSAL).unwrap_or_default()) }
}
