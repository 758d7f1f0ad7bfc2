//! The text forms of OpenPGP: ASCII armour, and the cleartext signature framework.

use base64::{Engine, prelude::BASE64_STANDARD};

/// A text that is no armour, or no clear-signed text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArmorError {
    /// A line that must be there is not.
    #[error("expected the line `{expected}`, found {found}")]
    Line {
        /// The line.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// Something stands before or behind what is signed, where a reader could take it for signed.
    #[error("expected nothing around the signed text, found `{0}`")]
    Around(String),
    /// The armoured bytes are no base64.
    #[error("expected base64 in the block `{0}`, found something else")]
    Base64(&'static str),
    /// The signed text is not UTF-8.
    #[error("expected UTF-8, found other bytes")]
    Encoding,
}

const BEGIN_MESSAGE: &str = "-----BEGIN PGP SIGNED MESSAGE-----";

/// A clear-signed text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cleartext {
    /// What is signed, with line feeds: trailing white space is not signed and is gone.
    pub(super) text: String,
    /// The signature packets.
    pub(super) signatures: Vec<u8>,
}

impl Cleartext {
    /// The bytes that are hashed: lines end with carriage return and line feed, the last one with nothing.
    pub(super) fn canonical(&self) -> Vec<u8> {
        self.text.strip_suffix('\n').unwrap_or(&self.text).replace('\n', "\r\n").into_bytes()
    }
}

/// Reads a clear-signed file: RFC 9580, section 7.
pub(super) fn cleartext(bytes: &[u8]) -> Result<Cleartext, ArmorError> {
    let file = std::str::from_utf8(bytes).map_err(|_| ArmorError::Encoding)?;
    let mut lines = file.lines();
    expect(lines.next(), BEGIN_MESSAGE)?;
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        if !line.starts_with("Hash: ") {
            return Err(ArmorError::Around(line.to_owned()));
        }
    }
    let mut text = String::with_capacity(file.len());
    let mut rest = None;
    for line in lines.by_ref() {
        let unescaped = line.strip_prefix("- ");
        if unescaped.is_none() && line.starts_with('-') {
            rest = Some(line);
            break;
        }
        text.push_str(unescaped.unwrap_or(line).trim_end_matches([' ', '\t', '\r']));
        text.push('\n');
    }
    let armored: Vec<&str> = rest.into_iter().chain(lines).collect();
    Ok(Cleartext { text, signatures: dearmor(&armored.join("\n"), "PGP SIGNATURE")? })
}

/// Reads one armoured block with this label and nothing around it: RFC 9580, section 6.
pub(super) fn dearmor(text: &str, label: &'static str) -> Result<Vec<u8>, ArmorError> {
    let mut lines = text.trim_end().lines().map(str::trim_end);
    expect(lines.next(), &format!("-----BEGIN {label}-----"))?;
    let end = format!("-----END {label}-----");
    // Headers such as `Version:` end with an empty line.
    let mut body = String::new();
    let mut in_headers = true;
    loop {
        match lines.next() {
            Some(line) if line == end => break,
            Some("") if in_headers => in_headers = false,
            Some(line) if in_headers && line.contains(": ") => {}
            // The checksum of the armour guards against accidents only, and what it guards is signed.
            Some(line) if line.starts_with('=') && line.len() == 5 => {}
            Some(line) if line.starts_with("-----") => {
                return Err(ArmorError::Line { expected: end, found: format!("`{line}`") });
            }
            Some(line) => {
                in_headers = false;
                body.push_str(line);
            }
            None => return Err(ArmorError::Line { expected: end, found: "the end of the file".into() }),
        }
    }
    if let Some(line) = lines.next() {
        return Err(ArmorError::Around(line.to_owned()));
    }
    BASE64_STANDARD.decode(body).map_err(|_| ArmorError::Base64(label))
}

/// The armoured blocks with this label in a text in which anything else may stand between them. Those that are cut off
/// or damaged are passed over.
pub(super) fn blocks(text: &str, label: &'static str) -> Vec<Vec<u8>> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines().map(str::trim_end) {
        if line == begin {
            block = Some(String::new());
        }
        if let Some(text) = &mut block {
            text.push_str(line);
            text.push('\n');
        }
        if line == end {
            blocks.extend(block.take().and_then(|text| dearmor(&text, label).ok()));
        }
    }
    blocks
}

fn expect(found: Option<&str>, expected: &str) -> Result<(), ArmorError> {
    match found {
        Some(line) if line.trim_end() == expected => Ok(()),
        found => {
            let found = found.map_or("the end of the file".into(), |line| {
                format!("`{}`", line.chars().take(80).collect::<String>())
            });
            Err(ArmorError::Line { expected: expected.to_owned(), found })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----\n\naGFs\nbG8=\n=abcd\n-----END PGP SIGNATURE-----\n";

    #[test]
    fn signed_text_is_unescaped_and_made_canonical() {
        let file = format!("{BEGIN_MESSAGE}\nHash: SHA256\n\na \t\n\n- -b\n{SIGNATURE}");
        let read = cleartext(file.as_bytes()).unwrap();
        assert_eq!(read.text, "a\n\n-b\n");
        assert_eq!(read.canonical(), b"a\r\n\r\n-b");
        assert_eq!(read.signatures, b"hallo");
        assert_eq!(cleartext(file.replace('\n', "\r\n").as_bytes()).unwrap(), read);
    }

    #[test]
    fn blocks_are_found_between_other_text() {
        let text = format!("keys of\n\n{SIGNATURE}pub 4096R\n{}\n{SIGNATURE}", &SIGNATURE[..40]);
        assert_eq!(blocks(&text, "PGP SIGNATURE"), [b"hallo", b"hallo"]);
        assert_eq!(blocks(&text.replace("aGFs", "a*Fs"), "PGP SIGNATURE").len(), 0);
        assert_eq!(blocks(&text, "PGP PUBLIC KEY BLOCK").len(), 0);
    }

    #[test]
    fn nothing_may_stand_around_what_is_signed() {
        for file in [
            format!("x\n{BEGIN_MESSAGE}\nHash: SHA256\n\na\n{SIGNATURE}"),
            format!("{BEGIN_MESSAGE}\nHash: SHA256\nSuite: x\n\na\n{SIGNATURE}"),
            format!("{BEGIN_MESSAGE}\nHash: SHA256\n\na\n{SIGNATURE}Suite: x\n"),
            format!("{BEGIN_MESSAGE}\nHash: SHA256\n\na\n{SIGNATURE}{SIGNATURE}"),
            format!("{BEGIN_MESSAGE}\nHash: SHA256\n\na\n-x\n{SIGNATURE}"),
            format!("{BEGIN_MESSAGE}\nHash: SHA256\n\na\n"),
            format!("{BEGIN_MESSAGE}\nHash: SHA256\n\na\n{}", &SIGNATURE[..50]),
            BEGIN_MESSAGE.to_owned(),
            String::new(),
        ] {
            assert!(cleartext(file.as_bytes()).is_err(), "{file}");
        }
    }
}
