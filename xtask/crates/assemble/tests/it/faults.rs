//! Damage, wrong bytes, full disks, and others at work: nothing half is trusted, and everything is named.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use crate::common::Bench;
use assemble::{
    Body, Context, Error, Layout, Origin, Source,
    context::{Entry, FileEntry},
    export::{self, Format},
    tree,
};
use blob::Digest;
use camino::Utf8Path;

const DOCKERFILE: &str = "FROM scratch\nCOPY a /a";

/// Changes a blob, which is read-only for everybody else.
fn damage(path: &Utf8Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    let before = fs::metadata(path).unwrap();
    change(&mut bytes);
    // The bytes go into the same file, so that inode and time can stay what they were.
    let mut permissions = before.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(path, permissions).unwrap();
    fs::write(path, bytes).unwrap();
    let times = fs::FileTimes::new().set_modified(before.modified().unwrap());
    fs::File::options().write(true).open(path).unwrap().set_times(times).unwrap();
}

fn blobs(layout: &Layout) -> usize {
    fs::read_dir(layout.root().join("blobs/sha256")).unwrap().count()
}

fn pending(layout: &Layout) -> usize {
    fs::read_dir(layout.root().join(".assemble/pending")).map_or(0, Iterator::count)
}

#[test]
fn a_source_with_other_bytes_is_named_and_leaves_no_layer() {
    for (text, size, found) in [
        ("other", 5, format!("5 bytes of {}", Digest::of(b"other"))),
        ("oth", 5, format!("3 bytes of {}", Digest::of(b"oth"))),
        ("others", 5, "more than 5 bytes".to_owned()),
        ("x", 0, "more than 0 bytes".to_owned()),
    ] {
        let mut bench = Bench::new();
        let file = bench.folder.join("source");
        fs::write(&file, text).unwrap();
        let digest = Digest::of(b"right");
        let entry = FileEntry { executable: false, size, digest, source: Source::Path(file.clone()) };
        bench.context.insert("a", Entry::File(entry)).unwrap();
        let expected = format!(
            "the bytes of a (from {file}) are not what was promised: expected {size} bytes of {digest}, found {found}"
        );
        assert_eq!(bench.refuse(DOCKERFILE), expected);
        assert_eq!((blobs(&bench.layout), pending(&bench.layout)), (0, 0));
    }
}

#[test]
fn a_source_that_cannot_be_read_is_named() {
    let mut bench = Bench::new();
    let gone = bench.folder.join("gone");
    let file = |source| Entry::File(FileEntry { executable: false, size: 1, digest: Digest::of(b"x"), source });
    bench.context.insert("a", file(Source::Path(gone.clone()))).unwrap();
    assert_eq!(bench.refuse(DOCKERFILE), format!("reading {gone}"));
    bench.context = Context::new();
    fs::write(bench.folder.join("no.zip"), "no zip").unwrap();
    let source = Source::Zip { archive: bench.folder.join("no.zip"), entry: "e".to_owned() };
    bench.context.insert("a", file(source)).unwrap();
    let error = bench.refuse(DOCKERFILE);
    assert!(error.starts_with(&format!("archive {}/no.zip: `e` cannot be read: ", bench.folder)), "{error}");
    assert_eq!(blobs(&bench.layout), 0);
}

#[test]
fn a_truncated_layer_is_found_and_written_again() {
    let bench = Bench::with(&[("a", "text")]);
    let first = bench.build(DOCKERFILE);
    let path = bench.layout.blob_path(&first.layers[0].diff_id);
    damage(&path, |bytes| bytes.truncate(600));
    let faults = bench.layout.verify(2).unwrap();
    assert_eq!(faults.len(), 1);
    assert_eq!((&faults[0].path, faults[0].expected), (&path, first.layers[0].diff_id));
    let again = bench.build(DOCKERFILE);
    assert_eq!((again.image, again.layers[0].origin), (first.image, Origin::Written));
    assert_eq!(bench.layout.verify(1).unwrap(), []);
}

#[test]
fn a_damaged_blob_is_found_by_whoever_reads_it() {
    let bench = Bench::with(&[("a", "text")]);
    let built = bench.build(DOCKERFILE);
    let path = bench.layout.blob_path(&built.layers[0].diff_id);
    // Size, time and inode stay, so that only reading finds it.
    damage(&path, |bytes| bytes[512] ^= 1);
    let error =
        export::export(&bench.layout, &built.image, Format::OciArchive, &[], &bench.folder.join("x.tar"), false);
    let error = error.unwrap_err();
    assert!(matches!(&error, Error::Layout(oci::Error::Damaged { path: damaged, .. }) if *damaged == path), "{error}");
    assert!(
        error.to_string().contains(&format!("expected 2048 bytes of {}, found", built.layers[0].diff_id)),
        "{error}"
    );
    assert!(!bench.folder.join("x.tar").exists());
    // Bytes that are copied out of it are compared with their own digest.
    bench.layout.tag("base", &built.image).unwrap();
    let error = bench.refuse("FROM scratch\nCOPY --from=base /a /b");
    assert!(error.starts_with("the bytes of b (from archive "), "{error}");
    // Who removes it gets it again.
    for fault in bench.layout.verify(1).unwrap() {
        bench.layout.discard(&fault.expected).unwrap();
    }
    let again = bench.build(DOCKERFILE);
    assert_eq!((&again.image, again.layers[0].origin), (&built.image, Origin::Written));
    assert_eq!(bench.layout.verify(1).unwrap(), []);
}

#[test]
fn a_damaged_document_is_written_again() {
    let bench = Bench::with(&[("a", "text")]);
    let built = bench.build(DOCKERFILE);
    let path = bench.layout.blob_path(&built.image.digest);
    damage(&path, |bytes| bytes[0] = b'[');
    let error = tree(&bench.layout, &built.image).unwrap_err();
    assert!(matches!(&error, Error::Layout(oci::Error::Damaged { path: damaged, .. }) if *damaged == path), "{error}");
    bench.layout.discard(&built.image.digest).unwrap();
    assert_eq!(bench.build(DOCKERFILE).image, built.image);
    tree(&bench.layout, &built.image).unwrap();
}

#[test]
fn records_that_make_no_sense_are_made_again() {
    let bench = Bench::with(&[("a", "text")]);
    let built = bench.build(DOCKERFILE);
    for folder in ["layers", "entries", "builds"] {
        for file in fs::read_dir(bench.layout.root().join(".assemble").join(folder)).unwrap() {
            fs::write(file.unwrap().path(), "{").unwrap();
        }
    }
    assert_eq!(bench.build(DOCKERFILE).image, built.image);
    assert_eq!(tree(&bench.layout, &built.image).unwrap().len(), 1);
}

#[test]
fn a_copied_layout_is_read_once_and_then_trusted() {
    let bench = Bench::with(&[("a", "text")]);
    let built = bench.build(DOCKERFILE);
    let blob = bench.layout.blob_path(&built.layers[0].diff_id);
    let copy = bench.folder.join("copy");
    fs::copy(&blob, &copy).unwrap();
    fs::rename(&copy, &blob).unwrap();
    assert_eq!(bench.build(DOCKERFILE).layers[0].origin, Origin::Cached);
}

#[test]
fn several_build_and_tag_at_once() {
    let bench = Bench::with(&[("a", "text"), ("b", "more")]);
    let root = bench.layout.root();
    let written = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..8 {
            let (context, written) = (&bench.context, &written);
            scope.spawn(move || {
                let layout = Layout::create(root).unwrap();
                let mut mine = Bench::new();
                (mine.layout, mine.context) = (layout, context.clone());
                let built = mine.build(&format!("FROM scratch\nCOPY a b /x/\nLABEL n={}", number % 3));
                mine.layout.tag(&format!("t:{number}"), &built.image).unwrap();
                let ours = built.layers.iter().filter(|layer| layer.origin == Origin::Written).count();
                written.fetch_add(ours, Ordering::Relaxed);
            });
        }
    });
    // The others waited for the one that wrote the layer. A blob that is written twice would be another file.
    assert_eq!(written.into_inner(), 1);
    let names: Vec<_> = bench.layout.list().unwrap().into_keys().collect();
    assert_eq!(names, (0..8).map(|number| format!("t:{number}")).collect::<Vec<_>>());
    assert_eq!(bench.layout.verify(2).unwrap(), []);
    // One layer; three configurations and manifests.
    assert_eq!((blobs(&bench.layout), pending(&bench.layout)), (7, 0));
}

#[test]
fn a_disk_that_is_full_is_named() {
    let bench = Bench::with(&[("a", "text")]);
    let image = bench.build(DOCKERFILE).image;
    let mut full = fs::File::options().write(true).open("/dev/full").unwrap();
    let error = export::archive(&bench.layout, &image, Format::OciArchive, &[], &mut full).unwrap_err();
    let Error::Io { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let bench = Bench::new();
    fs::write(bench.folder.join("file"), "").unwrap();
    let error = Layout::create(bench.folder.join("file/layout")).unwrap_err();
    assert_eq!(error.to_string(), format!("making the folder {}/file/layout/blobs/sha256", bench.folder));
}

#[test]
fn what_is_no_layout_is_not_opened() {
    let bench = Bench::new();
    let open = |path: &str| Layout::open(bench.folder.join(path)).unwrap_err().to_string();
    assert_eq!(open("gone"), format!("{}/gone is no OCI image layout: it has no file `oci-layout`", bench.folder));
    fs::write(bench.layout.root().join("oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    assert!(open("layout").ends_with("is of an unknown version: expected 1.0.0, found 2.0.0"));
    fs::write(bench.layout.root().join("index.json"), "{").unwrap();
    let error = bench.layout.list().unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}/layout/index.json cannot be understood: ", bench.folder)), "{error}");
}

#[test]
fn a_file_between_the_blobs_is_named() {
    let bench = Bench::new();
    fs::write(bench.layout.root().join("blobs/sha256/readme"), "").unwrap();
    assert!(bench.layout.verify(1).unwrap_err().to_string().contains("readme is no blob"));
}

#[test]
fn layers_keep_large_files_whole() {
    // More than all buffers of a layer together, and no multiple of anything.
    let bytes: Vec<u8> = (0..5_000_003_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut bench = Bench::new();
    bench.put("a", &bytes);
    bench.put("b", b"after it");
    let built = bench.build("FROM scratch\nCOPY a b /");
    fs::remove_dir_all(bench.layout.root().join(".assemble/entries")).unwrap();
    let read = tree(&bench.layout, &built.image).unwrap();
    for (path, bytes) in [("a", &bytes[..]), ("b", b"after it")] {
        let Body::File(file) = &read.get(path).unwrap().body else { panic!("{path}") };
        assert_eq!((file.size, file.digest), (bytes.len() as u64, Digest::of(bytes)));
    }
    assert_eq!(bench.layout.verify(1).unwrap(), []);
}

#[test]
fn without_a_runner_nothing_is_run() {
    let error = Bench::new().refuse("FROM scratch AS a\nRUN true\nFROM a\nENV A=1\nRUN false");
    let reason = "RUN needs something that runs commands, which this build has not";
    assert_eq!(error, format!("Dockerfile:2: {reason}\nDockerfile:5: {reason}"));
}
