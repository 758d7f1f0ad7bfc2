//! One request of any method, with a body, and the whole answer: for protocols in which more is done than fetching files.

use std::{fmt, io::Read, time::Duration};

use ureq::{
    SendBody,
    http::{HeaderName, Method, header},
};

use crate::{
    error::HttpError,
    http::{Answer, Http},
    location::Location,
    url::{Url, redacted},
};

/// What is sent as a request's body.
pub enum Content<'a> {
    /// Nothing.
    Nothing,
    /// These bytes.
    Bytes(&'a [u8]),
    /// The next bytes of a reader.
    Reader {
        /// Where they come from.
        reader: &'a mut dyn Read,
        /// How many they are. Their number is announced; a reader that gives fewer breaks the connection.
        length: u64,
    },
}

/// An answer. Every status is one, also 4xx and 5xx.
pub struct Exchange(Answer);

impl Http {
    /// Sends one request, and repeats nothing. GET and HEAD follow redirects; a redirect of anything else is an answer.
    ///
    /// `patience` is how long the server may stay silent, where that is longer than usual.
    ///
    /// # Errors
    /// There was no answer.
    pub fn exchange(
        &self,
        method: &Method,
        location: &Location,
        headers: &[(HeaderName, String)],
        content: Content<'_>,
        patience: Option<Duration>,
    ) -> Result<Exchange, HttpError> {
        if matches!(*method, Method::GET | Method::HEAD) {
            return self.send(method, location, headers).map(Exchange);
        }
        let (url, userinfo) = Url::parse(&location.url)?;
        let auth = location.auth.as_ref().or(userinfo.as_ref());
        let mut headers = headers.to_vec();
        // `SendBody` is invariant, so a body of nothing is one of no bytes.
        let mut bytes: &[u8] = match content {
            Content::Bytes(bytes) => bytes,
            Content::Nothing | Content::Reader { .. } => &[],
        };
        let (length, reader): (u64, &mut dyn Read) = match content {
            Content::Reader { reader, length } => (length, reader),
            Content::Nothing | Content::Bytes(_) => (bytes.len() as u64, &mut bytes),
        };
        headers.push((header::CONTENT_LENGTH, length.to_string()));
        self.one(method, url, location, (true, auth), &headers, SendBody::from_reader(reader), patience).map(Exchange)
    }
}

impl Exchange {
    /// The status.
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// The value of a header, if it is there and text.
    pub fn header(&self, name: &str) -> Option<String> {
        Some(self.0.headers.get(name)?.to_str().ok()?.to_owned())
    }

    /// All values of a header that are text.
    pub fn headers(&self, name: &str) -> Vec<String> {
        let values = self.0.headers.get_all(name).iter();
        values.filter_map(|value| Some(value.to_str().ok()?.to_owned())).collect()
    }

    /// The URL that answered, after redirects. It may hold a secret query.
    pub fn url(&self) -> String {
        self.0.url.as_text()
    }

    /// The same for messages.
    pub fn shown(&self) -> String {
        self.0.url.shown()
    }

    /// The error that the status means, with how long the server asks to be left alone.
    pub fn error(&self) -> HttpError {
        self.0.error()
    }

    /// The body.
    ///
    /// # Errors
    /// It ends too early, or has more than `limit` bytes.
    pub fn read(self, limit: u64) -> Result<Vec<u8>, HttpError> {
        self.0.read(limit)
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchange({}, {})", redacted(&self.0.url.as_text()), self.0.status)
    }
}
