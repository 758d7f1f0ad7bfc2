//! Changes on a small checkout.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use camino::Utf8Path;

use super::*;
use crate::{flags::Global, workspace::Workspace};

struct Checkout {
    folder: tempfile::TempDir,
    workspace: Workspace,
}

impl Checkout {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root: Utf8PathBuf = folder.path().to_path_buf().try_into().unwrap();
        for (path, text) in [
            ("docker/versions.toml", "table\n"),
            ("docker/a/Dockerfile", "FROM a\n"),
            (".git/x", "x"),
            ("target/x", "x"),
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        symlink("a", root.join("docker/link")).unwrap();
        let workspace = Workspace::find(&Global::default()).unwrap().at(&root);
        Self { folder, workspace }
    }

    fn path(&self, relative: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().join(relative)
    }

    fn read(&self, relative: &str) -> Option<String> {
        fs::read_to_string(self.path(relative)).ok()
    }

    /// A draft in which the table is changed, a Dockerfile moved to a new folder, and a script is new.
    fn draft(&self) -> Draft {
        let (draft, completed) = Draft::of(&self.workspace).unwrap();
        assert_eq!(completed, None);
        draft.write_text("docker/versions.toml".into(), "another table\n").unwrap();
        let files = draft.files("docker/a".into()).unwrap();
        draft.write("docker/b/c/Dockerfile".into(), &files[0].1).unwrap();
        draft.remove(&files[0].0).unwrap();
        draft.write("zone/run.sh".into(), &Content { bytes: b"#!\n".into(), executable: true }).unwrap();
        draft
    }

    fn is_as_before(&self) -> bool {
        self.read("docker/versions.toml").as_deref() == Some("table\n")
            && self.read("docker/a/Dockerfile").as_deref() == Some("FROM a\n")
            && !self.path("docker/b").exists()
            && !self.path("zone").exists()
    }

    fn is_changed(&self) -> bool {
        self.read("docker/versions.toml").as_deref() == Some("another table\n")
            && !self.path("docker/a").exists()
            && self.read("docker/b/c/Dockerfile").as_deref() == Some("FROM a\n")
            && self.path("zone/run.sh").metadata().unwrap().permissions().mode() & 0o777 == 0o755
    }
}

#[test]
fn nothing_is_written_before_the_change_is_applied() {
    let checkout = Checkout::new();
    let draft = checkout.draft();
    let changes = draft.changes().unwrap();
    assert!(checkout.is_as_before());
    let lines: Vec<String> = changes.lines().collect();
    let wanted = [
        "removed  docker/a/Dockerfile",
        "new      docker/b/c/Dockerfile",
        "changed  docker/versions.toml",
        "new      zone/run.sh",
    ];
    assert_eq!(lines, wanted);
    draft.apply("test", &changes).unwrap();
    assert!(checkout.is_changed());
    drop(draft);
    let (draft, completed) = Draft::of(&checkout.workspace).unwrap();
    assert_eq!((completed, draft.changes().unwrap()), (None, Changes::default()));
}

#[test]
fn the_diff_is_one_that_git_applies() {
    let checkout = Checkout::new();
    let diff = checkout.draft().changes().unwrap().diff();
    let wanted = "\
diff --git a/docker/a/Dockerfile b/docker/a/Dockerfile
deleted file mode 100644
--- a/docker/a/Dockerfile
+++ /dev/null
@@ -1 +0,0 @@
-FROM a
diff --git a/docker/b/c/Dockerfile b/docker/b/c/Dockerfile
new file mode 100644
--- /dev/null
+++ b/docker/b/c/Dockerfile
@@ -0,0 +1 @@
+FROM a
diff --git a/docker/versions.toml b/docker/versions.toml
--- a/docker/versions.toml
+++ b/docker/versions.toml
@@ -1 +1 @@
-table
+another table
diff --git a/zone/run.sh b/zone/run.sh
new file mode 100755
--- /dev/null
+++ b/zone/run.sh
@@ -0,0 +1 @@
+#!
";
    assert_eq!(diff, wanted);
}

#[test]
fn two_drafts_of_one_checkout_are_refused() {
    let checkout = Checkout::new();
    let _draft = checkout.draft();
    let error = format!("{:#}", Draft::of(&checkout.workspace).err().unwrap());
    assert!(error.contains("another command changes the files of this checkout"), "{error}");
}

#[test]
fn a_file_that_changed_meanwhile_stops_the_change() {
    let checkout = Checkout::new();
    let draft = checkout.draft();
    let changes = draft.changes().unwrap();
    fs::write(checkout.path("docker/versions.toml"), "mine\n").unwrap();
    let error = format!("{:#}", draft.apply("test", &changes).unwrap_err());
    assert!(error.contains("docker/versions.toml was changed while the change was prepared"), "{error}");
    assert_eq!(checkout.read("docker/versions.toml").as_deref(), Some("mine\n"));
    assert!(checkout.path("docker/a/Dockerfile").exists());
}

#[test]
fn an_error_on_the_way_puts_back_what_was_there() {
    let checkout = Checkout::new();
    let draft = checkout.draft();
    let changes = draft.changes().unwrap();
    // The last file of the change cannot be written: where its folder would be is a file.
    fs::write(checkout.path("zone"), "").unwrap();
    let error = format!("{:#}", draft.apply("test", &changes).unwrap_err());
    assert!(error.starts_with("nothing was changed: writing zone/run.sh"), "{error}");
    fs::remove_file(checkout.path("zone")).unwrap();
    assert!(checkout.is_as_before());
}

#[test]
fn a_run_that_was_killed_while_it_wrote_is_completed_by_the_next() {
    let checkout = Checkout::new();
    let draft = checkout.draft();
    let changes = draft.changes().unwrap();
    draft.apply("add-version 1", &changes).unwrap();
    // As it was when only the first file had been written, and the draft is still there.
    let folder = checkout.workspace.draft();
    fs::write(checkout.path("docker/versions.toml"), "table\n").unwrap();
    fs::remove_dir_all(checkout.path("docker/b")).unwrap();
    fs::remove_dir_all(checkout.path("zone")).unwrap();
    journal::write(&folder, "add-version 1", &changes).unwrap();
    drop(draft);
    assert!(!checkout.is_changed());
    let (draft, completed) = Draft::of(&checkout.workspace).unwrap();
    assert_eq!(completed.as_deref(), Some("add-version 1"));
    assert!(checkout.is_changed());
    assert_eq!(draft.changes().unwrap(), Changes::default());
}

#[test]
fn what_was_changed_after_a_kill_is_not_overwritten() {
    let checkout = Checkout::new();
    let draft = checkout.draft();
    journal::write(&checkout.workspace.draft(), "add-version 1", &draft.changes().unwrap()).unwrap();
    drop(draft);
    fs::write(checkout.path("docker/versions.toml"), "mine\n").unwrap();
    let error = format!("{:#}", Draft::of(&checkout.workspace).err().unwrap());
    assert!(
        error.contains("an earlier `add-version 1` was cut off while it wrote, and docker/versions.toml was changed"),
        "{error}"
    );
    assert_eq!(checkout.read("docker/versions.toml").as_deref(), Some("mine\n"));
}
