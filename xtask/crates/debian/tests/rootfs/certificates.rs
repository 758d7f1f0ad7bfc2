//! The trust stores.

use debian::rootfs::{Authority, Recipe};

use crate::{EPOCH, common::Package, make_with};

fn certificate(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/certificates/{name}.pem", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The alias and the certificate of each entry of a JKS keystore, and whether its seal is right.
fn keystore(bytes: &[u8]) -> (Vec<(String, Vec<u8>)>, bool) {
    let (mut rest, seal) = bytes.split_at(bytes.len() - 20);
    let sealed = rest;
    let mut take = |count: usize| {
        let (taken, after) = rest.split_at(count);
        rest = after;
        taken
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0usize, |number, byte| number << 8 | usize::from(*byte));
    assert_eq!(take(8), [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]);
    let mut found = Vec::new();
    for _ in 0..number(take(4)) {
        assert_eq!(number(take(4)), 2, "a trusted certificate");
        let length = number(take(2));
        let alias = String::from_utf8(take(length).to_vec()).unwrap();
        assert_eq!(number(take(8)) as u64, EPOCH * 1000);
        let length = number(take(2));
        assert_eq!(take(length), b"X.509");
        let length = number(take(4));
        found.push((alias, take(length).to_vec()));
    }
    assert!(rest.is_empty());
    let password: Vec<u8> = "changeit".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let whole = [&password, b"Mighty Aphrodite".as_slice(), sealed].concat();
    let expected = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &whole);
    (found, expected.as_ref() == seal)
}

#[test]
fn authorities_stand_in_both_trust_stores() {
    let shipped = String::from_utf8(certificate("sorted")).unwrap();
    let made = [
        Package::new("ca-certificates", "1").file("./usr/share/ca-certificates/m/A (b).crt", 0o644, &shipped),
        Package::new("ca-certificates-java", "1"),
    ];
    let own = Authority { name: "corporate".into(), pem: certificate("both") };
    let root = make_with(&made, &Recipe::default(), &[own]).unwrap();
    // The hashes are those that openssl gives, see fixtures/certificates/make.sh.
    for (hash, link, file) in [
        ("f6d279e4", "corporate.pem", "/usr/local/share/ca-certificates/corporate.crt"),
        ("b5fe099d", "corporate-2.pem", "/usr/local/share/ca-certificates/corporate-2.crt"),
        ("950093da", "A_=b=.pem", "/usr/share/ca-certificates/m/A (b).crt"),
    ] {
        assert_eq!(root[&format!("etc/ssl/certs/{hash}.0")].target, link);
        assert_eq!(root[&format!("etc/ssl/certs/{link}")].target, file);
    }
    assert_eq!(root["usr/local/share/ca-certificates/corporate.crt"].bytes, certificate("plain"));
    assert_eq!(root["usr/local/share/ca-certificates/corporate-2.crt"].bytes, certificate("spaced"));
    let bundle = [certificate("sorted"), certificate("spaced"), certificate("plain")].concat();
    assert_eq!(root["etc/ssl/certs/ca-certificates.crt"].bytes, bundle);
    assert!(root["etc/ca-certificates.conf"].text().ends_with("#\nm/A (b).crt\n"));
    let (entries, sealed) = keystore(&root["etc/ssl/certs/java/cacerts"].bytes);
    let aliases: Vec<_> = entries.iter().map(|(alias, _)| alias.as_str()).collect();
    assert_eq!(aliases, ["debian:a_=b=.pem", "debian:corporate-2.pem", "debian:corporate.pem"]);
    assert!(sealed && entries.iter().all(|(_, der)| der.starts_with(&[0x30, 0x82])));
}

#[test]
fn one_certificate_under_two_names_gets_two_hash_links() {
    let own = ["a", "b"].map(|name| Authority { name: name.into(), pem: certificate("plain") });
    let root = make_with(&[Package::new("x", "1")], &Recipe::default(), &own).unwrap();
    assert_eq!(root["etc/ssl/certs/f6d279e4.0"].target, "a.pem");
    assert_eq!(root["etc/ssl/certs/f6d279e4.1"].target, "b.pem");
    assert!(!root.contains_key("etc/ssl/certs/java/cacerts"), "no package looks there");
}

#[test]
fn what_is_no_certificate_is_refused() {
    let whole = String::from_utf8(certificate("plain")).unwrap();
    for (name, pem) in [
        ("empty", String::new()),
        ("cut", whole[..whole.len() / 2].to_owned()),
        ("no-base64", whole.replace('M', "*")),
        ("no-certificate", "-----BEGIN CERTIFICATE-----\naGFsbG8=\n-----END CERTIFICATE-----\n".to_owned()),
        ("../up", whole.clone()),
        ("a b", whole.clone()),
    ] {
        let own = Authority { name: name.into(), pem: pem.into_bytes() };
        let error = make_with(&[Package::new("x", "1")], &Recipe::default(), &[own]).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    let own = ["a", "a"].map(|name| Authority { name: name.into(), pem: certificate("plain") });
    assert!(make_with(&[Package::new("x", "1")], &Recipe::default(), &own).is_err(), "two of one name");
}
