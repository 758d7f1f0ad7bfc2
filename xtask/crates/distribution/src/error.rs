//! What can go wrong, with what was expected and what was found.

use blob::Digest;
use camino::Utf8PathBuf;
use serde::Deserialize;
use store::HttpError;

/// The result of asking a registry.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A registry did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There was no answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It answered that it does not do it.
    #[error("{error}{detail}")]
    Refused {
        /// The status, and the URL that gave it.
        error: HttpError,
        /// What the registry said of it, or nothing.
        detail: String,
    },
    /// It wants credentials, or others.
    #[error("{host} {found}{detail}\nto log in: docker login {host}, or set {user} and {password}", user = crate::credentials::USER, password = crate::credentials::PASSWORD)]
    Unauthorized {
        /// The registry.
        host: String,
        /// What it was shown.
        found: String,
        /// What the registry said of it, or nothing.
        detail: String,
    },
    /// It wants to be convinced in a way that is not understood, or that would give a secret away.
    #[error("{host} wants credentials in a way that cannot be followed: {reason}")]
    Challenge {
        /// The registry.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its answer contradicts what was sent, or itself.
    #[error("{url}: {what}: expected {expected}, found {found}")]
    Contradiction {
        /// The URL.
        url: String,
        /// What was compared.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The registry says that it received other bytes than those of this digest.
    #[error("{url}: the registry received other bytes than {expected}{detail}")]
    OtherBytes {
        /// The URL.
        url: String,
        /// The digest that the blob should have.
        expected: Digest,
        /// What the registry said of it, or nothing.
        detail: String,
    },
    /// Credentials are there and cannot be had.
    #[error("credentials for {host} from {from}: {reason}")]
    Credentials {
        /// The registry.
        host: String,
        /// The file, variable or helper.
        from: String,
        /// What is wrong.
        reason: String,
    },
    /// A file on this machine cannot be read or written.
    #[error("{doing} {path}: {error}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: Utf8PathBuf,
        /// Why it failed.
        error: std::io::Error,
    },
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: impl Into<Utf8PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { doing, path, error }
    }

    /// The answer that was no answer, if that is what it was: for repeating what is transient.
    pub(crate) fn http(&self) -> Option<&HttpError> {
        match self {
            Error::Http(error) | Error::Refused { error, .. } => Some(error),
            _ => None,
        }
    }

    /// The status, where the registry refused.
    pub fn status(&self) -> Option<u16> {
        match self.http()? {
            HttpError::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// The specification's form of an error.
#[derive(Deserialize)]
struct Body {
    errors: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// What the body of a refusal says: codes and messages, or the beginning of a text.
pub(crate) fn detail(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Body>(body) {
        Ok(Body { errors }) => {
            let one = |One { code, message }| if message.is_empty() { code } else { format!("{code}: {message}") };
            errors.into_iter().map(one).collect::<Vec<_>>().join("; ")
        }
        Err(_) => beginning(body),
    };
    if text.is_empty() { text } else { format!(" ({text})") }
}

/// The first characters of an answer, on one line.
pub(crate) fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(400)]);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_quoted_shortly() {
        let json = br#"{"errors":[{"code":"DENIED","message":"no"},{"code":"X"}]}"#;
        assert_eq!(detail(json), " (DENIED: no; X)");
        assert_eq!(detail(b"<html>\n <b>Bad\x1b[31m gateway"), " (<html> <b>Bad[31m gateway)");
        assert_eq!(detail(b""), "");
    }
}
