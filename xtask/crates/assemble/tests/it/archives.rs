//! ADD of archives, layers of other tools, and reading back what was written.

use crate::common::{Bench, EPOCH, entry, gzip, listing, tar, xz};
use assemble::{Body, Tree, oci::media_type, tree};

fn archive() -> Vec<u8> {
    tar(|tar| {
        tar.append_pax_extensions([("SCHILY.xattr.security.capability", &b"\x01\x00\xff\n="[..])]).unwrap();
        entry(tar, b'0', "./bin/ping", 0o755, (0, 0), "ping");
        entry(tar, b'5', "./srv/", 0o1777, (185, 0), "");
        entry(tar, b'0', "./srv/one", 0o640, (7, 8), "1");
        entry(tar, b'1', "./srv/two", 0o640, (7, 8), "srv/one");
        entry(tar, b'2', "./srv/link", 0o777, (0, 0), "/nowhere");
        entry(tar, b'6', "./srv/pipe", 0o600, (0, 0), "");
        entry(tar, b'0', &format!("./{}/ü", "long".repeat(60)), 0o644, (3_000_000, 0), "l");
    })
}

#[test]
fn archives_are_unpacked_whatever_their_compression() {
    let mut bench = Bench::new();
    bench.put("a.tar", &archive());
    bench.put("a.tar.gz", &gzip(&archive()));
    bench.put("a.tar.xz", &xz(&archive()));
    let plain = bench.build("FROM scratch\nADD a.tar /x/");
    let files = listing(&tree(&bench.layout, &plain.image).unwrap());
    let long = format!("x/{}", "long".repeat(60));
    let expected = [
        "d0755 0:0 x",
        "d0755 0:0 x/bin",
        "-0755 0:0 x/bin/ping 4",
        &format!("d0755 0:0 {long}"),
        &format!("-0644 3000000:0 {long}/ü 1"),
        "d1777 185:0 x/srv",
        "l0777 0:0 x/srv/link -> /nowhere",
        "-0640 7:8 x/srv/one 1",
        "p0600 0:0 x/srv/pipe",
        "-0640 7:8 x/srv/two 1",
    ];
    assert_eq!(files, expected);
    for name in ["a.tar.gz", "a.tar.xz"] {
        let packed = bench.build(&format!("FROM scratch\nADD {name} /x/"));
        assert_eq!(packed.layers[0].diff_id, plain.layers[0].diff_id, "{name}");
    }
}

#[test]
fn attributes_links_and_times_survive_writing_and_reading() {
    let mut bench = Bench::new();
    bench.put("a.tar", &archive());
    let built = bench.build("FROM scratch\nADD a.tar /");
    let remembered = tree(&bench.layout, &built.image).unwrap();
    // Without what is remembered the tree comes from the blob.
    std::fs::remove_dir_all(bench.layout.root().join(".assemble/entries")).unwrap();
    let read = tree(&bench.layout, &built.image).unwrap();
    assert_eq!(details(&read), details(&remembered));
    let ping = read.get("bin/ping").unwrap();
    assert_eq!(ping.xattrs.iter().collect::<Vec<_>>(), [("security.capability", &b"\x01\x00\xff\n="[..])]);
    assert_eq!(ping.mtime, 1_000_000_000);
    assert_eq!(read.get("bin").unwrap().mtime, EPOCH);
}

fn details(tree: &Tree) -> Vec<String> {
    tree.iter()
        .map(|(path, node)| format!("{path} {} {:?} {:?}", node.mtime, node.xattrs, digest(&node.body)))
        .collect()
}

fn digest(body: &Body) -> Option<blob::Digest> {
    match body {
        Body::File(file) => Some(file.digest),
        _ => None,
    }
}

#[test]
fn what_the_entry_of_a_hard_link_says_holds_for_all_names_of_the_file() {
    let mut bench = Bench::new();
    let archive = tar(|tar| {
        entry(tar, b'0', "one", 0o4755, (1, 2), "x");
        entry(tar, b'1', "two", 0o4755, (1, 2), "one");
        entry(tar, b'1', "three", 0o600, (3, 4), "one");
        entry(tar, b'2', "link", 0o777, (5, 6), "one");
        entry(tar, b'1', "link2", 0o644, (7, 8), "link");
    });
    bench.put("a.tar", &archive);
    let files = bench.files("FROM scratch\nADD a.tar /");
    let links = ["l0777 7:8 link -> one", "l0777 7:8 link2 -> one"];
    assert_eq!(files, [&links[..], &["-0600 3:4 one 1", "-0600 3:4 three 1", "-0600 3:4 two 1"]].concat());
    let files = bench.files("FROM scratch\nADD --chown=9:9 a.tar /");
    assert_eq!(files[2..], ["-0600 9:9 one 1", "-0600 9:9 three 1", "-0600 9:9 two 1"]);
}

#[test]
fn nothing_is_newer_than_the_epoch() {
    let mut bench = Bench::new();
    let archive = tar(|tar| {
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(EPOCH as u64 + 1);
        tar.append_data(&mut header, "new", &b""[..]).unwrap();
    });
    bench.put("a.tar", &archive);
    let built = bench.build("FROM scratch\nADD a.tar /");
    assert_eq!(tree(&bench.layout, &built.image).unwrap().get("new").unwrap().mtime, EPOCH);
}

#[test]
fn an_owner_that_is_asked_for_replaces_those_of_the_archive() {
    let mut bench = Bench::new();
    bench.put("a.tar", &tar(|tar| entry(tar, b'0', "d/f", 0o600, (7, 8), "")));
    assert_eq!(bench.files("FROM scratch\nADD --chown=1:2 a.tar /"), ["d0755 0:0 d", "-0600 1:2 d/f 0"]);
}

#[test]
fn an_archive_replaces_what_is_in_its_way_and_follows_links_to_folders() {
    let mut bench = Bench::with(&[("x/y/z", ""), ("l -> x", "")]);
    let over = tar(|tar| {
        entry(tar, b'0', "x/y", 0o644, (0, 0), "file now");
        entry(tar, b'0', "l/new", 0o644, (0, 0), "");
    });
    bench.put("over.tar", &over);
    let files = bench.files("FROM scratch\nCOPY x /x\nCOPY . /\nADD over.tar /");
    assert!(files.contains(&"-0644 0:0 x/y 8".to_owned()), "{files:?}");
    assert!(files.contains(&"-0644 0:0 x/new 0".to_owned()), "{files:?}");
    assert!(!files.iter().any(|line| line.contains("x/y/z")), "{files:?}");
}

#[test]
fn what_is_no_archive_is_copied() {
    let mut bench = Bench::with(&[("fake.tar", "not a tar")]);
    bench.put("text.gz", &gzip(b"text"));
    let files = bench.files("FROM scratch\nADD fake.tar text.gz /x/");
    assert_eq!(files[1], "-0644 0:0 x/fake.tar 9");
    assert!(files[2].starts_with("-0644 0:0 x/text.gz "), "{files:?}");
}

#[test]
fn archives_that_cannot_be_unpacked_are_refused_with_the_reason() {
    let mut bench = Bench::new();
    let whole = tar(|tar| entry(tar, b'0', "f", 0o644, (0, 0), &"x".repeat(2000)));
    bench.put("cut.tar", &whole[..1500]);
    bench.put("cut.tar.gz", &gzip(&whole)[..40]);
    bench.put("escape.tar", &{
        let mut bytes = tar(|tar| entry(tar, b'0', "aa/f", 0o644, (0, 0), ""));
        bytes[..2].copy_from_slice(b"..");
        let mut header = tar::Header::from_byte_slice(&bytes[..512]).clone();
        header.set_cksum();
        bytes[..512].copy_from_slice(header.as_bytes());
        bytes
    });
    bench.put("link.tar", &tar(|tar| entry(tar, b'1', "f", 0o644, (0, 0), "gone")));
    bench.put("white.tar", &tar(|tar| entry(tar, b'0', ".wh.f", 0o644, (0, 0), "")));
    bench.put("a.tar.bz2", b"BZh91AY&SY");
    bench.put("a.tar.zst", b"\x28\xb5\x2f\xfd\x04\x00");
    for (name, expected) in [
        ("cut.tar", "archive cut.tar: ends in the middle; make it again"),
        ("cut.tar.gz", "archive cut.tar.gz: ends in the middle"),
        ("escape.tar", "`../f` leads out of it"),
        ("link.tar", "`f` is a hard link to `gone`, which is not there"),
        ("white.tar", "a name with `.wh.` means a missing file"),
        ("a.tar.bz2", "is compressed with bzip2; use gzip, xz or none"),
        ("a.tar.zst", "is compressed with zstd; use gzip, xz or none"),
    ] {
        let error = bench.refuse(&format!("FROM scratch\nADD {name} /"));
        assert!(error.starts_with("Dockerfile:2: ") && error.contains(expected), "{name}\n{error}");
    }
}

#[test]
fn layers_of_other_tools_are_understood() {
    let mut bench = Bench::with(&[("new", "")]);
    let lower = tar(|tar| {
        entry(tar, b'0', "a/keep", 0o644, (0, 0), "kept");
        entry(tar, b'0', "a/gone", 0o644, (0, 0), "");
        entry(tar, b'0', "b/old", 0o644, (0, 0), "");
        entry(tar, b'0', "c", 0o644, (0, 0), "file");
    });
    let upper = tar(|tar| {
        entry(tar, b'0', "b/young", 0o644, (0, 0), "");
        entry(tar, b'0', "b/.wh..wh..opq", 0o644, (0, 0), "");
        entry(tar, b'0', "a/.wh.gone", 0o644, (0, 0), "");
        entry(tar, b'0', "c/d", 0o644, (0, 0), "now a folder");
        entry(tar, b'5', "c", 0o755, (0, 0), "");
    });
    // BuildKit writes a layer even if an instruction changed nothing.
    let empty = tar(|_| ());
    let layers = [
        (media_type::LAYER_GZIP, gzip(&empty)),
        (media_type::LAYER_GZIP, gzip(&lower)),
        (media_type::LAYER, empty),
        (media_type::LAYER, upper),
    ];
    bench.foreign_image("foreign", &layers);
    let files = bench.files("FROM foreign\nCOPY new /a/");
    let expected = ["-0644 0:0 a/keep 4", "-0644 0:0 a/new 0", "-0644 0:0 b/young 0", "d0755 0:0 c"];
    for line in expected {
        assert!(files.contains(&line.to_owned()), "{line} {files:?}");
    }
    assert!(!files.iter().any(|line| line.contains("gone") || line.contains("old")), "{files:?}");
    // Bytes come out of a compressed layer as well.
    let copied = bench.build("FROM scratch\nCOPY --from=foreign /a/keep /k");
    let kept = tree(&bench.layout, &copied.image).unwrap();
    let Body::File(file) = &kept.get("k").unwrap().body else { panic!() };
    assert_eq!(file.bytes(4).unwrap(), b"kept");
    assert!(file.bytes(3).is_err());
}
