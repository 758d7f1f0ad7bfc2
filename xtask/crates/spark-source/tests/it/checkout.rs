//! A tree that is a git checkout: git says what counts, and is asked again whenever its answer may be another.

use std::{env, fs, os::unix::fs::MetadataExt};

use crate::sample::Sample;

fn checkout() -> Sample {
    let sample = Sample::new();
    sample.write("R/target/tracked.txt", "tracked in a folder that is ignored");
    sample.write("tracked.log", "tracked, though ignored");
    sample.git(&["init"]);
    sample.git(&["add", "--force", "."]);
    sample.git(&["commit", "-m", "all"]);
    sample
}

fn has(sample: &Sample, path: &str) -> bool {
    sample.counted().iter().any(|file| file == path)
}

#[test]
fn what_is_tracked_counts_and_what_is_ignored_does_not() {
    let sample = checkout();
    let before = sample.counted();
    for file in ["R/target/tracked.txt", "tracked.log", "core/src/test/resources/target/expected.txt"] {
        assert!(before.iter().any(|counted| counted == file), "{file}");
    }
    assert!(!before.iter().any(|file| file.starts_with(".git/")));
    let identity = sample.identity();
    sample.write("core/target/A.class", "x");
    sample.write("R/target/untracked.txt", "x");
    sample.write("other.log", "x");
    sample.write(".idea/x", "not ignored, but an editor's");
    assert_eq!(sample.identity(), identity);
    sample.write("new.scala", "x");
    assert!(has(&sample, "new.scala"));
    sample.write("R/target/tracked.txt", "changed");
    sample.remove("new.scala");
    assert_ne!(sample.identity(), identity);
}

#[test]
fn what_is_tracked_but_deleted_does_not_count() {
    let sample = checkout();
    sample.identity();
    sample.remove("tracked.log");
    assert!(!has(&sample, "tracked.log"));
    fs::remove_dir_all(sample.root.join("R")).unwrap();
    // The path of the tracked file leads through the link to a file that is there.
    fs::create_dir_all(sample.root.join("core/src/target")).unwrap();
    sample.write("core/src/target/tracked.txt", "x");
    sample.link("R", "core/src");
    let counted = sample.counted();
    assert!(counted.contains(&"R".to_owned()) && !counted.contains(&"R/target/tracked.txt".to_owned()));
}

#[test]
fn whatever_changes_the_answer_of_git_is_noticed() {
    let sample = checkout();
    sample.write("core/notes.txt", "x");
    assert!(has(&sample, "core/notes.txt"));
    sample.write("core/.gitignore", "notes.txt\n.gitignore\n");
    assert!(!has(&sample, "core/notes.txt"));
    // This file is ignored itself, and its folder does not change.
    sample.write("core/.gitignore", "nothing\n");
    assert!(has(&sample, "core/notes.txt"));
    sample.write(".git/info/exclude", "notes.txt\n");
    assert!(!has(&sample, "core/notes.txt"));
    sample.git(&["add", "--force", "core/notes.txt"]);
    assert!(has(&sample, "core/notes.txt"));
    sample.git(&["rm", "--cached", "core/notes.txt"]);
    assert!(!has(&sample, "core/notes.txt"));
    sample.write(".git/info/exclude", "");
    sample.write("excludes", "notes.txt\nexcludes\n");
    sample.git(&["config", "core.excludesFile", sample.root.join("excludes").as_str()]);
    assert!(!has(&sample, "core/notes.txt"));
    sample.write("excludes", "excludes\n");
    assert!(has(&sample, "core/notes.txt"));
}

#[test]
fn git_is_not_asked_when_nothing_changed() {
    let sample = checkout();
    sample.write("core/target/A.class", "x");
    let identity = sample.settled();
    let inode = || fs::metadata(sample.settled_memo()).unwrap().ino();
    let before = inode();
    // Within a folder that is ignored anything may go on, and git itself may be at work.
    sample.write("core/target/B.class", "x");
    sample.write(".git/index.lock", "");
    sample.remove(".git/index.lock");
    assert_eq!((sample.settled(), inode()), (identity, before));
}

#[test]
fn other_repositories_below_are_left_out_and_worktrees_are_trees() {
    let sample = checkout();
    let before = sample.counted();
    sample.git(&["init", "below"]);
    sample.write("below/a", "x");
    assert_eq!(sample.counted(), before);
    fs::remove_dir_all(sample.root.join("below/.git")).unwrap();
    assert!(has(&sample, "below/a"));
    let worktree = sample.root.parent().unwrap().join("worktree");
    sample.git(&["worktree", "add", worktree.as_str()]);
    let tree = spark_source::Tree::open(&worktree).unwrap();
    let identity = tree.identity(&sample.memo.with_file_name("w")).unwrap();
    assert_eq!(identity.files as usize, before.len());
}

#[test]
fn a_submodule_is_a_folder_of_the_tree() {
    let sample = checkout();
    sample.git(&["init", "sub"]);
    sample.write("sub/a", "x");
    sample.git(&["-C", "sub", "add", "a"]);
    sample.git(&["-C", "sub", "commit", "-m", "a"]);
    assert!(!has(&sample, "sub/a"));
    sample.git(&["add", "sub"]);
    sample.write("sub/target/b", "x");
    let counted = sample.counted();
    let below: Vec<_> = counted.iter().filter(|path| path.starts_with("sub/")).collect();
    assert_eq!(below, ["sub/a"]);
}

#[test]
fn a_folder_that_is_no_checkout_but_lies_in_one_is_judged_by_itself() {
    let sample = Sample::new();
    let plain = sample.identity();
    let above = sample.root.parent().unwrap();
    duct::cmd!("git", "init").dir(above).stdout_null().stderr_null().run().unwrap();
    assert_eq!(sample.identity(), plain);
    fs::create_dir(sample.root.join(".git")).unwrap();
    let error = sample.tree().identity(&sample.memo).unwrap_err().to_string();
    assert!(error.starts_with("asking git which files of ") && error.contains("not a git repository"), "{error}");
}

#[test]
fn nothing_that_the_checkout_configures_is_started() {
    let sample = checkout();
    let witness = sample.root.parent().unwrap().join("witness");
    sample.git(&["config", "core.fsmonitor", &format!("touch {witness}; false")]);
    sample.write("a", "a");
    assert!(has(&sample, "a") && !witness.exists());
    assert!(env::var_os("GIT_DIR").is_none(), "tests are not run from a hook");
}
