//! The trust stores: OpenSSL's bundle and hash links, and Java's keystore, as `update-ca-certificates` and its Java
//! hook would have made them.
//!
//! The Java keystore is a JKS file: it needs neither a password to be read nor randomness to be written, and Java 17
//! reads it whatever store type it is told. Format: the source of OpenJDK's `sun.security.provider.JavaKeyStore`.

use std::collections::{BTreeMap, BTreeSet};

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use super::{Inputs, tree::Tree, writer::Meta, x509};

/// Where the package `ca-certificates` keeps its certificates.
const SHIPPED: &str = "usr/share/ca-certificates/";
/// Where an administrator keeps further ones.
const LOCAL: &str = "usr/local/share/ca-certificates/";
/// Where programs look for them.
const STORE: &str = "etc/ssl/certs/";
/// The password of the Java keystore, Debian's and Java's own default. It seals, it hides nothing.
const STORE_PASSWORD: &str = "changeit";

/// Certificate authorities of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Name of the files that are made of it, without directory or suffix.
    pub name: String,
    /// One or several certificates in PEM.
    pub pem: Vec<u8>,
}

/// A certificate that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CertificateError {
    /// The name cannot be that of a file in a certificate directory.
    #[error("expected letters, digits, `.`, `_` and `-` in the name of a certificate authority, found `{0}`")]
    Name(String),
    /// The bytes hold no certificate in PEM.
    #[error("expected certificates in PEM (`-----BEGIN CERTIFICATE-----`) in {0}, found none or a damaged one")]
    Pem(String),
}

/// A certificate of the store.
struct Certificate {
    /// Absolute path of its own file.
    path: String,
    /// Name of its link in the store.
    link: String,
    /// The text of its file.
    pem: String,
    der: Vec<u8>,
    hash: String,
}

/// Whether the file at `path` of a package is a certificate that goes into the store.
pub(super) fn is_certificate(path: &str) -> bool {
    path.starts_with(SHIPPED) && path.ends_with(".crt")
}

/// Adds the stores. `captured` holds the certificates of the packages by path; a Java keystore is made where the
/// package for it is among `packages`.
pub(super) fn generate(
    packages: &BTreeSet<&str>,
    captured: &BTreeMap<String, Vec<u8>>,
    inputs: &Inputs<'_>,
    tree: &mut Tree,
    faults: &mut Vec<String>,
) -> Result<(), CertificateError> {
    if !packages.contains("ca-certificates") && inputs.authorities.is_empty() {
        return Ok(());
    }
    let mut certificates = Vec::new();
    for (path, pem) in captured.iter().filter(|(path, _)| is_certificate(path)) {
        let pem = String::from_utf8_lossy(pem).into_owned();
        certificates.push(certificate(path, pem)?);
    }
    let names: Vec<_> = certificates.iter().map(|shipped| shipped.path[SHIPPED.len() + 1..].to_owned()).collect();
    if packages.contains("ca-certificates") {
        tree.file("etc/ca-certificates.conf", Meta::root(0o644), configuration(&names), faults);
    }
    for (path, pem) in local_files(inputs.authorities)? {
        tree.file(&path, Meta::root(0o644), pem.as_bytes(), faults);
        certificates.push(certificate(&path, pem)?);
    }
    let bundle: String = certificates.iter().map(|certificate| certificate.pem.trim_end().to_owned() + "\n").collect();
    tree.file(&format!("{STORE}ca-certificates.crt"), Meta::root(0o644), bundle, faults);
    certificates.sort_by(|a, b| a.link.cmp(&b.link));
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    for certificate in &certificates {
        let number = numbers.entry(&certificate.hash).or_default();
        tree.link(&format!("{STORE}{}.{number}", certificate.hash), &certificate.link, faults);
        tree.link(&format!("{STORE}{}", certificate.link), &certificate.path, faults);
        *number += 1;
    }
    if packages.contains("ca-certificates-java") {
        let alias = |certificate: &Certificate| format!("debian:{}", certificate.link).to_lowercase();
        let entries = certificates.iter().map(|certificate| (alias(certificate), certificate.der.as_slice()));
        tree.file(&format!("{STORE}java/cacerts"), Meta::root(0o644), keystore(entries, inputs.epoch), faults);
    }
    Ok(())
}

fn certificate(path: &str, pem: String) -> Result<Certificate, CertificateError> {
    let error = || CertificateError::Pem(format!("/{path}"));
    let der = x509::pem_certificates(&pem).and_then(|all| all.into_iter().next()).ok_or_else(error)?;
    let hash = x509::subject_hash(&der).ok_or_else(error)?;
    let stem = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".crt");
    // The same translation as in update-ca-certificates.
    let link = stem.replace([' ', ','], "_").replace(['(', ')'], "=") + ".pem";
    Ok(Certificate { path: format!("/{path}"), link, pem, der, hash })
}

/// The files below `/usr/local` of one's own authorities: one certificate each, because hash links need that.
fn local_files(authorities: &[Authority]) -> Result<BTreeMap<String, String>, CertificateError> {
    let mut files = BTreeMap::new();
    for Authority { name, pem } in authorities {
        let proper = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(proper) {
            return Err(CertificateError::Name(name.clone()));
        }
        let certificates = x509::pem_certificates(&String::from_utf8_lossy(pem)).unwrap_or_default();
        if certificates.is_empty() {
            return Err(CertificateError::Pem(name.clone()));
        }
        for (at, der) in certificates.iter().enumerate() {
            let number = if at == 0 { String::new() } else { format!("-{}", at + 1) };
            let path = format!("{LOCAL}{name}{number}.crt");
            if files.insert(path, x509::to_pem(der)).is_some() {
                return Err(CertificateError::Name(name.clone()));
            }
        }
    }
    Ok(files)
}

/// `/etc/ca-certificates.conf`, with the comment that the package's own script writes.
fn configuration(names: &[String]) -> String {
    const COMMENT: &str = "\
# This file lists certificates that you wish to use or to ignore to be
# installed in /etc/ssl/certs.
# update-ca-certificates(8) will update /etc/ssl/certs by reading this file.
#
# This is autogenerated by dpkg-reconfigure ca-certificates.
# Certificates should be installed under /usr/share/ca-certificates
# and files with extension '.crt' is recognized as available certs.
#
# line begins with # is comment.
# line begins with ! is certificate filename to be deselected.
#
";
    COMMENT.to_owned() + &names.iter().map(|name| format!("{name}\n")).collect::<String>()
}

/// A JKS keystore that trusts certificates, each given by its alias and its DER. `epoch` is the time of its entries, in
/// seconds since 1970.
pub fn keystore<'c>(certificates: impl IntoIterator<Item = (String, &'c [u8])>, epoch: u64) -> Vec<u8> {
    const MAGIC: u32 = 0xfeed_feed;
    const VERSION: u32 = 2;
    const TRUSTED_CERTIFICATE: u32 = 2;
    let entries: BTreeMap<_, _> = certificates.into_iter().collect();
    let mut store = Vec::new();
    for number in [MAGIC, VERSION, entries.len() as u32] {
        store.extend(number.to_be_bytes());
    }
    for (alias, der) in entries {
        store.extend(TRUSTED_CERTIFICATE.to_be_bytes());
        // Java's modified UTF-8 is UTF-8 for all that occurs in a file name but characters beyond U+FFFF.
        push_text(&mut store, &alias);
        store.extend((epoch * 1000).to_be_bytes());
        push_text(&mut store, "X.509");
        store.extend((der.len() as u32).to_be_bytes());
        store.extend_from_slice(der);
    }
    let mut seal = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for unit in STORE_PASSWORD.encode_utf16() {
        seal.update(&unit.to_be_bytes());
    }
    // So it stands in OpenJDK's source.
    seal.update(b"Mighty Aphrodite");
    seal.update(&store);
    store.extend(seal.finish().as_ref());
    store
}

fn push_text(store: &mut Vec<u8>, text: &str) {
    store.extend((text.len() as u16).to_be_bytes());
    store.extend_from_slice(text.as_bytes());
}
