//! Files with a signature beside them, and the keys that projects publish. `fixtures/detached/make.sh` made them.

use std::fs;

use camino::Utf8PathBuf;
use debian::openpgp::{DetachedError, KeyError, Keyring, SignedBy, VerifyError, verify_detached};

/// 2020-06-01, when the files were signed.
const JUNE_2020: u64 = 1_590_969_600;

fn path(name: &str) -> Utf8PathBuf {
    Utf8PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/detached").join(name)
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap()
}

fn keys() -> Keyring {
    Keyring::from_keys_file("KEYS", &fixture("KEYS")).unwrap()
}

fn verified(signature: &str) -> Result<SignedBy, DetachedError> {
    verify_detached(&path("archive"), &fixture(signature), &keys())
}

fn refusal(result: Result<SignedBy, DetachedError>) -> VerifyError {
    match result.unwrap_err() {
        DetachedError::Verify { error, .. } => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_signature_says_who_made_it_and_when() {
    let fingerprints = String::from_utf8(fixture("fingerprints")).unwrap();
    for (name, fingerprint) in ["rsa", "ed25519", "subkey"].into_iter().zip(fingerprints.lines()) {
        let signed = verified(&format!("{name}.asc")).unwrap();
        assert_eq!(signed.fingerprint, fingerprint);
        assert_eq!(signed.user_id, Some(format!("Manager {name} <{name}@registry.example>")));
        assert!((JUNE_2020..JUNE_2020 + 60).contains(&signed.when), "{}", signed.when);
    }
}

#[test]
fn a_release_stays_signed_when_its_managers_key_expires() {
    let signed = verified("expired.asc").unwrap();
    assert_eq!(signed.user_id.as_deref(), Some("Manager expired <expired@registry.example>"));
}

#[test]
fn one_of_two_signatures_must_be_known_and_none_that_is_known_bad() {
    assert_eq!(verified("two.asc").unwrap().fingerprint, verified("rsa.asc").unwrap().fingerprint);
}

#[test]
fn a_file_that_was_changed_or_cut_off_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let copy = Utf8PathBuf::try_from(folder.path().join("archive")).unwrap();
    let whole = fixture("archive");
    let mut changed = whole.clone();
    changed[60] ^= 1;
    let longer = [&whole[..], b"\n"].concat();
    for bytes in [&changed, &whole[..whole.len() - 1], &longer, b""] {
        fs::write(&copy, bytes).unwrap();
        for name in ["rsa.asc", "ed25519.asc", "subkey.asc", "two.asc"] {
            let error = refusal(verify_detached(&copy, &fixture(name), &keys()));
            assert!(matches!(error, VerifyError::Bad(_)), "{name}: {error}");
        }
    }
    fs::remove_file(&copy).unwrap();
    let error = verify_detached(&copy, &fixture("rsa.asc"), &keys()).unwrap_err();
    assert_eq!(error.to_string(), format!("reading {copy}"));
}

#[test]
fn a_key_that_is_not_there_or_revoked_counts_for_nothing() {
    assert!(matches!(refusal(verified("other.asc")), VerifyError::Unknown(ids) if ids.len() == 1));
    // One of the two copies of this key knows nothing of its revocation.
    assert!(matches!(refusal(verified("revoked.asc")), VerifyError::Unknown(ids) if ids.len() == 1));
}

#[test]
fn a_hash_that_can_be_forged_and_a_signature_over_text_are_refused() {
    assert!(matches!(refusal(verified("sha1.asc")), VerifyError::Hash(_)));
    assert!(matches!(refusal(verified("text.asc")), VerifyError::Unknown(ids) if ids.is_empty()));
}

#[test]
fn a_signature_that_is_damaged_never_counts() {
    let (whole, archive, keys) = (fixture("rsa.asc"), path("archive"), keys());
    // The line feed behind the last line is no part of the block.
    for end in 0..whole.len() - 1 {
        assert!(verify_detached(&archive, &whole[..end], &keys).is_err(), "{end}");
    }
    let twice = [&whole[..], &whole[..]].concat();
    assert!(matches!(refusal(verify_detached(&archive, &twice, &keys)), VerifyError::Armor(_)));
    assert!(matches!(refusal(verify_detached(&archive, &fixture("KEYS"), &keys)), VerifyError::Armor(_)));
}

#[test]
fn a_file_of_keys_gives_those_that_can_be_used() {
    for bytes in [&b""[..], b"no key", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"] {
        let error = Keyring::from_keys_file("KEYS", bytes).unwrap_err();
        assert!(matches!(error, KeyError::NoKey(name) if name == "KEYS"));
    }
    // Damage in one block costs that key alone.
    let text = String::from_utf8_lossy(&fixture("KEYS")).replacen("\nmQ", "\n*Q", 1);
    let keys = Keyring::from_keys_file("KEYS", text.as_bytes()).unwrap();
    verify_detached(&path("archive"), &fixture("ed25519.asc"), &keys).unwrap();
    let error = refusal(verify_detached(&path("archive"), &fixture("rsa.asc"), &keys));
    assert!(matches!(error, VerifyError::Unknown(_)), "{error}");
}
