//! Unpacking layers, and what a stack of them looks like: to the kernel and to [`sandbox::Root`].

use std::{collections::BTreeSet, env, fs, io::Write, os::unix::fs::MetadataExt};

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{CWD, FileType, mknodat};
use sandbox::{Access, Error, Identity, Kind, Layers, Root};
use tar::EntryType;

use crate::{
    bench::{Archive, Bench, says},
    child,
};

fn text(root: &Root, path: &str) -> Option<String> {
    root.read(path.into()).unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn whiteouts_and_opaque_folders_hide_what_is_below() {
    let bench = Bench::new();
    let lower = Archive::new()
        .folder("d", 0o755, (0, 0))
        .file("d/gone", "1")
        .file("d/kept", "1")
        .folder("o", 0o755, (0, 0))
        .file("o/below", "1")
        .folder("w", 0o755, (0, 0))
        .file("w/below", "1")
        .folder("again", 0o755, (0, 0))
        .file("again/below", "1")
        .folder("file", 0o755, (0, 0))
        .file("file/below", "1");
    let upper = Archive::new()
        .file("d/.wh.gone", "")
        .file("o/above", "2")
        .file("o/.wh..wh..opq", "")
        .file(".wh.w", "")
        // A folder that is removed and made again in one layer, in both orders of its entries.
        .file(".wh.again", "")
        .folder("again", 0o755, (0, 0))
        .file("again/above", "2")
        .file("file", "2");
    let found = ["d/kept", "o/above", "again/above", "file"];
    let hidden = ["d/gone", "o/below", "w", "w/below", "again/below", "file/below"];
    let Some(sandbox) = bench.sandbox() else { return };
    let script = "for f in \"$@\"; do if [ -e /$f ]; then echo $f; fi; done; ls /d /o /again";
    let mut argv = vec!["sh", "-c", script, "sh"];
    argv.extend(found.iter().chain(&hidden));
    let spec = bench.spec([lower, upper], &argv);
    for path in found {
        assert!(text(&spec.root, path).is_some(), "{path}");
    }
    for path in hidden {
        assert_eq!(spec.root.entry(path.into()).unwrap(), None, "{path}");
    }
    let listing = "/again:\nabove\n\n/d:\nkept\n\n/o:\nabove\n";
    assert_eq!(says(&sandbox, spec), format!("{}\n{listing}", found.join("\n")));
}

#[test]
fn a_whiteout_after_its_folder_makes_the_folder_opaque() {
    let bench = Bench::new();
    let lower = Archive::new().folder("d", 0o755, (0, 0)).file("d/below", "1").file("f", "1");
    let upper = Archive::new()
        .folder("d", 0o755, (0, 0))
        .file("d/above", "2")
        .file(".wh.d", "")
        .file("f", "2")
        .file(".wh.f", "");
    let lower = lower.folder("e", 0o755, (0, 0)).file("e/below", "1");
    let upper = upper.file(".wh.e", "").file("e/above", "2");
    let root = bench.root([lower, upper]);
    assert_eq!(text(&root, "/e/above").as_deref(), Some("2"), "the folder is only implied");
    assert_eq!(text(&root, "/e/below"), None);
    assert_eq!(text(&root, "/d/above").as_deref(), Some("2"));
    assert_eq!(text(&root, "/d/below"), None);
    assert_eq!(text(&root, "/f").as_deref(), Some("2"));
}

#[test]
fn links_are_followed_within_the_image() {
    let bench = Bench::new();
    let lower = Archive::new()
        .folder("usr", 0o755, (0, 0))
        .folder("usr/lib", 0o755, (0, 0))
        .file("usr/lib/x", "x")
        .symlink("lib", "usr/lib")
        .symlink("abs", "/usr/../../lib")
        .symlink("loop", "loop")
        .hard_link("hard", "usr/lib/x");
    // In this layer `lib` is a link to a folder of the host: it must not be followed there.
    let odd = Archive::new().symlink("etc", "/etc");
    let upper = Archive::new().folder("etc", 0o755, (0, 0)).file("etc/mine", "m");
    let root = bench.root([lower, odd, upper]);
    for path in ["/lib/x", "/abs/x", "/hard", "/usr/./lib/../lib/x"] {
        assert_eq!(text(&root, path).as_deref(), Some("x"), "{path}");
    }
    assert_eq!(root.entry("/abs/x".into()).unwrap().unwrap().path, "/usr/lib/x");
    assert_eq!(text(&root, "/etc/mine").as_deref(), Some("m"));
    assert_eq!(text(&root, "/etc/passwd"), None);
    assert!(matches!(root.entry("/loop/x".into()), Err(Error::Spec(text)) if text.contains("40 symbolic links")));
}

#[test]
fn owners_and_modes_are_those_of_the_layer_whoever_unpacks() {
    let bench = Bench::new();
    let root = bench.root([Archive::new()
        .folder("secret", 0o000, (1000, 2000))
        .owned_file("secret/su", 0o4750, (0, 42), "")
        .owned_file("plain", 0o644, (0, 0), "")
        .folder("open", 0o2775, (185, 0))]);
    let seen = |path: &str| {
        let entry = root.entry(path.into()).unwrap().unwrap();
        (entry.kind, entry.uid, entry.gid, entry.mode)
    };
    assert_eq!(seen("/secret"), (Kind::Folder, 1000, 2000, 0));
    assert_eq!(seen("/secret/su"), (Kind::File, 0, 42, 0o4750));
    assert_eq!(seen("/plain"), (Kind::File, 0, 0, 0o644));
    assert_eq!(seen("/open"), (Kind::Folder, 185, 0, 0o2775));
    let on_disk = walk(&bench.path).into_iter().find(|path| path.ends_with("su")).unwrap();
    let on_disk = fs::metadata(on_disk).unwrap();
    if bench.owned() {
        assert_eq!((on_disk.mode() & 0o7777, on_disk.gid()), (0o4750, 42));
    } else {
        assert_eq!(on_disk.mode() & 0o7777, 0o750, "a set-id program of the caller's own");
    }
    assert_eq!(on_disk.mtime(), 1_000_000_000);
}

fn walk(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut all = Vec::new();
    for entry in folder.read_dir_utf8().unwrap() {
        let entry = entry.unwrap();
        all.push(entry.path().to_owned());
        if entry.file_type().unwrap().is_dir() {
            all.extend(walk(entry.path()));
        }
    }
    all
}

#[test]
fn permissions_are_judged_as_by_the_kernel() {
    let bench = Bench::new();
    let root = bench.root([Archive::new()
        .folder("./", 0o755, (0, 0))
        .folder("work", 0o775, (185, 0))
        .folder("own", 0o755, (185, 185))
        .owned_file("own/f", 0o060, (185, 0), "")
        .folder("shut", 0o700, (185, 0))
        .owned_file("shut/f", 0o666, (0, 0), "")
        .symlink("in", "shut/f")]);
    let spark = Identity { gid: 185, ..Identity::unknown(185) };
    let anyone = Identity::unknown(1_000_650_000);
    let member = Identity { gid: 5, groups: BTreeSet::from([0]), ..Identity::unknown(7) };
    let super_user = Identity::unknown(0);
    let allowed = |who: &Identity, access, path: &str| root.allows(who, access, path.into()).unwrap();
    assert!(allowed(&spark, Access::Write, "/work"));
    assert!(allowed(&anyone, Access::Write, "/work"));
    assert!(allowed(&member, Access::Write, "/work"));
    assert!(allowed(&spark, Access::Write, "/own"));
    assert!(!allowed(&anyone, Access::Write, "/own"));
    assert!(!allowed(&spark, Access::Read, "/own/f"), "the owner's bits hold, not the group's");
    assert!(allowed(&anyone, Access::Read, "/own/f"));
    assert!(allowed(&spark, Access::Write, "/in"));
    assert!(!allowed(&anyone, Access::Write, "/in"), "the folder on the way is shut");
    assert!(allowed(&super_user, Access::Write, "/in"));
    assert!(!allowed(&super_user, Access::Execute, "/shut/f"));
    assert!(!allowed(&super_user, Access::Read, "/nothing"));
}

#[test]
fn folders_that_a_layer_only_implies_keep_their_attributes() {
    let bench = Bench::new();
    let lower =
        Archive::new().folder("opt", 0o755, (0, 0)).folder("opt/work", 0o1775, (185, 0)).folder("opt/z", 0o700, (0, 0));
    let upper = Archive::new().file("opt/work/new", "n").file("opt/z/new", "n").file("other/new", "n");
    let Some(sandbox) = bench.sandbox() else { return };
    let spec = bench.spec([lower, upper], &["stat", "-c", "%a %u", "/opt/work", "/opt/z", "/other", "/opt/work/new"]);
    let entry = spec.root.entry("/opt/work".into()).unwrap().unwrap();
    assert_eq!((entry.uid, entry.gid, entry.mode), (185, 0, 0o1775));
    let uid = if sandbox.support().uid_emulated { "0" } else { "185" };
    assert_eq!(says(&sandbox, spec), format!("1775 {uid}\n700 0\n755 0\n644 0\n"));
}

#[test]
fn a_layer_is_unpacked_once_and_shared() {
    let bench = Bench::new();
    let (digest, tar) = bench.tar(Archive::new().file("f", "1"));
    let results: Vec<bool> = std::thread::scope(|scope| {
        let layers = &bench.layers;
        let tar = &tar;
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(move || layers.unpack(digest, tar).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|unpacked| **unpacked).count(), 1);
    fs::remove_file(&tar).unwrap();
    assert!(!bench.layers.unpack(digest, &tar).unwrap(), "the archive is not needed any more");
    assert_eq!(
        text(&Layers::open(&bench.path, bench.owned()).unwrap().root(&[digest]).unwrap(), "/f").as_deref(),
        Some("1")
    );
}

#[test]
fn a_killed_unpack_is_not_trusted() {
    let bench = Bench::new();
    let (digest, tar) = bench.tar(Archive::new().file("f", "whole"));
    let kind = if bench.owned() { "owned" } else { "mapped" };
    let left = bench.path.join(kind).join(format!(".unpacking-{}/root", digest.hex()));
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("f"), "ha").unwrap();
    assert!(matches!(bench.layers.root(&[digest]), Err(Error::Missing { diff_id, .. }) if diff_id == digest));
    assert!(bench.layers.unpack(digest, &tar).unwrap());
    assert_eq!(text(&bench.layers.root(&[digest]).unwrap(), "/f").as_deref(), Some("whole"));
}

#[test]
#[ignore = "started by another test as a process of its own, to be killed"]
fn victim() {
    let folder = Utf8PathBuf::from(env::var(child::FOLDER).unwrap());
    let digest = env::var(DIGEST).unwrap().parse().unwrap();
    let _ = Layers::open(&folder, false).unwrap().unpack(digest, &folder.join("pipe"));
}

const DIGEST: &str = "SANDBOX_TEST_DIGEST";

#[test]
fn an_unpack_that_is_killed_half_way_is_done_again() {
    let bench = Bench::new();
    let bytes = Archive::new().file("a", &"a".repeat(1_000_000)).file("b", &"b".repeat(1_000_000)).bytes();
    let digest = Digest::of(&bytes);
    let pipe = bench.path.join("pipe");
    mknodat(CWD, pipe.as_std_path(), FileType::Fifo, 0o600.into(), 0).unwrap();
    let victim = child::of("layers::victim", &bench).env(DIGEST, digest.to_string()).stdout_null().start().unwrap();
    let mut writer = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    // A pipe holds much less: when all is written, most of it has been read.
    writer.write_all(&bytes[..1_500_000]).unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    let layers = Layers::open(&bench.path, false).unwrap();
    assert!(walk(&bench.path).iter().any(|path| path.as_str().contains(".unpacking-") && path.ends_with("root/a")));
    assert!(matches!(layers.root(&[digest]), Err(Error::Missing { .. })));
    fs::remove_file(&pipe).unwrap();
    fs::write(&pipe, &bytes).unwrap();
    assert!(layers.unpack(digest, &pipe).unwrap());
    assert_eq!(text(&layers.root(&[digest]).unwrap(), "/b").map(|text| text.len()), Some(1_000_000));
    assert!(!walk(&bench.path).iter().any(|path| path.as_str().contains(".unpacking-")));
}

#[test]
fn wrong_bytes_are_named_and_nothing_is_kept() {
    let bench = Bench::new();
    let bytes = Archive::new().file("f", "some text").bytes();
    let digest = Digest::of(&bytes);
    let tar = bench.path.join("layer.tar");
    let mut flipped = bytes.clone();
    flipped[512] ^= 1;
    // Cut after the header, in the middle of the header, to nothing; and a trailing block that tar does not look at.
    let mut longer = bytes.clone();
    longer.extend([0; 512]);
    for wrong in [flipped, bytes[..512].to_vec(), bytes[..100].to_vec(), Vec::new(), longer] {
        fs::write(&tar, &wrong).unwrap();
        let error = bench.layers.unpack(digest, &tar).unwrap_err();
        assert!(
            matches!(&error, Error::Corrupt { expected, found, .. } if *expected == digest && *found == Digest::of(&wrong))
        );
        let text = error.to_string();
        assert!(text.contains("layer.tar") && text.contains(&digest.hex()), "{text}");
        assert!(!walk(&bench.path).iter().any(|path| path.is_dir() && path.as_str().contains(&digest.hex())));
    }
    fs::write(&tar, &bytes).unwrap();
    assert!(bench.layers.unpack(digest, &tar).unwrap());
}

#[test]
fn hostile_entries_stay_inside() {
    let bench = Bench::new();
    let outside = bench.path.join("outside");
    fs::create_dir(&outside).unwrap();
    let cases = [
        (Archive::new().file("a/../../../outside/f", "x"), "leaves the root"),
        (Archive::new().symlink("l", outside.as_str()).file("l/f", "x"), "`l` is no folder in this layer"),
        (Archive::new().symlink("l", outside.as_str()).hard_link("h", "l/f"), "hard link to `l/f`"),
        (Archive::new().symlink("l", outside.as_str()).file("l/.wh.f", ""), "`l` is no folder in this layer"),
        (Archive::new().hard_link("h", "../../../etc/passwd"), "leaves the root"),
        (Archive::new().hard_link("h", "nothing"), "hard link to `nothing`"),
        (Archive::new().other(EntryType::Char, "etc/null"), "a device outside of /dev"),
        (Archive::new().file("./", "x"), "the root of a layer must be a folder"),
        (Archive::new().other(EntryType::new(b'M'), "m"), "not known"),
        (Archive::new().file(".wh..wh.plnk", ""), "no whiteout"),
    ];
    for (archive, expected) in cases {
        let error = bench.unpack(archive).unwrap_err();
        assert!(matches!(error, Error::Entry { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(outside.read_dir_utf8().unwrap().count(), 0);
    // A later entry of the same name replaces a link and does not write through it.
    let root = bench
        .root([Archive::new().symlink("l", outside.join("f").as_str()).file("/l", "mine").other(EntryType::Fifo, "p")]);
    assert_eq!(text(&root, "/l").as_deref(), Some("mine"));
    assert_eq!(root.entry("/p".into()).unwrap().unwrap().kind, Kind::Other);
    assert_eq!(outside.read_dir_utf8().unwrap().count(), 0);
}

#[test]
fn large_owners_come_from_pax_records() {
    let bench = Bench::new();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions([("uid", b"1000650000".as_slice()), ("gid", b"4000000000")]).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_path("f").unwrap();
    header.set_size(0);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    builder.append(&header, &b""[..]).unwrap();
    let bytes = builder.into_inner().unwrap();
    let tar = bench.path.join("pax.tar");
    fs::write(&tar, &bytes).unwrap();
    bench.layers.unpack(Digest::of(&bytes), &tar).unwrap();
    let entry = bench.layers.root(&[Digest::of(&bytes)]).unwrap().entry("/f".into()).unwrap().unwrap();
    assert_eq!((entry.uid, entry.gid), (1_000_650_000, 4_000_000_000));
}

#[test]
fn sixty_layers() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let layers = (0..60).map(|n| Archive::new().file("top", &n.to_string()).file(&format!("many/{n}"), ""));
    let spec = bench.spec(layers, &["sh", "-c", "cat /top; ls /many | wc -l"]);
    assert_eq!(says(&sandbox, spec), "5960\n");
}

#[test]
fn users_are_resolved_as_by_an_engine() {
    let bench = Bench::new();
    let image = Archive::new()
        .file(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nspark:x:185:200::/opt/spark:/bin/sh\n1:x:77:78::/odd:\nshort:x:9\n",
        )
        .file("etc/group", "root:x:0:\nusers:x:100:other,spark\nsudo:x:27:spark\n");
    let root = bench.root([image]);
    let of = |text: &str| Identity::of(&root, text);
    let identity = |uid, gid, groups: &[u32], home: &str| Identity {
        uid,
        gid,
        groups: groups.iter().copied().collect(),
        home: home.to_owned(),
    };
    for root in ["", "0", "root"] {
        assert_eq!(of(root).unwrap(), identity(0, 0, &[], "/root"), "{root}");
    }
    assert_eq!(of("spark").unwrap(), identity(185, 200, &[27, 100], "/opt/spark"));
    assert_eq!(of("185").unwrap(), identity(185, 200, &[27, 100], "/opt/spark"));
    assert_eq!(of("185:0").unwrap(), identity(185, 0, &[], "/opt/spark"));
    assert_eq!(of("spark:root").unwrap(), identity(185, 0, &[], "/opt/spark"));
    assert_eq!(of("1").unwrap(), identity(77, 78, &[], "/odd"), "a name may look like a number");
    assert_eq!(of("4711:users").unwrap(), identity(4711, 100, &[], "/"));
    assert_eq!(of("4711").unwrap(), Identity::unknown(4711));
    for (wrong, kind) in [("nobody", "user"), ("spark:nobody", "group"), ("short", "user"), ("-1", "user")] {
        let error = of(wrong).unwrap_err();
        assert!(matches!(&error, Error::NoSuchName { kind: found, .. } if *found == kind), "{wrong}: {error}");
    }
    let bare = bench.root([Archive::new().file("f", "")]);
    assert_eq!(Identity::of(&bare, "185:5").unwrap(), Identity { gid: 5, ..Identity::unknown(185) });
    assert_eq!(Identity::of(&bare, "").unwrap(), Identity::unknown(0));
}

#[test]
fn a_layer_may_come_twice() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let twice = || Archive::new().file("f", "1").file(".wh.gone", "");
    let between = Archive::new().file("f", "2").file("g", "2").file("gone", "2");
    let spec = bench.spec([twice(), between, twice()], &["sh", "-c", "cat /f /g; ls /gone 2>/dev/null || echo gone"]);
    assert_eq!(text(&spec.root, "/f").as_deref(), Some("1"));
    assert_eq!(says(&sandbox, spec), "12gone\n");
}
