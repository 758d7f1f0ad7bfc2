//! As much of a certificate as a trust store needs: its DER bytes and the hash of its subject.
//!
//! Nothing here judges a certificate. PEM: RFC 7468; certificates: RFC 5280; the hash is that of OpenSSL's
//! `X509_NAME_hash` (<https://docs.openssl.org/3.0/man3/X509_get_subject_name/>), after which the links in
//! `/etc/ssl/certs` are named.

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// The certificates of a PEM file, as DER. None if the text between two markers is no base64.
pub(super) fn pem_certificates(pem: &str) -> Option<Vec<Vec<u8>>> {
    let mut certificates = Vec::new();
    let mut rest = pem;
    while let Some((_, begin)) = rest.split_once("-----BEGIN CERTIFICATE-----") {
        let (body, after) = begin.split_once("-----END CERTIFICATE-----")?;
        let body: String = body.split_ascii_whitespace().collect();
        certificates.push(BASE64_STANDARD.decode(body).ok()?);
        rest = after;
    }
    Some(certificates)
}

/// A certificate in PEM, 64 characters a line.
pub(super) fn to_pem(der: &[u8]) -> String {
    // 48 bytes make a line of 64 characters.
    let lines: String = der.chunks(48).map(|line| BASE64_STANDARD.encode(line) + "\n").collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}

/// OpenSSL's hash of the subject of a certificate, eight hexadecimal digits. None if it is no X.509 certificate.
pub(super) fn subject_hash(der: &[u8]) -> Option<String> {
    let subject = subject(der)?;
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, &canonical_name(subject)?);
    let start = digest.as_ref().first_chunk()?;
    Some(format!("{:08x}", u32::from_le_bytes(*start)))
}

/// The content of the subject of a certificate: RFC 5280, section 4.1.
fn subject(der: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = expect(der, SEQUENCE)?;
    let (mut fields, _) = expect(certificate, SEQUENCE)?;
    if fields.first() == Some(&0xa0) {
        fields = element(fields)?.2;
    }
    // Serial number, signature algorithm, issuer, validity.
    for _ in 0..4 {
        fields = element(fields)?.2;
    }
    expect(fields, SEQUENCE).map(|(subject, _)| subject)
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTF8: u8 = 0x0c;

/// A name as OpenSSL hashes it: the sets one after the other, each text in UTF-8, in lower case, with single spaces.
fn canonical_name(mut name: &[u8]) -> Option<Vec<u8>> {
    let mut sets = Vec::new();
    while !name.is_empty() {
        let (mut set, rest) = expect(name, SET)?;
        name = rest;
        let mut attributes = Vec::new();
        while !set.is_empty() {
            let (attribute, rest) = expect(set, SEQUENCE)?;
            set = rest;
            let (_, _, after_kind) = element(attribute)?;
            let kind = &attribute[..attribute.len() - after_kind.len()];
            let (tag, value, _) = element(after_kind)?;
            let value = match text(tag, value) {
                Some(text) => encode(UTF8, canonical_text(&text).as_bytes()),
                None => after_kind.to_vec(),
            };
            attributes.push(encode(SEQUENCE, &[kind, &value].concat()));
        }
        // DER wants the elements of a set in the order of their encodings.
        attributes.sort();
        sets.extend(encode(SET, &attributes.concat()));
    }
    Some(sets)
}

/// The text of a string type that OpenSSL converts; none for all other types.
fn text(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        // UTF8String, PrintableString, IA5String, VisibleString
        0x0c | 0x13 | 0x16 | 0x1a => String::from_utf8(value.to_vec()).ok(),
        // TeletexString, which OpenSSL reads as Latin-1
        0x14 => Some(value.iter().map(|byte| char::from(*byte)).collect()),
        // UniversalString
        0x1c => value.chunks(4).map(|four| char::from_u32(u32::from_be_bytes(four.try_into().ok()?))).collect(),
        // BMPString
        0x1e => value.chunks(2).map(|two| char::from_u32(u16::from_be_bytes(two.try_into().ok()?).into())).collect(),
        _ => None,
    }
}

/// ASCII letters in lower case, white space trimmed and each run of it one space.
fn canonical_text(text: &str) -> String {
    let words: Vec<_> =
        text.split(|c: char| c.is_ascii_whitespace() || c == '\x0b').filter(|word| !word.is_empty()).collect();
    words.join(" ").to_ascii_lowercase()
}

/// The first element of DER bytes: tag, content and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, short], mut rest) = der.split_first_chunk::<2>()?;
    let mut length = usize::from(short);
    if short & 0x80 != 0 {
        let (digits, after) = rest.split_at_checked(usize::from(short & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The content of the first element, which must have this tag, and what follows it.
fn expect(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(der).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// The DER encoding of an element.
fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut der = vec![tag];
    match length {
        0..0x80 => der.push(length as u8),
        0x80..0x100 => der.extend([0x81, length as u8]),
        _ => der.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    der.extend_from_slice(content);
    der
}
