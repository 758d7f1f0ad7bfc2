//! Signed release files: Debian's own, and made ones with everything that can be wrong. `fixtures/release/make.sh` made
//! them.

use std::{error::Error, fs, path::PathBuf};

use debian::{
    openpgp::{KeyError, Keyring, VerifyError},
    release::{Expected, Release, ReleaseError, verify},
};

/// 2020-06-02, a day after the made files were signed.
const JUNE_2020: u64 = 1_591_056_000;
/// 2026-11-23, two days after Debian's file was signed.
const NOVEMBER_2026: u64 = 1_795_392_000;
const DAY: u64 = 86_400;

fn fixture(name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/release").join(name)).unwrap()
}

fn keyring(names: &[&str]) -> Keyring {
    let files: Vec<_> = names.iter().map(|name| (*name, fixture(&format!("{name}.key.asc")))).collect();
    Keyring::from_armored(files.iter().map(|(name, bytes)| (*name, bytes.as_slice()))).unwrap()
}

/// The keys of Debian that the base image is built with.
fn debian_keyring() -> Keyring {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../docker/base/keys");
    let files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    Keyring::from_armored(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))).unwrap()
}

fn at(now: u64) -> Expected<'static> {
    Expected { suite: "test", now, accept_stale: false }
}

fn read(name: &str, keys: &[&str], expected: &Expected<'_>) -> Result<Release, ReleaseError> {
    verify(&fixture(&format!("{name}.InRelease")), &keyring(keys), expected)
}

/// An error with all that caused it.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

fn refusal(name: &str, keys: &[&str], expected: &Expected<'_>) -> String {
    chain(&read(name, keys, expected).unwrap_err())
}

#[test]
fn debian_s_own_file_is_verified() {
    let expected = Expected { suite: "bookworm-security", now: NOVEMBER_2026, accept_stale: false };
    let file = fixture("bookworm-security.InRelease");
    let release = verify(&file, &debian_keyring(), &expected).unwrap();
    assert_eq!((release.suite.as_str(), release.codename.as_str()), ("oldstable-security", "bookworm-security"));
    assert_eq!(release.valid_until, Some(release.date + 7 * DAY));
    assert!(!release.signers.is_empty());
    let indexes = release.packages("main", "amd64").unwrap();
    assert_eq!(indexes[0].path, "main/binary-amd64/Packages.xz");
    let by_hash = format!("main/binary-amd64/by-hash/SHA256/{}", indexes[0].digest.hex());
    assert_eq!(indexes[0].by_hash.as_deref(), Some(by_hash.as_str()));
    let error = release.packages("universe", "amd64").unwrap_err();
    assert_eq!(error.to_string(), "bookworm-security has no index of the component universe for amd64");
}

#[test]
fn every_changed_byte_of_debian_s_file_is_noticed() {
    let expected = Expected { suite: "bookworm-security", now: NOVEMBER_2026, accept_stale: false };
    let (file, keyring) = (fixture("bookworm-security.InRelease"), debian_keyring());
    let text_ends = file.windows(5).rposition(|bytes| bytes == b"BEGIN").unwrap();
    for at in (0..text_ends).step_by(997) {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(verify(&changed, &keyring, &expected).is_err(), "byte {at}");
    }
    for length in (0..file.len() - 2).step_by(997) {
        assert!(verify(&file[..length], &keyring, &expected).is_err(), "cut to {length} bytes");
    }
}

#[test]
fn rsa_ed25519_and_subkeys_verify() {
    for (name, key) in [("ed25519", "ed25519"), ("subkey", "subkey"), ("expired", "expired")] {
        let release = read(name, &[key], &at(JUNE_2020)).unwrap();
        assert_eq!(release.codename, "test", "{name}");
    }
    let mut windows = String::from_utf8(fixture("subkey.InRelease")).unwrap();
    windows = windows.replace('\n', "\r\n");
    verify(windows.as_bytes(), &keyring(&["subkey"]), &at(JUNE_2020)).unwrap();
}

#[test]
fn changed_text_is_refused() {
    for name in ["ed25519", "subkey"] {
        let text = String::from_utf8(fixture(&format!("{name}.InRelease"))).unwrap();
        let changed = text.replacen("Suite: stable", "Suite: stale", 1);
        let error = verify(changed.as_bytes(), &keyring(&[name]), &at(JUNE_2020)).unwrap_err();
        assert!(chain(&error).contains("does not fit the text"), "{}", chain(&error));
    }
}

#[test]
fn unknown_keys_are_refused_by_their_id() {
    let error = refusal("subkey", &["ed25519", "expired"], &at(JUNE_2020));
    assert!(error.contains("expected a signature by a key of the keyring, found those by "), "{error}");
    let error = verify(&fixture("subkey.InRelease"), &Keyring::default(), &at(JUNE_2020)).unwrap_err();
    assert!(chain(&error).contains("found those by"), "{}", chain(&error));
}

#[test]
fn a_subkey_that_its_primary_key_did_not_bind_is_unknown() {
    let error = refusal("subkey", &["claimed"], &at(JUNE_2020));
    assert!(error.contains("expected a signature by a key of the keyring"), "{error}");
    read("ed25519", &["claimed"], &at(JUNE_2020)).unwrap();
}

#[test]
fn a_revoked_key_is_no_key() {
    let bytes = fixture("revoked.key.asc");
    let error = Keyring::from_armored([("revoked", bytes.as_slice())]).unwrap_err();
    assert!(matches!(error, KeyError::NoKey(name) if name == "revoked"));
}

#[test]
fn a_key_that_expired_counts_only_where_stale_files_do() {
    let later = at(JUNE_2020 + 365 * DAY);
    let error = refusal("expired", &["expired"], &later);
    assert!(error.contains("is out of date, or the key is"), "{error}");
    read("expired", &["expired"], &Expected { accept_stale: true, ..later }).unwrap();
}

#[test]
fn a_file_whose_validity_is_over_is_refused_unless_stale_ones_count() {
    let later = at(JUNE_2020 + 8 * DAY);
    let error = refusal("ed25519", &["ed25519"], &later);
    assert!(error.contains("was valid until Mon, 08 Jun 2020 00:00:00 UTC"), "{error}");
    read("ed25519", &["ed25519"], &Expected { accept_stale: true, ..later }).unwrap();
    read("subkey", &["subkey"], &later).unwrap();
}

#[test]
fn a_file_from_the_future_is_refused() {
    let error = refusal("ed25519", &["ed25519"], &at(JUNE_2020 - 5 * DAY));
    assert!(error.contains("is the clock of this machine right?"), "{error}");
}

#[test]
fn another_suite_is_refused() {
    for suite in ["stable", "test"] {
        read("ed25519", &["ed25519"], &Expected { suite, ..at(JUNE_2020) }).unwrap();
    }
    let error = refusal("ed25519", &["ed25519"], &Expected { suite: "testing", ..at(JUNE_2020) });
    assert_eq!(error, "expected the release file of testing, found that of stable (test)");
}

#[test]
fn a_missing_field_is_named() {
    let error = refusal("nameless", &["ed25519"], &at(JUNE_2020));
    assert_eq!(error, "expected a valid field `Codename` in the release file of test, found none");
}

#[test]
fn an_index_is_read_in_each_compression_and_only_with_the_right_bytes() {
    let release = read("subkey", &["subkey"], &at(JUNE_2020)).unwrap();
    let indexes = release.packages("main", "amd64").unwrap();
    let names: Vec<_> = indexes.iter().map(|index| index.path.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["Packages.xz", "Packages.gz", "Packages"]);
    for (index, name) in indexes.iter().zip(names) {
        let mut bytes = fixture(name);
        assert_eq!(index.read(&bytes).unwrap().as_bytes(), fixture("Packages"), "{name}");
        let error = index.read(&bytes[1..]).unwrap_err();
        assert!(error.to_string().contains("fetch it again"), "{error}");
        bytes[10] ^= 1;
        assert!(matches!(index.read(&bytes), Err(ReleaseError::Index { .. })), "{name}");
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let key = String::from_utf8(fixture("subkey.key.asc")).unwrap();
    for damaged in [&key[..key.len() / 2], "", "key", &key.replace("PUBLIC", "PRIVATE"), &key[..key.len() - 40]] {
        assert!(Keyring::from_armored([("damaged", damaged.as_bytes())]).is_err(), "{damaged}");
    }
}

#[test]
fn a_file_without_a_signature_is_refused() {
    let error = verify(&fixture("Packages"), &keyring(&["subkey"]), &at(JUNE_2020)).unwrap_err();
    let ReleaseError::Signature { source: VerifyError::Armor(_), .. } = error else { panic!("{error:?}") };
}
