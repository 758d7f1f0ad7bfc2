//! What builds need, carried to a machine without a network.

mod support;

use std::fs;

use support::Repository;

/// A repository whose images are built, and a checkout of the same commit with an empty store.
fn both_sides() -> (Repository, Repository, String) {
    let here = Repository::new();
    here.ok(&["build-layers"]);
    let there = here.elsewhere();
    fs::copy(here.path("docker/versions.lock"), there.path("docker/versions.lock")).unwrap();
    let file = here.path("bundle.tar").to_str().unwrap().to_owned();
    (here, there, file)
}

#[test]
fn what_is_carried_is_all_that_a_build_needs() {
    let (here, there, file) = both_sides();
    let run = there.run(&["build-layers", "--offline"]);
    assert_ne!(run.code, Some(0), "{}", run.stdout);
    here.ok(&["bundle", "--out", &file]).says("2 files");
    there.ok(&["bundle", "--in", &file, "--offline"]).says("2 files");
    there.ok(&["build-layers", "--offline"]);
    assert_eq!(there.digests(), here.digests());
    // The same again changes nothing, on neither side.
    let before = fs::read(&file).unwrap();
    here.ok(&["bundle", "--out", &file, "--offline"]);
    assert_eq!(fs::read(&file).unwrap(), before);
    there.ok(&["bundle", "--in", &file]);
}

#[test]
fn a_selection_carries_no_more_than_it_needs() {
    let (here, _, file) = both_sides();
    here.ok(&["bundle", "--out", &file, "base"]).says("0 files");
    let run = here.run(&["bundle", "--in", &file, "base"]);
    run.says("cannot be used with");
}

#[test]
fn what_was_cut_or_changed_is_not_taken_for_whole() {
    let (here, there, file) = both_sides();
    here.ok(&["bundle", "--out", &file]);
    let whole = fs::read(&file).unwrap();
    for length in [0, 1, 511, 512, 700, whole.len() / 2, whole.len() - 1536] {
        fs::write(&file, &whole[..length]).unwrap();
        let run = there.run(&["bundle", "--in", &file]);
        assert_eq!(run.code, Some(1), "{length} bytes: {}", run.stdout);
        run.says(&format!("reading {file}"));
    }
    // A byte of the first file, which lies behind its header.
    let mut changed = whole.clone();
    changed[512] ^= 1;
    fs::write(&file, &changed).unwrap();
    let run = there.run(&["bundle", "--in", &file]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    run.says("expected sha256:");
    fs::write(&file, &whole).unwrap();
    there.ok(&["bundle", "--in", &file]);
    there.ok(&["build-layers", "--offline"]);
    assert_eq!(there.digests(), here.digests());
}

#[test]
fn what_a_bundle_does_not_hold_is_refused() {
    let (_here, there, file) = both_sides();
    for (name, words) in [
        ("artifacts/x", "artifacts/x is not named by a digest"),
        ("spark-homes/x/manifest.json", "a Spark home is named by a digest"),
        ("elsewhere/x", "which `bundle` does not write"),
        ("spark-homes", "which `bundle` does not write"),
    ] {
        let mut tar = tar::Builder::new(fs::File::create(&file).unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, &b"x"[..]).unwrap();
        tar.into_inner().unwrap();
        there.run(&["bundle", "--in", &file]).says(words);
    }
    assert!(!there.store().join("artifacts/x").exists() && !there.store().join("spark-homes/x").exists());
}

#[test]
fn a_damaged_artifact_is_named_and_no_bundle_is_written() {
    let (here, _, file) = both_sides();
    let lock = fs::read_to_string(here.path("docker/versions.lock")).unwrap();
    let at = lock.find("library").unwrap();
    let digest = &lock[lock[at..].find("sha256").unwrap() + at..];
    let digest = digest.split('"').nth(1).unwrap();
    let artifact = fs::read_dir(here.store().join("artifacts")).unwrap().map(|entry| entry.unwrap().path());
    let files = artifact.flat_map(|path| match path.is_dir() {
        true => fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect(),
        false => vec![path],
    });
    let path = files.into_iter().find(|path| path.to_str().unwrap().ends_with(&digest[digest.len() - 20..])).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "b jar").unwrap();
    let run = here.run(&["bundle", "--out", &file]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    run.says("is damaged: expected sha256:");
    run.says("cargo xtask store verify --repair");
    assert!(!std::path::Path::new(&file).exists());
}
