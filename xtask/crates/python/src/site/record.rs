//! `RECORD`: what a wheel says of its files, and what is written of those that are installed.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use blob::Digest;

/// What `RECORD` says of one file: its SHA-256, if it has one of that kind, and its size.
pub(super) type Claim = (Option<Digest>, Option<u64>);

/// Reads a `RECORD`.
///
/// # Errors
/// A sentence: the text is no CSV, or a row has no path.
pub(super) fn parse(bytes: &[u8]) -> Result<HashMap<String, Claim>, String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut claims = HashMap::new();
    for row in reader.records() {
        let row = row.map_err(|why| format!("expected CSV in RECORD, found something else ({why})"))?;
        let digest = row.get(1).and_then(|hash| decode(hash.strip_prefix("sha256=")?));
        let size = row.get(2).and_then(|size| size.parse().ok());
        let path = row.get(0).unwrap_or_default();
        claims.insert(path.to_owned(), (digest, size));
    }
    Ok(claims)
}

fn decode(text: &str) -> Option<Digest> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    Some(Digest::from_bytes(bytes.try_into().ok()?))
}

/// Writes a `RECORD`, sorted by path. A file without a claim is `RECORD` itself.
pub(super) fn write(mut rows: Vec<(String, Option<(Digest, u64)>)>) -> Vec<u8> {
    rows.sort();
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (path, claim) in rows {
        let (hash, size) = match claim {
            Some((digest, size)) => (format!("sha256={}", URL_SAFE_NO_PAD.encode(digest.as_bytes())), size.to_string()),
            None => Default::default(),
        };
        writer.write_record([path, hash, size]).expect("a Vec takes every row");
    }
    writer.into_inner().expect("a Vec takes every row")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let digest = Digest::of(b"abc");
        let rows = vec![
            ("b, \"quoted\".py".to_owned(), Some((digest, 3))),
            ("a/é.py".to_owned(), Some((digest, 3))),
            ("foo-1.dist-info/RECORD".to_owned(), None),
        ];
        let bytes = write(rows);
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(
            text,
            "a/é.py,sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3\n\
             \"b, \"\"quoted\"\".py\",sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3\n\
             foo-1.dist-info/RECORD,,\n"
        );
        let claims = parse(&bytes).unwrap();
        assert_eq!(claims["b, \"quoted\".py"], (Some(digest), Some(3)));
        assert_eq!(claims["foo-1.dist-info/RECORD"], (None, None));
    }

    #[test]
    fn other_hashes_and_nonsense_are_no_claims() {
        let claims = parse(b"a,sha512=xx,3\r\nb,sha256=!,x\r\nc\r\n\r\n").unwrap();
        assert_eq!(claims["a"], (None, Some(3)));
        assert_eq!(claims["b"], (None, None));
        assert_eq!(claims["c"], (None, None));
        assert!(parse(b"\xff,a,b\n").is_err());
    }
}
