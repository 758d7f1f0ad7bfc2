//! One artifact from one location: asks for what is missing, as often as it takes, and judges what came.

use std::{
    collections::BTreeSet,
    io::Read as _,
    sync::{Mutex, PoisonError, atomic::Ordering},
};

use ureq::http::{Method, header};

use crate::{
    error::{FetchError, HttpError, Reason, StoreError},
    fetch::Wanted,
    http::{Answer, Http, transport_error},
    location::Location,
    partial::Partial,
    progress::Progress,
    retry,
    url::Url,
};

/// A transfer in hand.
pub(crate) struct Transfer<'a> {
    pub(crate) http: &'a Http,
    pub(crate) wanted: &'a Wanted,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) ailing: &'a Ailing,
}

/// The origins that were given up after all attempts. Until one of them answers well, each further transfer tries it
/// once only: a mirror that is down costs its back-off once, and not for each of hundreds of artifacts.
#[derive(Default)]
pub(crate) struct Ailing(Mutex<BTreeSet<String>>);

impl Ailing {
    fn contains(&self, origin: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(origin)
    }

    fn set(&self, origin: &str, ails: bool) {
        let mut origins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ails {
            origins.insert(origin.to_owned());
        } else {
            origins.remove(origin);
        }
    }
}

/// Why a location did not give the artifact.
pub(crate) enum Left {
    /// Another location may have it.
    For(Reason),
    /// No other location would do better.
    Because(FetchError),
}

/// Why one request did not bring the rest.
enum Miss {
    Http(HttpError),
    /// The partial file and the server's file do not fit together.
    Stale,
    Wrong(Reason),
    Store(StoreError),
}

impl From<HttpError> for Miss {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl From<StoreError> for Miss {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<StoreError> for Left {
    fn from(error: StoreError) -> Self {
        Self::Because(error.into())
    }
}

impl Transfer<'_> {
    /// Completes `partial` with the bytes at `location`, and verifies them.
    ///
    /// What is wrong after a resumed transfer is fetched once more from the start: the file may have changed under its
    /// name between the two halves.
    pub(crate) fn complete(&self, partial: &mut Partial<'_>, location: &Location) -> Result<(), Left> {
        let origin = Url::parse(&location.url).map(|(url, _)| url.origin()).unwrap_or_default();
        let mut failures = 0;
        let mut attempts = 0;
        let mut most = partial.length();
        let mut restarted = false;
        loop {
            attempts += 1;
            let resumed = partial.length() > 0;
            let miss = match self.request_rest(partial, location).and_then(|()| self.judge(partial)) {
                Ok(()) => {
                    self.ailing.set(&origin, false);
                    return Ok(());
                }
                Err(miss) => miss,
            };
            if self.http.cancel().load(Ordering::Relaxed) {
                return Err(Left::Because(FetchError::Interrupted));
            }
            match miss {
                Miss::Store(error) => return Err(error.into()),
                Miss::Stale | Miss::Wrong(_) if resumed && !restarted => {
                    restarted = true;
                    self.restart(partial)?;
                }
                Miss::Stale => {
                    let reason = "the server answers with another part of the file than was asked for".to_owned();
                    let error = HttpError::Transport { url: location.to_string(), reason, transient: false };
                    return Err(Left::For(Reason::Http { error, attempts }));
                }
                Miss::Wrong(reason) => {
                    self.restart(partial)?;
                    return Err(Left::For(reason));
                }
                Miss::Http(error) => {
                    failures = if partial.length() > most { 1 } else { failures + 1 };
                    most = most.max(partial.length());
                    let wait = self.http.retry().wait_after(&error, failures);
                    let Some(wait) = wait.filter(|_| !self.ailing.contains(&origin)) else {
                        self.ailing.set(&origin, error.is_transient());
                        return Err(Left::For(Reason::Http { error, attempts }));
                    };
                    self.progress.retrying(&self.wanted.id, &error.to_string(), wait);
                    if !retry::wait(wait, self.http.cancel()) {
                        return Err(Left::Because(FetchError::Interrupted));
                    }
                }
            }
        }
    }

    /// Asks for what `partial` lacks, and appends it.
    fn request_rest(&self, partial: &mut Partial<'_>, location: &Location) -> Result<(), Miss> {
        let validator = partial.validator(location);
        let verifiable = self.wanted.sha256.is_some() || self.wanted.check.is_some();
        let too_long = self.wanted.size.is_some_and(|size| partial.length() > size);
        if partial.length() > 0 && (too_long || !(verifiable || validator.is_some())) {
            self.restart(partial)?;
        }
        if self.wanted.size == Some(partial.length()) && partial.length() > 0 {
            self.progress.positioned(&self.wanted.id, partial.length());
            return Ok(());
        }
        let mut headers = Vec::new();
        if partial.length() > 0 {
            headers.push((header::RANGE, format!("bytes={}-", partial.length())));
            headers.extend(validator.map(|etag| (header::IF_RANGE, etag)));
        }
        let answer = self.http.send(&Method::GET, location, &headers)?;
        match answer.status {
            206 if partial.length() > 0 => {
                let (start, total) = content_range(&answer).unzip();
                if start != Some(partial.length()) || differs(self.wanted.size, total.flatten()) {
                    return Err(Miss::Stale);
                }
            }
            200 => {
                // The server knows no ranges, or the file has changed since.
                self.restart(partial)?;
                if let (Some(expected), Some(found)) = (self.wanted.size, answer.content_length())
                    && expected != found
                {
                    return Err(Miss::Wrong(Reason::WrongSize { expected, found, hint: markup_hint(&answer) }));
                }
                partial.set_validator(location, answer.text(header::ETAG).as_deref())?;
            }
            416 => return Err(Miss::Stale),
            _ => return Err(answer.error().into()),
        }
        self.progress.positioned(&self.wanted.id, partial.length());
        self.receive(partial, answer)
    }

    fn receive(&self, partial: &mut Partial<'_>, answer: Answer) -> Result<(), Miss> {
        let Answer { body, url, .. } = answer;
        let mut reader = body.into_reader();
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let read = reader.read(&mut buffer).map_err(|error| transport_error(&url, error.into()))?;
            if read == 0 {
                break;
            }
            if self.http.cancel().load(Ordering::Relaxed) {
                return Err(HttpError::Interrupted { url: url.shown() }.into());
            }
            partial.append(&buffer[..read])?;
            self.progress.advanced(&self.wanted.id, read as u64);
            if self.wanted.size.is_some_and(|size| partial.length() > size) {
                break;
            }
        }
        match self.wanted.size {
            // A body without an announced length ends when the connection does, whole or not.
            Some(size) if partial.length() < size => {
                let reason = format!("the connection ended after {} of {size} bytes", partial.length());
                Err(HttpError::Transport { url: url.shown(), reason, transient: true }.into())
            }
            _ => Ok(()),
        }
    }

    /// Compares all that is known of the artifact with what came.
    fn judge(&self, partial: &mut Partial<'_>) -> Result<(), Miss> {
        let size = partial.length();
        let hint = if !self.wanted.is_markup() && partial.looks_like_markup() { MARKUP } else { "" };
        if let Some(expected) = self.wanted.size.filter(|expected| *expected != size) {
            return Err(Miss::Wrong(Reason::WrongSize { expected, found: size, hint }));
        }
        let (found, found_check) = partial.digests();
        if let Some(expected) = self.wanted.sha256.filter(|expected| *expected != found) {
            return Err(Miss::Wrong(Reason::WrongDigest { expected, found, size, hint }));
        }
        if let (Some(expected), Some(found)) = (&self.wanted.check, found_check)
            && *expected != found
        {
            return Err(Miss::Wrong(Reason::WrongCheck { expected: expected.clone(), found, size, hint }));
        }
        Ok(())
    }

    fn restart(&self, partial: &mut Partial<'_>) -> Result<(), StoreError> {
        if partial.length() > 0 {
            partial.restart(self.wanted.algorithm())?;
        }
        Ok(())
    }
}

const MARKUP: &str = "; it begins with `<`: a proxy or a login page may have answered in place of the registry";

fn markup_hint(answer: &Answer) -> &'static str {
    match answer.text(header::CONTENT_TYPE) {
        Some(media_type) if media_type.starts_with("text/html") => {
            "; it is an HTML page: a proxy or a login page may have answered in place of the registry"
        }
        _ => "",
    }
}

fn differs(expected: Option<u64>, found: Option<u64>) -> bool {
    matches!((expected, found), (Some(expected), Some(found)) if expected != found)
}

/// Start and total size of `Content-Range: bytes 10-99/100` (RFC 9110 section 14.4); the total may be unknown (`*`).
fn content_range(answer: &Answer) -> Option<(u64, Option<u64>)> {
    let text = answer.text(header::CONTENT_RANGE)?;
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}
