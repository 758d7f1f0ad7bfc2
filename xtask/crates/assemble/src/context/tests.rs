use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use camino::Utf8PathBuf;

use super::*;

fn reason(context: &mut Context, path: &str, entry: Entry) -> String {
    context.insert(path, entry).unwrap_err().to_string()
}

#[test]
fn paths_that_cannot_be_are_refused() {
    let mut context = Context::new();
    context.insert("./a//file", Entry::bytes(false, *b"1")).unwrap();
    assert_eq!(context.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["a", "a/file"]);
    for (path, expected) in [
        ("/x", "context: `/x` is absolute; name it relative to the context"),
        ("a/../../x", "context: `a/../../x` leaves the context; name it without `..`"),
        (".", "context: `.` names the context itself; name something in it"),
        ("b/.wh.x", "context: `b/.wh.x` begins with `.wh.`"),
        ("a/file/x", "context: `a/file/x` cannot be put below `a/file`, which is a file"),
        ("a", "context: `a` is put there twice: first as a directory, then as a file"),
        ("a/file", "context: `a/file` is put there twice, and not the same: first sha256:"),
    ] {
        let found = reason(&mut context, path, Entry::bytes(false, *b"2"));
        assert!(found.starts_with(expected), "{found}");
    }
    let found = reason(&mut context, "a/file", Entry::bytes(true, *b"1"));
    assert!(found.ends_with("(mode 0755)"), "{found}");
    context.insert("a/file", Entry::bytes(false, *b"1")).unwrap();
    context.insert("a", Entry::Dir).unwrap();
}

#[test]
fn a_real_folder_has_exactly_the_modes_and_times() {
    let guard = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(guard.path().to_path_buf()).unwrap();
    let source = |name: &str, mode: u32, time: i64| {
        let path = root.join(name);
        fs::write(&path, "same").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time as u64);
        fs::File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .set_times(fs::FileTimes::new().set_modified(time))
            .unwrap();
        let (size, digest) = (4, Digest::of(b"same"));
        Entry::File(FileEntry { executable: false, size, digest, source: Source::Path(path) })
    };
    let mut context = Context::new();
    context.insert("d/linked", source("fits", 0o644, 1_000)).unwrap();
    context.insert("d/copied", source("other-mode", 0o600, 1_000)).unwrap();
    context.insert("d/late", source("other-time", 0o644, 1_001)).unwrap();
    context.insert("d/run", Entry::bytes(true, *b"#!")).unwrap();
    context.insert("link", Entry::Symlink { target: "d/gone".to_owned() }).unwrap();
    let folder = root.join("out");
    materialize(&context, &folder, 1_000).unwrap();
    for (path, mode) in [
        ("", 0o40755),
        ("d", 0o40755),
        ("d/linked", 0o100644),
        ("d/copied", 0o100644),
        ("d/late", 0o100644),
        ("d/run", 0o100755),
        ("link", 0o120777),
    ] {
        let found = fs::symlink_metadata(folder.join(path)).unwrap();
        assert_eq!(
            (format!("{:o}", found.mode()), found.mtime(), found.mtime_nsec()),
            (format!("{mode:o}"), 1_000, 0),
            "{path}"
        );
    }
    let inode = |path| fs::metadata(path).unwrap().ino();
    assert_eq!(inode(folder.join("d/linked")), inode(root.join("fits")));
    assert_ne!(inode(folder.join("d/late")), inode(root.join("other-time")));
    assert_eq!(fs::read_link(folder.join("link")).unwrap().to_str(), Some("d/gone"));
    assert!(matches!(materialize(&context, &folder, 0), Err(Error::Exists { .. })));
}

#[test]
fn a_real_folder_is_not_made_of_other_bytes() {
    let guard = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(guard.path().to_path_buf()).unwrap();
    fs::write(root.join("source"), "other").unwrap();
    let source = Source::Path(root.join("source"));
    let mut context = Context::new();
    let entry = FileEntry { executable: false, size: 5, digest: Digest::of(b"right"), source };
    context.insert("a", Entry::File(entry)).unwrap();
    assert!(matches!(materialize(&context, &root.join("out"), 0), Err(Error::Mismatch { .. })));
}
