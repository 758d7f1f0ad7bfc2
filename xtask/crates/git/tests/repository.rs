//! Against real repositories, with the git of this machine.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::Command,
};

use camino::Utf8Path;

/// Runs git without the configuration of this machine.
#[expect(clippy::disallowed_methods, reason = "the tests need repositories")]
fn git(folder: &Utf8Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"])
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn write(path: impl AsRef<Path>, text: &str) {
    fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A repository with two commits on `main`.
struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    fn new() -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        let root = repository.root();
        git(root, &["init", "-q", "-b", "main"]);
        write(root.join("docker/a b/ä"), "one");
        write(root.join("docker/run"), "#!/bin/sh\n");
        fs::set_permissions(root.join("docker/run"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("/etc/passwd", root.join("docker/link")).unwrap();
        write(root.join("other/x"), "x");
        repository.commit();
        write(root.join("docker/a b/ä"), "two");
        repository.commit();
        repository
    }

    fn root(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).unwrap()
    }

    fn commit(&self) {
        git(self.root(), &["add", "-A"]);
        git(self.root(), &["commit", "-q", "-m", "a"]);
    }
}

#[test]
fn files_of_a_commit_are_written_as_git_keeps_them() {
    let repository = Repository::new();
    let root = repository.root();
    let first = git::commit(root, "HEAD~1").unwrap();
    let into = tempfile::tempdir().unwrap();
    let into = Utf8Path::from_path(into.path()).unwrap();
    // Neither attributes nor what lies in the working tree have a say.
    write(root.join(".gitattributes"), "docker/* export-ignore\n");
    git::write_tree(root, &first, &["docker", "nothing/here"], into).unwrap();
    assert_eq!(fs::read_to_string(into.join("docker/a b/ä")).unwrap(), "one");
    let mode = |name: &str| fs::symlink_metadata(into.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode("docker/run"), mode("docker/a b/ä")].map(|mode| mode & 0o100), [0o100, 0]);
    assert_eq!(fs::read_link(into.join("docker/link")).unwrap(), Path::new("/etc/passwd"));
    assert!(!into.join("other").exists());
}

#[test]
fn a_folder_of_a_repository_is_read_as_its_own_root() {
    let repository = Repository::new();
    let root = repository.root();
    write(root.join("part/docker/x"), "x");
    repository.commit();
    let part = root.join("part");
    let into = tempfile::tempdir().unwrap();
    let into = Utf8Path::from_path(into.path()).unwrap();
    git::write_tree(&part, &git::commit(&part, "HEAD").unwrap(), &["docker"], into).unwrap();
    assert_eq!(fs::read_to_string(into.join("docker/x")).unwrap(), "x");
    assert!(!into.join("docker/run").exists());
}

#[test]
fn a_link_with_files_behind_it_leads_nowhere() {
    let repository = Repository::new();
    let root = repository.root();
    let outside = tempfile::tempdir().unwrap();
    // Git makes no such tree itself, but takes one: the same name for a link and for a folder.
    write(root.join("target"), outside.path().to_str().unwrap());
    let link = git(root, &["hash-object", "-w", "--no-filters", "target"]);
    write(root.join("file"), "hostile");
    let file = git(root, &["hash-object", "-w", "file"]);
    let tree = |lines: &str| {
        let path = root.join(".git/lines");
        fs::write(&path, lines).unwrap();
        git(root, &["-c", "core.fsck=off", "hash-object", "-t", "blob", path.as_str()]);
        #[expect(clippy::disallowed_methods, reason = "as above")]
        let mut command = Command::new("git");
        let output =
            command.args(["mktree", "--batch"]).current_dir(root).stdin(fs::File::open(&path).unwrap()).output();
        String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
    };
    let inner = tree(&format!("100644 blob {file}\tevil\n"));
    let docker = tree(&format!("120000 blob {link}\td\n040000 tree {inner}\td\n"));
    let top = tree(&format!("040000 tree {docker}\tdocker\n"));
    let commit = git(root, &["commit-tree", "-m", "a", &top]);
    let into = tempfile::tempdir().unwrap();
    let into = Utf8Path::from_path(into.path()).unwrap();
    let result = git::write_tree(root, &commit, &["docker"], into);
    assert!(result.is_err(), "{:?}", fs::read_dir(into.join("docker")).map(Iterator::count));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_commit_that_is_not_there_says_what_to_fetch() {
    let repository = Repository::new();
    let error = |folder: &Utf8Path, name: &str| format!("{:#}", git::commit(folder, name).unwrap_err());
    assert!(error(repository.root(), "nothing").contains("this clone has no commit `nothing`\nto fetch it: git fetch"));
    for name in ["", "-x", "--output=/tmp/x", "a\nb"] {
        assert!(error(repository.root(), name).contains("is no name of a commit"), "{name}");
    }
    let clones = tempfile::tempdir().unwrap();
    let clones = Utf8Path::from_path(clones.path()).unwrap();
    git(repository.root(), &["branch", "side", "HEAD~1"]);
    git(clones, &["clone", "-q", "--depth=1", &format!("file://{}", repository.root()), "shallow"]);
    let shallow = clones.join("shallow");
    assert!(git::commit(&shallow, "origin/main").is_ok());
    let up = error(&shallow, "HEAD~1");
    assert!(up.contains("this shallow clone has no commit `HEAD~1`\nto fetch it: git fetch --deepen=1"), "{up}");
    let side = error(&shallow, "origin/side");
    let command = "git fetch --depth=1 origin '+refs/heads/side:refs/remotes/origin/side'";
    assert!(side.ends_with(command), "{side}");
    // And the command is the right one.
    git(&shallow, &["fetch", "-q", "--depth=1", "origin", "+refs/heads/side:refs/remotes/origin/side"]);
    assert!(git::commit(&shallow, "origin/side").is_ok());
    let none = tempfile::tempdir().unwrap();
    assert!(error(Utf8Path::from_path(none.path()).unwrap(), "HEAD").contains("is in no git repository"));
}

#[test]
fn what_a_partial_clone_lacks_is_not_fetched_without_a_word() {
    let repository = Repository::new();
    let root = repository.root();
    git(root, &["config", "uploadpack.allowFilter", "true"]);
    let clones = tempfile::tempdir().unwrap();
    let clones = Utf8Path::from_path(clones.path()).unwrap();
    let url = format!("file://{root}");
    git(clones, &["clone", "-q", "--bare", "--filter=blob:none", &url, "partial/.git"]);
    let partial = clones.join("partial");
    // Nobody is there any more to fetch it from.
    git(&partial, &["config", "remote.origin.url", "file:///nowhere"]);
    let into = tempfile::tempdir().unwrap();
    let into = Utf8Path::from_path(into.path()).unwrap();
    let error = git::write_tree(&partial, "HEAD", &["docker"], into).unwrap_err();
    assert!(format!("{error:#}").contains("if this clone lacks them: git fetch --refetch"), "{error:#}");
}

#[test]
fn a_difference_is_one_of_the_named_paths() {
    let repository = Repository::new();
    let root = repository.root();
    let differs = |paths: &[&str]| git::differs(root, "HEAD", paths).unwrap();
    assert!(!differs(&["docker", "other"]));
    write(root.join("other/x"), "y");
    assert!(differs(&["docker", "other"]) && !differs(&["docker"]));
    assert!(git::differs(root, "nothing", &["docker"]).is_err());
    assert_eq!(git::changes(root, &["other"]).unwrap(), [" M other/x"]);
    assert!(git::changes(root, &["docker"]).unwrap().is_empty());
}
