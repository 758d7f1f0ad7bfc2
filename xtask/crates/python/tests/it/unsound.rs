//! Wheels that are no wheels, and wheels that mean harm.

use std::io::Cursor;

use python::{
    range::RangeReader,
    site::Wheel,
    wheel::{Archive, read_metadata},
};

use crate::wheels::{Shelf, laid_out, with_metadata, zip};

fn error_of(wheel: Wheel) -> String {
    let error = laid_out(&[wheel]).unwrap_err();
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

/// Every `from` in the bytes of a zip file becomes `to`: names, and fields of headers, that no writer would write.
fn patched(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let mut found = 0;
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found >= 2, "a name stands in two headers");
    bytes
}

#[test]
fn names_that_leave_their_folder_are_refused() {
    let shelf = Shelf::new();
    let bytes = zip(&with_metadata("foo", &[("foo/aaaaaa/bb.py", "x"), ("{info}/RECORD", "")]));
    for name in [
        "../../etc/passwd",
        "/etc/cron.d/jobs",
        "foo/../../../b.p",
        "foo/.//aaaa/b.py",
        "foo\\..\\..\\b.pyx",
        "foo/aaaa\0aa/b.py",
        "foo-1.data/../etc",
    ] {
        let name = format!("{name:x<16}");
        let name = &name.as_bytes()[..16];
        let error = error_of(shelf.put("foo", &patched(&bytes, b"foo/aaaaaa/bb.py", name)));
        assert!(error.contains("would land outside of its folder"), "{error}");
        assert!(error.starts_with("foo-1.0-py3-none-any.whl is no sound wheel"), "{error}");
    }
}

#[test]
fn what_a_wheel_must_have_is_missed_by_name() {
    let shelf = Shelf::new();
    let without = |name: &str| {
        let mut files = with_metadata("foo", &[("foo.py", "x")]);
        files.retain(|(path, _)| !path.ends_with(name));
        shelf.put("foo", &zip(&files))
    };
    for (wheel, why) in [
        (without("RECORD"), "`foo-1.0.dist-info/RECORD`"),
        (without("/WHEEL"), "`foo-1.0.dist-info/WHEEL`"),
        (
            shelf.wheel("foo", &[("{info}/WHEEL", "Wheel-Version: 2.0\n")]),
            "expected version 1.x of the wheel format, found `2.0`",
        ),
        (shelf.wheel("foo", &[("bar-1.0.dist-info/METADATA", "")]), "expected one .dist-info folder, found 2: bar-1.0"),
        (shelf.put("foo", &zip(&[])), "expected one .dist-info folder, found 0"),
        (shelf.put("foo", &zip(&with_metadata("bar", &[]))), "expected the metadata of foo, found bar-1.0.dist-info"),
        (shelf.wheel("foo", &[("{data}/other/x", "")]), "folders purelib, platlib, scripts, headers, data"),
        (shelf.wheel("foo", &[("{info}/entry_points.txt", "[console_scripts]\n../x = a:b\n")]), "`../x = a:b`"),
        (shelf.wheel("foo", &[("a.py", "1"), ("{data}/purelib/a.py", "2")]), "two of its entries are installed as"),
    ] {
        let error = error_of(wheel);
        assert!(error.contains(why), "{error}");
    }
    let absent =
        Wheel { filename: "foo-1.0-py3-none-any.whl".to_owned(), path: shelf.path().join("absent"), requested: false };
    assert!(error_of(absent).contains("absent, the wheel foo-1.0-py3-none-any.whl: No such file"));
    let mut odd = shelf.wheel("foo", &[]);
    odd.filename = "foo.zip".to_owned();
    assert!(error_of(odd).contains("`foo.zip` is no wheel's file name"));
}

/// Sets flags and compression method in both headers of an entry.
fn with_method(bytes: &[u8], name: &str, flags: u8, method: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (signature, fields, name_at) in [(b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)] {
        let is_header =
            |at: &usize| bytes[*at..].starts_with(signature) && bytes[at + name_at..].starts_with(name.as_bytes());
        let at = (0..bytes.len() - name_at).find(is_header).unwrap();
        (bytes[at + fields], bytes[at + fields + 2]) = (flags, method);
    }
    bytes
}

#[test]
fn entries_that_no_wheel_has_are_refused() {
    let shelf = Shelf::new();
    let bytes = zip(&with_metadata("foo", &[("foo/a.py", "x")]));
    for (flags, method, why) in [
        (0, 12, "expected `foo/a.py` stored or deflated, found Bzip2"),
        (0, 93, "expected `foo/a.py` stored or deflated, found Zstd"),
        (1, 8, "the entry `foo/a.py` is encrypted"),
    ] {
        let error = error_of(shelf.put("foo", &with_method(&bytes, "foo/a.py", flags, method)));
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_damaged_wheel_is_an_error_and_never_a_panic() {
    let shelf = Shelf::new();
    let bytes =
        zip(&with_metadata("foo", &[("foo/a.py", "some text, some text"), ("{info}/entry_points.txt", "[x]\n")]));
    for length in 0..bytes.len() {
        let error = error_of(shelf.put("foo", &bytes[..length]));
        assert!(error.contains("foo-1.0-py3-none-any.whl"), "{error}");
    }
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        // Some bytes (dates, say) do not matter; those of the contents do, because each entry carries its CRC.
        if let Ok(files) = laid_out(&[shelf.put("foo", &damaged)]) {
            assert!(files.len() >= 4, "damage at {at}: {files:#?}");
        }
    }
    assert!(error_of(shelf.put("foo", b"<html>please log in</html>")).contains("the zip directory"));
}

#[test]
fn metadata_is_read_from_a_wheel_that_is_elsewhere() {
    let filler = "x".repeat(100);
    let files: Vec<(String, String)> = (0..3000).map(|n| (format!("foo/{n}.py"), format!("{n}{filler}"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    let bytes = zip(&with_metadata("foo", &files));
    let mut fetched = 0;
    let reader = RangeReader::new(bytes.len() as u64, |range| {
        fetched += range.end - range.start;
        Ok(bytes[range.start as usize..range.end as usize].to_vec())
    });
    let metadata = read_metadata("foo-1.0-py3-none-any.whl", reader).unwrap();
    assert!(metadata.starts_with(b"Metadata-Version: 2.1\nName: foo\n"));
    assert!(fetched < bytes.len() as u64, "{fetched} of {}", bytes.len());
    let mut whole = Archive::new("foo-1.0-py3-none-any.whl", Cursor::new(&bytes)).unwrap();
    assert_eq!(whole.read("foo-1.0.dist-info/METADATA").unwrap(), metadata);
}
