//! What looks like a secret, by pattern.
//!
//! A pattern is a beginning that is rare in texts, and a check of what follows. What is found is never repeated in full: a
//! report must not spread it.

use std::net::IpAddr;

use memchr::memmem;

/// Files that are larger are no configuration.
pub(crate) const MAX_FILE: u64 = 1 << 20;
/// A file with a NUL among its first bytes is no text.
const HEAD: usize = 1024;

/// A secret that was found in a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret {
    /// The line, from 1.
    pub line: usize,
    /// What kind it is.
    pub kind: &'static str,
    /// Its beginning.
    pub hint: String,
}

/// What one looks like: how it begins, and which and how many characters follow.
struct Pattern {
    kind: &'static str,
    begin: &'static str,
    least: usize,
    most: usize,
    is: fn(u8) -> bool,
}

const fn pattern(kind: &'static str, begin: &'static str, least: usize, most: usize, is: fn(u8) -> bool) -> Pattern {
    Pattern { kind, begin, least, most, is }
}

fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn alnum(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn word(byte: u8) -> bool {
    alnum(byte) || byte == b'_'
}

fn dashed(byte: u8) -> bool {
    word(byte) || byte == b'-'
}

/// Lengths are those that the issuers document or have always used.
const PATTERNS: &[Pattern] = &[
    pattern("AWS access key", "AKIA", 16, 16, upper),
    pattern("temporary AWS access key", "ASIA", 16, 16, upper),
    pattern("GitHub token", "ghp_", 36, 251, alnum),
    pattern("GitHub token", "gho_", 36, 251, alnum),
    pattern("GitHub token", "ghs_", 36, 251, alnum),
    pattern("GitHub token", "github_pat_", 60, 251, word),
    pattern("GitLab token", "glpat-", 20, 64, dashed),
    pattern("Docker Hub token", "dckr_pat_", 20, 64, dashed),
    pattern("Slack token", "xoxb-", 24, 251, dashed),
    pattern("Slack token", "xoxp-", 24, 251, dashed),
    pattern("Google API key", "AIza", 35, 35, dashed),
    pattern("Hugging Face token", "hf_", 34, 40, alnum),
    pattern("npm token", "npm_", 36, 36, alnum),
    pattern("PyPI token", "pypi-AgE", 50, 251, dashed),
];

const PEM: &str = "-----BEGIN ";
const AWS_SECRETS: [&str; 2] = ["aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"];

/// What searches texts.
pub(crate) struct Scanner {
    patterns: Vec<memmem::Finder<'static>>,
    pem: memmem::Finder<'static>,
    aws: Vec<memmem::Finder<'static>>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            patterns: PATTERNS.iter().map(|pattern| memmem::Finder::new(pattern.begin)).collect(),
            pem: memmem::Finder::new(PEM),
            aws: AWS_SECRETS.iter().map(memmem::Finder::new).collect(),
        }
    }
}

impl Scanner {
    /// The secrets in a text; none where the bytes are no text.
    pub(crate) fn scan(&self, text: &[u8]) -> Vec<Secret> {
        if memchr::memchr(0, &text[..text.len().min(HEAD)]).is_some() {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut take = |at: usize, kind, length: usize| {
            let line = memchr::memchr_iter(b'\n', &text[..at]).count() + 1;
            let hint = String::from_utf8_lossy(&text[at..at + length]).into_owned();
            found.push(Secret { line, kind, hint });
        };
        for (pattern, finder) in PATTERNS.iter().zip(&self.patterns) {
            for at in finder.find_iter(text).filter(|&at| pattern.fits(text, at)) {
                take(at, pattern.kind, pattern.begin.len());
            }
        }
        for at in self.pem.find_iter(text).filter(|&at| is_private_key(&text[at..])) {
            take(at, "private key", PEM.len());
        }
        for (finder, name) in self.aws.iter().zip(AWS_SECRETS) {
            for at in finder.find_iter(text).filter(|&at| is_aws_secret(&text[at + name.len()..])) {
                take(at, "AWS secret key", name.len());
            }
        }
        found.sort();
        found.dedup();
        found
    }
}

impl Pattern {
    /// Whether what follows the beginning at `at` makes it a secret: a word of its own, of the right length, and not the
    /// example of a manual.
    fn fits(&self, text: &[u8], at: usize) -> bool {
        let rest = &text[at + self.begin.len()..];
        let length = rest.iter().take_while(|&&byte| (self.is)(byte)).count();
        let value = &rest[..length];
        let alone = at == 0 || !dashed(text[at - 1]);
        let ends = rest.get(length).is_none_or(|&byte| !word(byte));
        alone && ends && (self.least..=self.most).contains(&length) && !is_placeholder(value)
    }
}

/// Whether it is what manuals write in the place of a secret: few different characters, or the word `EXAMPLE`.
fn is_placeholder(value: &[u8]) -> bool {
    let mut seen = [false; 256];
    value.iter().for_each(|&byte| seen[usize::from(byte)] = true);
    let different = seen.iter().filter(|&&seen| seen).count();
    different < 8 || memmem::find(&value.to_ascii_uppercase(), b"EXAMPLE").is_some()
}

/// Whether a PEM header that begins here is that of a private key with a body. Programs hold the header alone.
fn is_private_key(text: &[u8]) -> bool {
    let Some(end) = memmem::find(&text[PEM.len()..text.len().min(PEM.len() + 40)], b"PRIVATE KEY-----") else {
        return false;
    };
    let body = &text[PEM.len() + end + "PRIVATE KEY-----".len()..];
    let stop = memmem::find(body, b"-----END ").unwrap_or(body.len());
    let base64 = |byte: &&u8| alnum(**byte) || matches!(**byte, b'+' | b'/' | b'=');
    // `\n` as two characters is how JSON and variables hold it; the letter does no harm to a count.
    body[..stop].iter().filter(base64).count() >= 60 && memmem::find(&body[..stop], b"PRIVATE").is_none()
}

/// Whether a value of 40 characters follows the name, behind `=` or `:` and perhaps in quotes.
fn is_aws_secret(rest: &[u8]) -> bool {
    let rest = &rest[..rest.len().min(80)];
    let rest = rest.strip_prefix(b"\"").or(rest.strip_prefix(b"'")).unwrap_or(rest).trim_ascii_start();
    let Some(rest) = rest.strip_prefix(b"=").or(rest.strip_prefix(b":")) else { return false };
    let rest = rest.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"").or(rest.strip_prefix(b"'")).unwrap_or(rest);
    let value = rest.iter().take_while(|&&byte| alnum(byte) || matches!(byte, b'+' | b'/' | b'=')).count();
    value == 40 && !is_placeholder(&rest[..value])
}

/// Whether a variable of this name and value holds a secret: it is called so, and its value is one and no reference to
/// another place, no file, no switch.
pub(crate) fn is_secret_variable(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let called =
        ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "CREDENTIALS"]
            .iter()
            .any(|word| name.contains(word));
    let of_place =
        ["_FILE", "_PATH", "_DIR", "_URL", "_NAME", "_ENV", "_TTL", "_EXPIRY"].iter().any(|end| name.ends_with(end));
    let value = value.trim().trim_matches(['"', '\'']);
    let plain =
        ["true", "false", "none", "null", "yes", "no", "changeme", ""].contains(&value.to_ascii_lowercase().as_str());
    called
        && !of_place
        && !plain
        && !value.starts_with(['$', '/', '<', '{'])
        && !value.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a text holds an address with a password in it, and of whom. One that leads to no other machine gives nothing away.
pub(crate) fn password_in_url(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        rest = &rest[at + 3..];
        let authority = rest.split(|c: char| c == '/' || c.is_whitespace() || matches!(c, '"' | '\'')).next()?;
        if let Some((user, host)) = authority.rsplit_once('@')
            && let Some((name, password)) = user.split_once(':')
            && !host.is_empty()
            && !is_local(host)
            && !password.is_empty()
            && !password.starts_with(['$', '<', '{', '*'])
        {
            return Some(name);
        }
    }
    None
}

/// Whether `HOST[:PORT]` is the machine itself, or of a domain that no network has (RFC 6761).
fn is_local(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.is_ok_and(|address| address.is_loopback())
        || name.rsplit('.').next().is_some_and(|last| matches!(last, "localhost" | "test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(usize, &'static str)> {
        Scanner::default().scan(text.as_bytes()).into_iter().map(|secret| (secret.line, secret.kind)).collect()
    }

    /// The texts are put together here, so that no scanner finds them in this file.
    fn key(begin: &str, rest: &str) -> String {
        format!("{begin}{rest}")
    }

    #[test]
    fn secrets_are_found_with_their_lines() {
        let aws = key("AKIA", "Q7ZL2MPX9RT4BVWC");
        assert_eq!(kinds(&format!("a\nkey={aws}\n")), [(2, "AWS access key")]);
        let github = key("ghp_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
        assert_eq!(kinds(&github), [(1, "GitHub token")]);
        let secret = format!("\n\naws_secret_access_key = {}", key("wJalrXUtnFEMI/K7MDENG/", "bPxRfiCYzzQ8tu2kLmb"));
        assert_eq!(kinds(&secret), [] as [(usize, &str); 0], "39 or 41 characters are none");
        let secret = format!("\n\naws_secret_access_key = {}", key("wJalrXUtnFEMI/K7MDENG/", "bPxRfiCYzzQ8tu2kLm"));
        assert_eq!(kinds(&secret), [(3, "AWS secret key")]);
        let pem = format!("x\n{PEM}EC {}\n{}\n-----END", "PRIVATE KEY-----", "MHcCAQEEIIgk".repeat(6));
        assert_eq!(kinds(&pem), [(2, "private key")]);
        let escaped = format!("{PEM}{}\\n{}\\n-----END", "PRIVATE KEY-----", "MHcCAQEEIIgk".repeat(6));
        assert_eq!(kinds(&escaped), [(1, "private key")]);
    }

    #[test]
    fn what_only_looks_so_is_none() {
        for text in [
            key("AKIA", "IOSFODNN7EXAMPLE"),
            key("AKIA", "XXXXXXXXXXXXXXXX"),
            key("AKIA", "Q7ZL2MPX9RT4BVWCX"),
            key("xAKIA", "Q7ZL2MPX9RT4BVWC"),
            format!("if text.startswith('{PEM}RSA {}'):", "PRIVATE KEY-----"),
            format!("{PEM}CERTIFICATE-----\n{}", "MHcCAQEEIIgk".repeat(6)),
            "aws_secret_access_key = os.environ['AWS_SECRET_ACCESS_KEY']".to_owned(),
            format!("\0{}", key("AKIA", "Q7ZL2MPX9RT4BVWC")),
            String::new(),
        ] {
            assert_eq!(kinds(&text), [] as [(usize, &str); 0], "{text}");
        }
    }

    #[test]
    fn variables_are_judged_by_name_and_value() {
        for (name, value) in [("DB_PASSWORD", "hunter2"), ("aws_secret_access_key", "minioadmin"), ("NPM_TOKEN", "x1")]
        {
            assert!(is_secret_variable(name, value), "{name}");
        }
        for (name, value) in [
            ("DB_PASSWORD", ""),
            ("DB_PASSWORD", "${DB_PASSWORD}"),
            ("DB_PASSWORD_FILE", "x"),
            ("TOKEN_TTL", "300"),
            ("MAX_TOKENS", "300"),
            ("SPARK_AUTHENTICATE_SECRET", "/run/secrets/spark"),
            ("PATH", "hunter2"),
        ] {
            assert!(!is_secret_variable(name, value), "{name}={value}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_found() {
        assert_eq!(password_in_url("git clone https://me:s3cret@example.org/x"), Some("me"));
        assert_eq!(password_in_url("a://b c://me:s3cret@host"), Some("me"));
        assert_eq!(password_in_url("mysql://me:s3cret@127.0.0.1.example.org:3306/x"), Some("me"));
        for text in [
            "https://example.org:443/a@b",
            "https://me@example.org",
            "https://me:${PW}@example.org",
            "://",
            "",
            "mysql://me:s3cret@127.0.0.1:3306/x",
            "mysql://me:s3cret@[::1]:3306/x",
            "https://me:s3cret@localhost/x",
            "https://me:s3cret@s3.test:9000/x",
        ] {
            assert_eq!(password_in_url(text), None, "{text}");
        }
    }
}
