//! Blobs on their way into a registry: mounted from a neighbour, whole, or in pieces that are resumed.

use store::{Exchange, Method, Progress};

use crate::{
    auth::escaped,
    error::{Error, Result},
    piece::Piece,
    registry::{Ask, Body, refusal},
    repository::{Blob, Repository},
    session::Sessions,
};

use std::time::Duration;

/// How blobs are sent.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A blob that is larger is sent in pieces of this many bytes. What a cut connection loses is at most one piece, and a
    /// proxy that limits the size of a request lets it through.
    pub piece: u64,
    /// How long a registry may take to put a blob together.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { piece: 32 << 20, patience: Duration::from_secs(600) }
    }
}

/// How a blob came to be in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It was there.
    There,
    /// The registry took it from this repository of its own.
    Mounted(String),
    /// It was sent, from this byte on: more than 0 when an earlier upload was gone on with.
    Sent {
        /// Bytes that the registry had.
        from: u64,
    },
}

/// What an upload became.
enum Ended {
    /// The blob is there.
    Done,
    /// The registry forgot the upload.
    Lost,
    /// The registry takes no pieces.
    Whole,
}

/// An upload that is under way.
struct Session<'a> {
    url: String,
    at: u64,
    piece: u64,
    blob: &'a Blob,
    told: &'a dyn Progress,
}

impl Repository<'_> {
    /// Brings a blob into the repository: nothing is sent if it is there, or if the registry takes it from the repository
    /// `neighbour`. An upload that was cut is gone on with where the registry says that it stands, also by a later run
    /// with the same `sessions`.
    ///
    /// # Errors
    /// The registry refuses, does not answer, or says that it has something else.
    pub fn push(
        &self,
        blob: &Blob,
        neighbour: Option<&str>,
        sessions: &Sessions,
        limits: &Limits,
        told: &dyn Progress,
    ) -> Result<How> {
        if self.has(&blob.digest, blob.size)? {
            return Ok(How::There);
        }
        let full_name = self.full_name();
        let mut resumed = 0;
        let mut lost = 0;
        // An earlier run's upload is worth a question.
        let mut session = match sessions.get(&full_name, &blob.digest) {
            Some(url) => self.resume(blob, url, limits, told)?,
            None => None,
        };
        if let Some(session) = &session {
            resumed = session.at;
        }
        loop {
            let mut current = match session.take() {
                Some(session) => session,
                None => match self.begin(blob, neighbour, limits, told)? {
                    Ok(session) => session,
                    Err(neighbour) => return Ok(How::Mounted(neighbour)),
                },
            };
            let pieces = blob.size > current.piece;
            let ended = if pieces { self.in_pieces(&mut current, sessions, limits)? } else { Ended::Whole };
            let ended = match ended {
                Ended::Whole => {
                    if current.at > 0 || pieces {
                        resumed = 0;
                        current = match self.begin(blob, None, limits, told)? {
                            Ok(session) => session,
                            Err(neighbour) => return Ok(How::Mounted(neighbour)),
                        };
                    }
                    self.whole(&current, limits)?
                }
                ended => ended,
            };
            sessions.forget(&full_name, &blob.digest);
            match ended {
                Ended::Done => return Ok(How::Sent { from: resumed }),
                Ended::Lost | Ended::Whole => {
                    lost += 1;
                    resumed = 0;
                    if lost > 3 {
                        return Err(Error::Contradiction {
                            url: store::redacted(&current.url),
                            what: "an upload that was begun",
                            expected: "that the registry knows it".to_owned(),
                            found: "that it forgot it, four times".to_owned(),
                        });
                    }
                }
            }
        }
    }

    /// Begins an upload. `Err` holds the neighbour that the blob was taken from instead.
    fn begin<'a>(
        &self,
        blob: &'a Blob,
        neighbour: Option<&str>,
        limits: &Limits,
        told: &'a dyn Progress,
    ) -> Result<Result<Session<'a>, String>> {
        if let Some(neighbour) = neighbour.filter(|neighbour| **neighbour != *self.name) {
            let query = format!("?mount={}&from={}", escaped(&blob.digest.to_string()), escaped(neighbour));
            let scopes = [self.scopes[0].clone(), format!("repository:{neighbour}:pull")];
            match self.start(&query, &scopes) {
                Ok(answer) if answer.status() == 201 => {
                    self.same_digest(&answer, "the digest of a mounted blob", &blob.digest)?;
                    return Ok(Err(neighbour.to_owned()));
                }
                Ok(answer) if answer.status() == 202 => return self.session(blob, &answer, limits, told).map(Ok),
                // Who may not read the neighbour, or cannot mount, uploads.
                Ok(_) | Err(Error::Unauthorized { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let answer = self.start("", &self.scopes)?;
        match answer.status() {
            202 => self.session(blob, &answer, limits, told).map(Ok),
            _ => Err(refusal(answer)),
        }
    }

    fn start(&self, query: &str, scopes: &[String]) -> Result<Exchange> {
        let url = self.url(&format!("blobs/uploads/{query}"));
        self.registry.repeated(|| {
            let ask =
                Ask { method: Method::POST, url: &url, headers: &[], body: Body::Nothing, scopes, patience: None };
            transient(self.registry.ask(&ask)?)
        })
    }

    fn session<'a>(
        &self,
        blob: &'a Blob,
        answer: &Exchange,
        limits: &Limits,
        told: &'a dyn Progress,
    ) -> Result<Session<'a>> {
        let least = answer.header("oci-chunk-min-length").and_then(|least| least.trim().parse().ok()).unwrap_or(0);
        Ok(Session { url: self.next(answer)?, at: 0, piece: limits.piece.max(least), blob, told })
    }

    /// Where the next piece goes.
    fn next(&self, answer: &Exchange) -> Result<String> {
        let Some(location) = answer.header("location") else {
            return Err(Error::Contradiction {
                url: answer.shown(),
                what: "where the upload goes on",
                expected: "a header Location".to_owned(),
                found: "none".to_owned(),
            });
        };
        let url = store::join(&answer.url(), &location)?;
        // A registry behind a proxy that ends TLS often believes that it is asked without it.
        let origin = self.registry.address.origin();
        if let Some(rest) = origin.strip_prefix("https://")
            && let Some(path) = url.strip_prefix(&format!("http://{rest}"))
        {
            return Ok(format!("{origin}{path}"));
        }
        if origin.starts_with("https://") && !url.starts_with("https://") {
            return Err(Error::Contradiction {
                url: answer.shown(),
                what: "where the upload goes on",
                expected: "a URL with https".to_owned(),
                found: store::redacted(&url),
            });
        }
        Ok(url)
    }

    /// An earlier upload, if the registry still knows it.
    fn resume<'a>(
        &self,
        blob: &'a Blob,
        url: String,
        limits: &Limits,
        told: &'a dyn Progress,
    ) -> Result<Option<Session<'a>>> {
        let mut session = Session { url, at: 0, piece: limits.piece, blob, told };
        Ok(self.stands(&mut session)?.then_some(session))
    }

    /// Asks where an upload stands. False if the registry does not know it, or does not say.
    fn stands(&self, session: &mut Session<'_>) -> Result<bool> {
        let answer = self.send(Method::GET, &session.url, &[], &[])?;
        if !matches!(answer.status(), 200 | 202 | 204) {
            return Ok(false);
        }
        let Some(at) = received(&answer).filter(|at| *at <= session.blob.size) else { return Ok(false) };
        session.at = at;
        if answer.header("location").is_some() {
            session.url = self.next(&answer)?;
        }
        Ok(true)
    }

    fn in_pieces(&self, session: &mut Session<'_>, sessions: &Sessions, limits: &Limits) -> Result<Ended> {
        let (blob, full_name) = (session.blob, self.full_name());
        let mut failures = 0;
        let mut begun = session.at > 0;
        // Noted before the first piece: a registry keeps what it has of a piece that was cut.
        sessions.put(&full_name, &blob.digest, &session.url)?;
        while session.at < blob.size {
            let range = session.at..blob.size.min(session.at + session.piece);
            let error = match self.send_piece(session, &range, limits) {
                Ok(answer) if matches!(answer.status(), 200..=204) => {
                    session.url = self.next(&answer)?;
                    // Some registries answer without saying how much they have: then it is all that was sent.
                    let at = received(&answer).filter(|at| (range.start + 1..=range.end).contains(at));
                    session.at = at.unwrap_or(range.end);
                    (failures, begun) = (0, true);
                    sessions.put(&full_name, &blob.digest, &session.url)?;
                    continue;
                }
                Ok(answer) if answer.status() == 416 => refusal(answer),
                Ok(answer) if answer.status() == 404 => return Ok(Ended::Lost),
                Ok(answer) if !begun && matches!(answer.status(), 400 | 405 | 411 | 415 | 501) => {
                    return Ok(Ended::Whole);
                }
                Ok(answer) => return Err(refusal(answer)),
                Err(error) => error,
            };
            failures += 1;
            let disagreed = error.status() == Some(416);
            if failures > 1 && disagreed {
                return Ok(Ended::Lost);
            }
            if !disagreed && !self.registry.pause(&error, failures) {
                return Err(error);
            }
            let before = session.at;
            if !self.stands(session)? {
                return Ok(Ended::Lost);
            }
            if session.at > before {
                (failures, begun) = (0, true);
            }
        }
        let url = with_digest(&session.url, blob);
        self.finish(session, &url, Body::Nothing, limits)
    }

    fn send_piece(&self, session: &Session<'_>, range: &std::ops::Range<u64>, limits: &Limits) -> Result<Exchange> {
        let piece = Piece { blob: session.blob, range: range.clone(), told: session.told };
        let headers = [
            ("content-type", "application/octet-stream".to_owned()),
            ("content-range", format!("{}-{}", range.start, range.end - 1)),
        ];
        let (url, patience) = (&session.url, Some(limits.patience));
        let body = Body::Piece(piece);
        transient(self.registry.ask(&Ask {
            method: Method::PATCH,
            url,
            headers: &headers,
            body,
            scopes: &self.scopes,
            patience,
        })?)
    }

    /// Sends all of a blob in one request.
    fn whole(&self, session: &Session<'_>, limits: &Limits) -> Result<Ended> {
        let url = with_digest(&session.url, session.blob);
        let piece = Piece { blob: session.blob, range: 0..session.blob.size, told: session.told };
        self.finish(session, &url, Body::Piece(piece), limits)
    }

    /// Ends an upload. When the answer is lost the blob may be there all the same.
    fn finish(&self, session: &Session<'_>, url: &str, body: Body<'_>, limits: &Limits) -> Result<Ended> {
        let blob = session.blob;
        let headers = [("content-type", "application/octet-stream".to_owned())];
        let patience = Some(limits.patience);
        let ask = Ask { method: Method::PUT, url, headers: &headers, body, scopes: &self.scopes, patience };
        let answer = self.registry.ask(&ask).and_then(transient);
        match answer {
            Ok(answer) if matches!(answer.status(), 200..=204) => {
                self.same_digest(&answer, "the digest of a stored blob", &blob.digest)?;
                Ok(Ended::Done)
            }
            Ok(answer) if answer.status() == 404 => Ok(Ended::Lost),
            Ok(answer) => {
                let error = refusal(answer);
                match &error {
                    Error::Refused { detail, .. } if detail.contains("DIGEST_INVALID") => Err(Error::OtherBytes {
                        url: store::redacted(url),
                        expected: blob.digest,
                        detail: detail.clone(),
                    }),
                    _ => Err(error),
                }
            }
            Err(error) if self.registry.pause(&error, 1) => match self.has(&blob.digest, blob.size)? {
                true => Ok(Ended::Done),
                false => Ok(Ended::Lost),
            },
            Err(error) => Err(error),
        }
    }
}

/// The answer, unless it is a failure that passes.
fn transient(answer: Exchange) -> Result<Exchange> {
    if matches!(answer.status(), 408 | 429 | 500 | 502..=599) { Err(refusal(answer)) } else { Ok(answer) }
}

fn with_digest(url: &str, blob: &Blob) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}digest={}", escaped(&blob.digest.to_string()))
}

/// How many bytes the registry has: `Range: 0-N` names the last one. `0-0` is what it says of none, and of one.
fn received(answer: &Exchange) -> Option<u64> {
    let range = answer.header("range")?;
    let (_, last) = range.strip_prefix("bytes=").unwrap_or(&range).split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    Some(if last == 0 { 0 } else { last + 1 })
}
