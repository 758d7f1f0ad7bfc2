//! What ends up where: COPY and WORKDIR. The expectations are BuildKit's own answers to the same Dockerfiles.

use crate::common::{Bench, entry, tar};

/// A base with what makes copying hard: links to folders, a sticky folder, one with setgid, users.
fn base() -> Bench {
    let mut bench = Bench::with(&[
        ("a.txt", "a"),
        ("b.txt", "bb"),
        ("dir/f", "f"),
        ("dir/run*", "#!"),
        ("dir/sub/deep", "d"),
        ("dir/link -> f", ""),
        ("jars/x-1.jar", "x"),
        ("jars/y-2.jar", "y"),
        ("jars/readme", "r"),
        ("linkdir -> dir", ""),
        ("loop1 -> loop2", ""),
        ("loop2 -> loop1", ""),
        ("out -> ../../etc/passwd", ""),
        ("nowhere -> gone", ""),
    ]);
    let archive = tar(|tar| {
        entry(tar, b'5', "usr/bin/", 0o755, (0, 0), "");
        entry(tar, b'2', "bin", 0o777, (0, 0), "usr/bin");
        entry(tar, b'0', "usr/bin/su", 0o4755, (0, 0), "su");
        entry(tar, b'1', "usr/bin/su2", 0o4755, (0, 0), "usr/bin/su");
        entry(tar, b'0', "etc/passwd", 0o644, (0, 0), "root:x:0:0::/:\nspark:x:185:186::/:\n");
        entry(tar, b'0', "etc/group", 0o644, (0, 0), "root:x:0:\nstaff:x:50:\n");
        entry(tar, b'5', "opt/work/", 0o2775, (185, 50), "");
        entry(tar, b'2', "abs", 0o777, (0, 0), "/opt/work");
    });
    bench.put("base.tar", &archive);
    let image = bench.build("FROM scratch\nADD base.tar /\nUSER spark\nWORKDIR /opt/work").image;
    bench.layout.tag("base", &image).unwrap();
    bench
}

/// What an instruction adds to the base, or changes in it.
fn added(bench: &Bench, instructions: &str) -> Vec<String> {
    let before = bench.files("FROM base");
    let after = bench.files(&format!("FROM base\n{instructions}"));
    after.into_iter().filter(|line| !before.contains(line)).collect()
}

#[test]
fn files_go_into_folders_and_folders_are_emptied_into_folders() {
    let bench = base();
    for (instructions, expected) in [
        ("COPY a.txt /x", &["-0644 0:0 x 1"][..]),
        ("COPY a.txt /x/", &["d0755 0:0 x", "-0644 0:0 x/a.txt 1"]),
        ("COPY a.txt b.txt /etc/", &["-0644 0:0 etc/a.txt 1", "-0644 0:0 etc/b.txt 2"]),
        ("COPY a.txt /opt", &["-0644 0:0 opt/a.txt 1"]),
        ("COPY dir/sub /n/m", &["d0755 0:0 n", "d0755 0:0 n/m", "-0644 0:0 n/m/deep 1"]),
        ("COPY dir/sub/ /etc", &["-0644 0:0 etc/deep 1"]),
        ("COPY dir/run /r", &["-0755 0:0 r 2"]),
        ("COPY a.txt rel", &["-0644 0:0 opt/work/rel 1"]),
        ("COPY a.txt .", &["-0644 0:0 opt/work/a.txt 1"]),
        ("COPY a.txt n/.", &["d2755 0:50 opt/work/n", "-0644 0:0 opt/work/n/a.txt 1"]),
        ("COPY a.txt /bin/../n", &["-0644 0:0 n 1"]),
        ("COPY [\"a.txt\", \"/s p/\"]", &["d0755 0:0 s p", "-0644 0:0 s p/a.txt 1"]),
    ] {
        assert_eq!(added(&bench, instructions), expected, "{instructions}");
    }
}

#[test]
fn links_in_the_way_are_followed_and_links_in_folders_are_copied() {
    let bench = base();
    for (instructions, expected) in [
        ("COPY a.txt /bin/", &["-0644 0:0 usr/bin/a.txt 1"][..]),
        ("COPY a.txt /bin/b", &["-0644 0:0 usr/bin/b 1"]),
        ("COPY a.txt /abs", &["-0644 0:0 opt/work/a.txt 1"]),
        ("COPY linkdir/sub /s", &["d0755 0:0 s", "-0644 0:0 s/deep 1"]),
        ("COPY dir/link /l", &["-0644 0:0 l 1"]),
        (
            "COPY linkdir /l",
            &[
                "d0755 0:0 l",
                "-0644 0:0 l/f 1",
                "l0777 0:0 l/link -> f",
                "-0755 0:0 l/run 2",
                "d0755 0:0 l/sub",
                "-0644 0:0 l/sub/deep 1",
            ],
        ),
    ] {
        assert_eq!(added(&bench, instructions), expected, "{instructions}");
    }
}

#[test]
fn owners_and_modes_are_what_is_asked_for() {
    let bench = base();
    for (instructions, expected) in [
        ("COPY --chown=spark a.txt /n/x", &["d0755 185:186 n", "-0644 185:186 n/x 1"][..]),
        ("COPY --chown=spark:staff a.txt /x", &["-0644 185:50 x 1"]),
        ("COPY --chown=7 a.txt /x", &["-0644 7:7 x 1"]),
        ("COPY --chown=:staff a.txt /x", &["-0644 0:50 x 1"]),
        ("ARG O=185:0\nCOPY --chown=$O a.txt /opt/work/", &["-0644 185:0 opt/work/a.txt 1"]),
        ("COPY --chmod=4711 a.txt /x", &["-4711 0:0 x 1"]),
        ("COPY --chmod=0700 dir/sub /etc/", &["-0700 0:0 etc/deep 1"]),
        ("COPY --chmod=0750 dir/sub /n", &["d0750 0:0 n", "-0750 0:0 n/deep 1"]),
        // A folder with setgid hands its group and the bit on.
        ("COPY a.txt /opt/work/n/", &["d2755 0:50 opt/work/n", "-0644 0:0 opt/work/n/a.txt 1"]),
        // --link does not look at what lies below, and so has its own idea of the folders.
        ("COPY --link a.txt /opt/work/", &["d0755 0:0 opt/work", "-0644 0:0 opt/work/a.txt 1"]),
    ] {
        assert_eq!(added(&bench, instructions), expected, "{instructions}");
    }
}

#[test]
fn patterns_fit_files_and_folders() {
    let bench = base();
    for (instructions, expected) in [
        ("COPY jars/*.jar /j/", &["d0755 0:0 j", "-0644 0:0 j/x-1.jar 1", "-0644 0:0 j/y-2.jar 1"][..]),
        ("COPY jars/[x]-?.jar /etc/", &["-0644 0:0 etc/x-1.jar 1"]),
        ("COPY */sub /etc/", &["-0644 0:0 etc/deep 1"]),
        ("COPY jars/x*.jar /j", &["-0644 0:0 j 1"]),
    ] {
        assert_eq!(added(&bench, instructions), expected, "{instructions}");
    }
}

#[test]
fn stages_and_images_can_be_copied_from() {
    let bench = base();
    let files = bench.files(
        "FROM base AS One\nCOPY --chown=1:2 a.txt /opt/\nFROM scratch\nCOPY --from=one /opt /o\nCOPY --from=0 /bin /b\n\
         COPY --from=base /etc/passwd /p\nCOPY --from=base --chown=3:4 /usr/bin/su /s",
    );
    let expected = [
        "d0755 0:0 b",
        "-4755 0:0 b/su 2",
        "-4755 0:0 b/su2 2",
        "d0755 0:0 o",
        "-0644 1:2 o/a.txt 1",
        "d2775 185:50 o/work",
        "-0644 0:0 p 35",
        "-4755 3:4 s 2",
    ];
    assert_eq!(files, expected);
}

#[test]
fn files_with_two_names_stay_one_file() {
    let bench = base();
    let built = bench.build("FROM scratch\nCOPY --from=base /bin /b");
    let bytes = std::fs::read(bench.layout.blob_path(&built.layers[0].diff_id)).unwrap();
    let mut archive = tar::Archive::new(&bytes[..]);
    let kinds: Vec<_> = archive.entries().unwrap().map(|entry| entry.unwrap().header().entry_type()).collect();
    assert_eq!(kinds, [tar::EntryType::Directory, tar::EntryType::Regular, tar::EntryType::Link]);
}

#[test]
fn a_layer_brings_the_folders_it_lies_in_as_they_are() {
    // An engine that unpacks a layer by itself would else make them up, with another mode and owner.
    let bench = base();
    let built = bench.build("FROM base\nCOPY a.txt /opt/work/");
    let bytes = std::fs::read(bench.layout.blob_path(&built.layers.last().unwrap().diff_id)).unwrap();
    let mut archive = tar::Archive::new(&bytes[..]);
    let entries = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let header = entry.header();
        let path = entry.path().unwrap().display().to_string();
        (path, header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap())
    });
    let expected = [("opt/", 0o755, 0, 0), ("opt/work/", 0o2775, 185, 50), ("opt/work/a.txt", 0o644, 0, 0)];
    assert_eq!(entries.collect::<Vec<_>>(), expected.map(|(path, mode, uid, gid)| (path.to_owned(), mode, uid, gid)));
}

#[test]
fn here_documents_are_files() {
    let bench = Bench::new();
    let built = bench.build("FROM scratch\nENV A=1\nCOPY <<x <<'y' /h/\n$A\\$A\nx\n$A\ny\n");
    let tree = assemble::tree(&bench.layout, &built.image).unwrap();
    let digest = |path| match &tree.get(path).unwrap().body {
        assemble::Body::File(file) => file.digest,
        other => panic!("{other:?}"),
    };
    assert_eq!(digest("h/x"), blob::Digest::of(b"1$A\n"));
    assert_eq!(digest("h/y"), blob::Digest::of(b"$A\n"));
}

#[test]
fn workdir_makes_what_is_missing_for_the_user() {
    let bench = base();
    for (instructions, expected) in [
        ("WORKDIR /n/m", &["d0755 185:186 n", "d0755 185:186 n/m"][..]),
        ("WORKDIR rel", &["d2755 185:186 opt/work/rel"]),
        ("USER root\nWORKDIR /abs/../x", &["d0755 0:0 x"]),
        ("WORKDIR /bin/x", &["d0755 185:186 usr/bin/x"]),
        ("WORKDIR /opt", &[]),
    ] {
        assert_eq!(added(&bench, instructions), expected, "{instructions}");
    }
    let built = bench.build("FROM base\nWORKDIR ../../n\nWORKDIR m\nWORKDIR /n/m");
    assert_eq!(built.config.config.working_dir, "/n/m");
    let empty: Vec<_> = built.config.history.iter().map(|history| history.empty_layer).collect();
    assert_eq!(empty[empty.len() - 3..], [false, false, true]);
}

#[test]
fn what_cannot_be_copied_is_named() {
    let bench = base();
    for (instructions, expected) in [
        ("COPY gone /x", "`gone` is not in the context; add it, or look for what hides it"),
        ("COPY go*ne /x", "`go*ne` is not in the context; add it, or look for what hides it"),
        ("COPY nowhere /x", "look for what hides it: `nowhere` is a link to `/gone`"),
        ("COPY ../x /x", "`../x` leaves the context; put what it names into the context"),
        ("COPY dir/../../x /x", "leaves the context"),
        ("COPY out /x", "`out` leads out of the context by a link"),
        ("COPY loop1 /x", "`loop1` cannot be followed: its links lead in a circle"),
        ("COPY a.txt b.txt /x", "several files cannot all become `/x`; write `/x/` for a folder"),
        ("COPY jars/*.jar /x", "several files cannot all become `/x`"),
        ("COPY a.txt /etc/passwd/x", "`/etc/passwd` is no folder"),
        ("COPY dir /etc/passwd", "`/etc/passwd` is no folder"),
        ("COPY jars/x-1.jar /opt/a.txt\nCOPY dir /opt/a.txt/y", "`/opt/a.txt` is no folder"),
        ("COPY dir /m/run\nCOPY dir /m", "`dir/run` cannot replace the folder `/m/run`"),
        ("COPY a.txt /m/sub\nCOPY dir /m", "the folder `dir/sub` cannot be copied to `/m/sub`"),
        ("COPY --chown=nobody a.txt /x", "`nobody` is not in /etc/passwd of the image; use its number"),
        ("COPY --chown=0:nogroup a.txt /x", "`nogroup` is not in /etc/group of the image"),
        ("COPY --link --chown=spark a.txt /x", "--chown=spark with --link needs numbers"),
        ("COPY --chmod=u+x a.txt /x", "--chmod must be octal"),
        ("COPY a.txt /x/.wh.y", "cannot be in a layer"),
        ("COPY --from=base /gone /x", "`/gone` is not in the stage or image that it is copied from"),
        ("COPY --from=nobody /gone /x", "`nobody` is neither a stage before this nor an image in the layout"),
        ("COPY --from=3 / /x", "there is no stage 3"),
        ("COPY --from=later / /x\nFROM scratch AS later\nFROM 0", "nor an image"),
        ("ADD https://host.example/x /x", "is remote; put it into the context"),
        ("USER ghost\nWORKDIR /n", "`ghost` is not in /etc/passwd"),
    ] {
        let error = bench.refuse(&format!("FROM base\n{instructions}"));
        assert!(error.contains(expected), "{instructions}\n{error}");
    }
    assert!(
        bench
            .refuse("FROM scratch AS a\nCOPY --from=b / /\nFROM scratch AS b\nFROM a")
            .contains("does not come before")
    );
}

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    let error = base().refuse("FROM base\nCOPY gone /x\nENV A=\"\nCOPY a.txt \\\n  /y\nCOPY gone2 /x\nEXPOSE x");
    let lines: Vec<_> = error.lines().map(|line| line.split(':').nth(1).unwrap()).collect();
    assert_eq!(lines, ["2", "3", "6", "7"], "{error}");
    let error = base().refuse("FROM base\nRUN --x y\nFOO\nCOPY a\nONBUILD USER x\nMAINTAINER me\nLABEL");
    assert_eq!(error.lines().count(), 6, "{error}");
}
