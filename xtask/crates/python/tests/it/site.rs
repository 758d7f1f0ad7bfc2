//! Laying wheels out: places, scripts, records, and what several wheels do to each other.

use blob::Digest;
use python::site::{Conflict, Content, SiteError, lay_out};

use crate::wheels::{SITE, Shelf, bytes_of, find, laid_out, layout, row, with_metadata, zip};

const ENTRY_POINTS: &str = "[console_scripts]\nfoo = foo.cli:main\n[foo.plugins]\nx = foo:x\n";

#[test]
fn every_file_has_its_place_its_bytes_and_its_record() {
    let shelf = Shelf::new();
    let mut foo = shelf.wheel(
        "Foo",
        &[
            ("foo/__init__.py", "x = 1\n"),
            ("foo/tool.sh*", "#!/bin/sh\n"),
            ("foo/é.py", "e\n"),
            ("{info}/entry_points.txt", ENTRY_POINTS),
            ("{info}/INSTALLER", "somebody\n"),
            ("{info}/direct_url.json", "{}"),
            ("{data}/purelib/foo/pure.py", "pure\n"),
            ("{data}/platlib/foo/plat.so", "plat"),
            ("{data}/scripts/run-foo", "#!python\nimport foo\n"),
            ("{data}/scripts/foo", "#!python\nold launcher\n"),
            ("{data}/scripts/foo.sh", "#!/bin/sh\n"),
            ("{data}/headers/foo.h", "int x;\n"),
            ("{data}/data/share/foo/a.txt", "a\n"),
        ],
    );
    foo.requested = true;
    let wheels = [foo];
    let files = laid_out(&wheels).unwrap();
    let info = format!("{SITE}/Foo-1.0.dist-info");
    let listed: Vec<String> =
        files.iter().map(|file| format!("{}{}", file.path, if file.executable { "*" } else { "" })).collect();
    let expected = [
        "bin/foo*".to_owned(),
        "bin/foo.sh*".to_owned(),
        "bin/run-foo*".to_owned(),
        "include/python3.11/Foo/foo.h".to_owned(),
        format!("{info}/INSTALLER"),
        format!("{info}/METADATA"),
        format!("{info}/RECORD"),
        format!("{info}/REQUESTED"),
        format!("{info}/WHEEL"),
        format!("{info}/entry_points.txt"),
        format!("{SITE}/foo/__init__.py"),
        format!("{SITE}/foo/plat.so"),
        format!("{SITE}/foo/pure.py"),
        format!("{SITE}/foo/tool.sh*"),
        format!("{SITE}/foo/é.py"),
        "share/foo/a.txt".to_owned(),
    ];
    assert_eq!(listed, expected);
    for file in &files {
        let bytes = bytes_of(file, &wheels);
        assert_eq!((file.digest, file.size), (Digest::of(&bytes), bytes.len() as u64), "{}", file.path);
    }
    let text = |path: &str| String::from_utf8(bytes_of(find(&files, path), &wheels)).unwrap();
    assert_eq!(text("bin/run-foo"), "#!/usr/bin/python3\nimport foo\n");
    assert_eq!(text("bin/foo.sh"), "#!/bin/sh\n");
    assert!(text("bin/foo").contains("from foo.cli import main\n"), "{}", text("bin/foo"));
    assert_eq!(text(&format!("{info}/INSTALLER")), "spark-images\n");
    let recorded = |path: &str| row(&path.replace(&format!("{SITE}/"), ""), &bytes_of(find(&files, path), &wheels));
    let outside: String = ["bin/foo", "bin/foo.sh", "bin/run-foo", "include/python3.11/Foo/foo.h", "share/foo/a.txt"]
        .map(|path| format!("../../../{}", recorded(path)))
        .concat();
    let inside: String = files
        .iter()
        .filter(|file| file.path.starts_with(SITE))
        .map(|file| match file.path.as_str() {
            record if record.ends_with("RECORD") => "Foo-1.0.dist-info/RECORD,,\n".to_owned(),
            path => recorded(path),
        })
        .collect();
    assert_eq!(text(&format!("{info}/RECORD")), outside + &inside);
}

#[test]
fn the_wheel_of_pip_gets_the_names_of_this_python() {
    let shelf = Shelf::new();
    let points = "[console_scripts]\npip = pip._internal.cli.main:main\npip3.9 = pip._internal.cli.main:main\n";
    let files = laid_out(&[shelf.wheel("pip", &[("{info}/entry_points.txt", points)])]).unwrap();
    let scripts: Vec<&str> = files.iter().filter_map(|file| file.path.as_str().strip_prefix("bin/")).collect();
    assert_eq!(scripts, ["pip", "pip3", "pip3.11"]);
}

#[test]
fn what_record_does_not_say_is_read() {
    let shelf = Shelf::new();
    let record = format!(
        "a.py,sha256={},5\nb.py,sha512=xx,1\nno-such-file.py,sha256=x,1\n{}",
        "A".repeat(43),
        row("liar.py", b"other").replace(",5", ",4")
    );
    let files = [("a.py", "a"), ("b.py", "b"), ("c.py", "c"), ("liar.py", "true"), ("{info}/RECORD", &record)];
    let wheels = [shelf.wheel("foo", &files)];
    let laid = laid_out(&wheels).unwrap();
    for (path, text) in &files[..3] {
        assert_eq!(find(&laid, &format!("{SITE}/{path}")).digest, Digest::of(text.as_bytes()));
    }
    // The word of RECORD counts where the size is right; whoever copies the bytes sees that it is not true.
    assert_eq!(find(&laid, &format!("{SITE}/liar.py")).digest, Digest::of(b"other"));
    let record = find(&laid, &format!("{SITE}/foo-1.0.dist-info/RECORD"));
    let Content::Bytes(record) = &record.content else { panic!("RECORD is made anew") };
    let record = String::from_utf8_lossy(record);
    assert!(record.contains(&row("c.py", b"c")) && !record.contains("no-such-file"), "{record}");
}

#[test]
fn equal_files_of_two_wheels_are_one() {
    let shelf = Shelf::new();
    let one = shelf.wheel("one", &[("shared/__init__.py", ""), ("shared/one.py", "1")]);
    let two = shelf.wheel("two", &[("shared/__init__.py", ""), ("shared/two.py", "2")]);
    let both = laid_out(&[two.clone(), one.clone()]).unwrap();
    let names: Vec<&str> =
        both.iter().filter_map(|file| file.path.as_str().split_once("shared/")).map(|(_, name)| name).collect();
    assert_eq!(names, ["__init__.py", "one.py", "two.py"]);
    let layered = lay_out(&[two], &[one], &layout()).unwrap();
    assert!(layered.iter().all(|file| !file.path.as_str().ends_with("__init__.py")), "it stands below");
    assert_eq!(layered.len(), 5);
}

#[test]
fn all_conflicts_are_reported_with_both_wheels() {
    let shelf = Shelf::new();
    let one = shelf.wheel("one", &[("tests/a.py", "1"), ("tests/b.py", "1"), ("plug", "a file"), ("plug-in.py", "")]);
    let two = shelf.wheel("two", &[("tests/a.py", "2"), ("tests/b.py", "2"), ("plug/in.py", "in a folder")]);
    let names = ["one-1.0-py3-none-any.whl", "two-1.0-py3-none-any.whl"].map(str::to_owned);
    let conflict = |path: &str| Conflict::Path { path: format!("{SITE}/{path}").into(), wheels: names.clone() };
    let expected = [conflict("tests/a.py"), conflict("tests/b.py"), conflict("plug")];
    let (below, above) = (std::slice::from_ref(&one), std::slice::from_ref(&two));
    for result in [laid_out(&[one.clone(), two.clone()]), lay_out(above, below, &layout())] {
        let Err(SiteError::Conflicts(found)) = result else { panic!("there are conflicts") };
        assert_eq!(found, expected);
    }
    let other = shelf.wheel("One", &[]);
    let error = laid_out(&[one, other]).unwrap_err().to_string();
    assert_eq!(
        error,
        "wheels of one set overwrite each other; leave one of each two out:\
         \n  the project one: one-1.0-py3-none-any.whl and One-1.0-py3-none-any.whl"
    );
}

#[test]
fn the_order_of_wheels_and_entries_does_not_matter() {
    let shelf = Shelf::new();
    let files = [("foo/a.py", "a"), ("foo/b.py", "b"), ("{data}/scripts/x*", "#!python\n")];
    let one = shelf.wheel("foo", &files);
    let mut entries = with_metadata("foo", &files);
    entries.reverse();
    let same = shelf.put("foo", &zip(&entries));
    assert_ne!(one.path, same.path);
    let bar = shelf.wheel("bar", &[("bar.py", "")]);
    let plain = |wheels: &[python::site::Wheel]| {
        let files = laid_out(wheels).unwrap();
        files
            .into_iter()
            .map(|file| (bytes_of(&file, wheels), file.path, file.executable, file.digest))
            .collect::<Vec<_>>()
    };
    assert_eq!(plain(&[one, bar.clone()]), plain(&[bar, same]));
}
