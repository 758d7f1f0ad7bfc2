//! The identity of a tree: what changes it, what does not, and what a memo may not hide.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    os::unix::fs::{MetadataExt, PermissionsExt},
    os::unix::net::UnixListener,
};

use crate::sample::{POM, Sample};

#[test]
fn the_same_content_is_the_same_tree_wherever_it_lies() {
    let (one, other) = (Sample::new(), Sample::new());
    let identity = one.identity();
    assert_eq!(identity, other.identity());
    assert_eq!(identity.files, 7);
    assert_eq!(identity, one.identity());
}

#[test]
fn every_change_of_what_counts_is_seen() {
    let sample = Sample::new();
    let mut seen = vec![sample.identity().digest];
    let mut changed = |what: &str| {
        let digest = sample.identity().digest;
        assert!(!seen.contains(&digest), "{what}");
        seen.push(digest);
    };
    sample.write("core/src/main/scala/A.scala", "class B\n");
    changed("content of the same size");
    sample.age("core/src/main/scala/A.scala");
    sample.write("core/src/main/scala/A.scala", "class C\n");
    sample.age("core/src/main/scala/A.scala");
    changed("content of the same size and time");
    sample.write("core/src/main/scala/B.scala", "");
    changed("a new file");
    fs::rename(sample.root.join("core/src/main/scala/B.scala"), sample.root.join("core/B.scala")).unwrap();
    changed("a new name");
    sample.write("new/folder/a", "a");
    changed("a new folder");
    sample.link("link", "pom.xml");
    changed("a link");
    sample.remove("link");
    sample.link("link", "README");
    changed("another target");
    fs::set_permissions(sample.root.join("new/folder/a"), fs::Permissions::from_mode(0o755)).unwrap();
    changed("an executable bit");
    sample.remove(".gitignore");
    changed("a file that is gone");
}

#[test]
fn what_does_not_count_changes_nothing() {
    let sample = Sample::new();
    let identity = sample.identity();
    sample.write("core/target/classes/A.class", "x");
    sample.write("target/a", "x");
    sample.write("project/target/a", "x");
    sample.write("dist/jars/a.jar", "x");
    sample.write(".idea/workspace.xml", "x");
    fs::create_dir(sample.root.join("empty")).unwrap();
    fs::set_permissions(sample.root.join("pom.xml"), fs::Permissions::from_mode(0o600)).unwrap();
    sample.age("pom.xml");
    assert_eq!(sample.identity(), identity);
    sample.write("core/src/test/resources/target/another.txt", "x");
    assert_ne!(sample.identity(), identity);
}

#[test]
fn a_memo_that_is_damaged_or_of_another_tree_is_of_no_use_and_no_harm() {
    let (sample, other) = (Sample::new(), Sample::new());
    let identity = sample.identity();
    let memo = fs::read(&sample.memo).unwrap();
    for damaged in [&b""[..], b"spark-source memo 1\n", &memo[..memo.len() / 2]] {
        fs::write(&sample.memo, damaged).unwrap();
        assert_eq!(sample.identity(), identity);
    }
    other.write("a", "a");
    fs::create_dir_all(other.memo.parent().unwrap()).unwrap();
    fs::copy(&sample.memo, &other.memo).unwrap();
    assert_ne!(other.identity(), identity);
}

#[test]
fn a_tree_that_did_not_change_is_not_read() {
    let sample = Sample::new();
    sample.settled();
    let inode = || fs::metadata(sample.settled_memo()).unwrap().ino();
    let before = inode();
    sample.settled();
    assert_eq!(inode(), before, "the memo was written again");
    sample.write("pom.xml", &POM.replace("3.3.4", "3.3.5"));
    sample.settled();
    assert_ne!(inode(), before);
}

#[test]
fn what_was_just_written_is_read_again() {
    let sample = Sample::new();
    let inode = || fs::metadata(&sample.memo).unwrap().ino();
    let tree = sample.tree();
    tree.identity(&sample.memo).unwrap();
    let before = inode();
    tree.identity(&sample.memo).unwrap();
    assert_ne!(inode(), before);
}

#[test]
fn a_loop_of_links_is_two_links() {
    let sample = Sample::new();
    sample.link("a", "b");
    sample.link("b", "a");
    sample.link("core/up", "..");
    assert_eq!(sample.identity().files, 10);
}

#[test]
fn what_no_source_tree_has_is_named() {
    let sample = Sample::new();
    let error = || sample.tree().identity(&sample.memo).unwrap_err().to_string();
    let socket = UnixListener::bind(sample.root.join("core/s")).unwrap();
    assert!(error().ends_with(&format!("found the socket {}/core/s", sample.root)), "{}", error());
    drop(socket);
    sample.remove("core/s");
    let name = sample.root.join("core").into_std_path_buf().join(OsStr::from_bytes(b"caf\xe9"));
    fs::write(&name, "x").unwrap();
    assert!(error().ends_with("core/caf\\xe9"), "{}", error());
    fs::remove_file(name).unwrap();
    sample.identity();
}

#[test]
fn what_cannot_be_read_is_named() {
    let sample = Sample::new();
    let path = sample.root.join("core/src/main/scala/A.scala");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads what it likes.
    if fs::read(&path).is_err() {
        let error = sample.tree().identity(&sample.memo).unwrap_err();
        assert_eq!(error.to_string(), format!("reading {path}"));
    }
}
