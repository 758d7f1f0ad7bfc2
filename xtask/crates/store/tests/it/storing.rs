//! What the store keeps, finds and notices, without any network.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::atomic::AtomicBool};

use blob::Digest;
use store::{FaultKind, Silent, Store, StoreError};

use crate::helpers::{assert_fetched, assert_holds, assert_nothing_pending, bytes, http, temp};

fn never() -> AtomicBool {
    AtomicBool::new(false)
}

/// Writes over an artifact, as a bad disk would.
fn damage(store: &Store, digest: &Digest, bytes: &[u8]) {
    let path = store.path_of(digest);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_imported_is_found_under_its_digest() {
    let temp = temp();
    let body = bytes(40, 700_000);
    let digest = Digest::of(&body);
    assert_eq!(temp.store.import(body.as_slice(), "body", None).unwrap(), (digest, 700_000));
    assert_holds(&temp.store, &body);
    let hex = digest.hex();
    assert_eq!(temp.store.path_of(&digest), temp.root.join("artifacts").join(&hex[..2]).join(&hex));
    assert_eq!(temp.store.get(&digest, Some(699_999)), None);
    assert!(temp.store.get(&digest, None).is_some());
    // Again, from a file, as expected.
    let file = temp.root.join("file");
    fs::write(&file, &body).unwrap();
    assert_eq!(temp.store.import_file(&file, Some(digest)).unwrap(), (digest, 700_000));
    assert_nothing_pending(&temp.store);
}

#[test]
fn an_import_of_other_bytes_is_refused() {
    let temp = temp();
    let error = temp.store.import(b"abc".as_slice(), "driver.jar", Some(Digest::of(b"abd"))).unwrap_err();
    let (expected, found) = (Digest::of(b"abd"), Digest::of(b"abc"));
    assert_eq!(error.to_string(), format!("importing driver.jar: expected {expected}, found {found} (3 bytes)"));
    assert!(temp.store.get(&found, None).is_none());
    assert_nothing_pending(&temp.store);
    let error = temp.store.import_file(&temp.root.join("missing.jar"), None).unwrap_err();
    let reason = "No such file or directory (os error 2)";
    assert_eq!(error.to_string(), format!("importing {}/missing.jar: {reason}", temp.root));
}

#[test]
fn every_fault_is_found_named_and_healed() {
    let temp = temp();
    let bodies: Vec<_> = (0..6).map(|seed| bytes(50 + seed, 10_000)).collect();
    let digests: Vec<_> = bodies.iter().map(|body| Digest::of(body)).collect();
    for body in &bodies {
        temp.store.import(body.as_slice(), "body", None).unwrap();
    }
    let size_of = |digest: &Digest| (*digest != digests[3]).then_some(10_000);
    assert_eq!(temp.store.verify_all(&size_of, &never(), &Silent).unwrap(), []);

    let mut flipped = bodies[0].clone();
    flipped[5000] ^= 0x80;
    damage(&temp.store, &digests[0], &flipped);
    damage(&temp.store, &digests[1], &bodies[1][..9999]);
    damage(&temp.store, &digests[2], b"");
    damage(&temp.store, &digests[3], &bodies[3][..9999]);
    fs::write(temp.root.join("artifacts/notes.txt"), "x").unwrap();
    fs::copy(temp.store.path_of(&digests[4]), temp.root.join("artifacts").join(digests[4].hex())).unwrap();
    fs::write(temp.root.join(format!("pending/{}.part", digests[5].hex())), b"half").unwrap();

    let faults = temp.store.verify_all(&size_of, &never(), &Silent).unwrap();
    let mut kinds: Vec<FaultKind> = faults.iter().map(|fault| fault.kind.clone()).collect();
    kinds.sort();
    let mut expected = vec![
        FaultKind::Corrupted { expected: digests[0], found: Digest::of(&flipped), size: 10_000 },
        FaultKind::Corrupted { expected: digests[3], found: Digest::of(&bodies[3][..9999]), size: 9999 },
        FaultKind::Truncated { expected: digests[1], expected_size: Some(10_000), size: 9999 },
        FaultKind::Truncated { expected: digests[2], expected_size: Some(10_000), size: 0 },
        FaultKind::Foreign,
        FaultKind::Foreign,
        FaultKind::Pending { size: 4 },
    ];
    expected.sort();
    assert_eq!(kinds, expected);
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(said.contains(&format!(
        "{}: corrupted: expected {}, found {} (10000 bytes)",
        temp.store.path_of(&digests[0]),
        digests[0],
        Digest::of(&flipped)
    )));

    // Nothing was changed by looking; now the bad ones make room.
    for digest in faults.iter().filter_map(store::Fault::digest) {
        let kept = temp.store.remove(&digest).unwrap().unwrap();
        assert_eq!(kept, temp.root.join("quarantine").join(digest.hex()));
        assert!(kept.exists() && temp.store.get(&digest, None).is_none());
        assert_eq!(temp.store.remove(&digest).unwrap(), None);
    }
    let server = crate::server::Server::start({
        let body = bodies[0].clone();
        move |asked, conn| conn.file(asked, &body)
    });
    fs::remove_file(temp.root.join(format!("pending/{}.part", digests[5].hex()))).unwrap();
    assert_fetched(&temp.store, &http(), &bodies[0], &[server.url("/a")]);
}

#[test]
fn a_partial_file_in_use_is_no_fault() {
    let temp = temp();
    let digest = Digest::of(b"abc");
    fs::create_dir(temp.root.join("pending")).unwrap();
    fs::write(temp.root.join(format!("pending/{}.part", digest.hex())), b"a").unwrap();
    let guard = temp.store.lock(&digest.hex(), &never(), &|_| {}).unwrap();
    assert_eq!(temp.store.verify_all(&|_| None, &never(), &Silent).unwrap(), []);
    drop(guard);
    assert_eq!(temp.store.verify_all(&|_| None, &never(), &Silent).unwrap().len(), 1);
}

#[test]
fn a_lock_excludes_and_names_its_holder() {
    let temp = temp();
    let guard = temp.store.lock("layers", &never(), &|_| {}).unwrap();
    let cancel = never();
    let said = std::sync::Mutex::new(Vec::new());
    let error = temp
        .store
        .lock("layers", &cancel, &|holder| {
            said.lock().unwrap().push(holder.to_owned());
            cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        })
        .unwrap_err();
    let me = format!("process {}", std::process::id());
    assert_eq!(*said.lock().unwrap(), [me.as_str()]);
    assert_eq!(error.to_string(), format!("interrupted while waiting for `layers`, held by {me}"));
    // Another name is another lock; a lock that was let go is free, and leaves nothing.
    drop(temp.store.lock("other/image:1.0", &never(), &|_| {}).unwrap());
    drop(guard);
    drop(temp.store.lock("layers", &never(), &|_| panic!("nobody holds it")).unwrap());
    assert_nothing_pending(&temp.store);
}

#[test]
fn many_threads_hold_a_lock_one_by_one() {
    let temp = temp();
    let inside = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // Each round removes the lock's file and makes a new one: both must not be held at once.
                for _ in 0..200 {
                    let guard = temp.store.lock("one", &never(), &|_| {}).unwrap();
                    assert!(!inside.swap(true, std::sync::atomic::Ordering::SeqCst));
                    std::thread::yield_now();
                    inside.store(false, std::sync::atomic::Ordering::SeqCst);
                    drop(guard);
                }
            });
        }
    });
    assert_nothing_pending(&temp.store);
}

#[test]
fn a_store_that_cannot_be_made_is_an_error() {
    let temp = temp();
    fs::write(temp.root.join("file"), "x").unwrap();
    let error = Store::open(temp.root.join("file/store")).unwrap_err();
    assert!(matches!(error, StoreError::Io { doing: "making the folder", .. }), "{error}");
}

#[test]
fn a_store_is_had_alone_only_when_nobody_has_joined_it() {
    let temp = temp();
    let never = never();
    let first = Store::join(&temp.root, &never, &|_| {}).unwrap();
    let second = Store::join(&temp.root, &never, &|_| {}).unwrap();
    let error = Store::alone(&temp.root).unwrap_err();
    assert!(matches!(&error, StoreError::InUse { .. }), "{error}");
    drop((first, second));
    let alone = Store::alone(&temp.root).unwrap();
    let error = Store::join(&temp.root, &AtomicBool::new(true), &|_| {}).unwrap_err();
    assert!(matches!(&error, StoreError::Interrupted { .. }), "{error}");
    drop(alone);
    Store::join(&temp.root, &never, &|_| {}).unwrap();
}
