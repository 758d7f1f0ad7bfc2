//! Copies of a tree.

use std::{
    cell::Cell,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::sample::{Sample, files_of};

#[test]
fn a_copy_is_the_same_tree_and_shares_nothing_with_it() {
    let sample = Sample::new();
    sample.write("target/a.class", "x");
    sample.link("core/link", "../pom.xml");
    sample.link("README", "core/../core/x");
    sample.remove("README");
    fs::set_permissions(sample.root.join("pom.xml"), fs::Permissions::from_mode(0o600)).unwrap();
    let copy = sample.root.parent().unwrap().join("new/copy");
    let bytes = Cell::new(0);
    let copied = sample.tree().copy_to(&copy, &AtomicBool::new(false), &|n| bytes.set(bytes.get() + n)).unwrap();
    assert_eq!(copied, sample.identity());
    assert_eq!(bytes.get(), copied.bytes);
    let tree = spark_source::Tree::open(&copy).unwrap();
    assert_eq!(tree.identity(&sample.memo.with_extension("copy")).unwrap(), copied);
    assert!(!copy.join("target").exists());
    assert_eq!(fs::read_link(copy.join("core/link")).unwrap().to_str(), Some("../pom.xml"));
    let metadata = |path: &str| fs::metadata(copy.join(path)).unwrap();
    assert_eq!(metadata("pom.xml").mode() & 0o7777, 0o644);
    assert_eq!(metadata("dev/make-distribution.sh").mode() & 0o7777, 0o755);
    assert_eq!((metadata("dev").mode() & 0o7777, metadata("").mode() & 0o7777), (0o755, 0o755));
    assert_eq!(metadata("pom.xml").nlink(), 1);
}

#[test]
fn a_link_that_leads_out_is_named() {
    let sample = Sample::new();
    let copy = sample.root.parent().unwrap().join("copy");
    for target in ["/etc/passwd", "../../x", "src/../../../x"] {
        sample.link("core/link", target);
        let error = sample.tree().copy_to(&copy, &AtomicBool::new(false), &|_| ()).unwrap_err().to_string();
        assert!(error.ends_with(&format!("/core/link -> {target}")), "{error}");
        assert!(!copy.exists());
        sample.remove("core/link");
    }
}

#[test]
fn a_copy_that_is_interrupted_or_has_no_place_leaves_nothing() {
    let sample = Sample::new();
    let above = sample.root.parent().unwrap();
    let cancel = AtomicBool::new(false);
    let stop = |_| cancel.store(true, Ordering::Relaxed);
    let error = sample.tree().copy_to(&above.join("copy"), &cancel, &stop).unwrap_err().to_string();
    assert!(error.starts_with("interrupted while copying "), "{error}");
    let left: Vec<_> = above.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect();
    assert_eq!(left, ["spark-3.5.7"]);
    let before = files_of(&sample.root);
    let error = sample.tree().copy_to(&sample.root, &AtomicBool::new(false), &|_| ()).unwrap_err().to_string();
    assert_eq!(error, format!("expected nothing at {}, found something", sample.root));
    assert_eq!(files_of(&sample.root), before);
}
