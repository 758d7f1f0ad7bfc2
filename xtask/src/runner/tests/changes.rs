//! What of a command's changes is in its layer.

use super::bench::Bench;

#[test]
fn a_layer_holds_what_changed_and_the_folders_above() {
    let Some(bench) = Bench::new() else { return };
    let new = bench.layer("RUN mkdir -p /x/y && echo hi >/x/y/f && ln -s f /x/y/l && mkfifo /x/p && ln /x/y/f /x/h");
    let expected = [
        "d0755 0:0 x",
        "-0644 0:0 x/h 3",
        "p0644 0:0 x/p",
        "d0755 0:0 x/y",
        "h0644 0:0 x/y/f -> x/h",
        "l0777 0:0 x/y/l -> f",
    ];
    assert_eq!(new, expected);
    assert_eq!(bench.layer("RUN true"), [""; 0]);
    // Opened for writing, and nothing written: overlayfs copies it all the same.
    assert_eq!(bench.layer("RUN : >>/old/b"), [""; 0]);
}

#[test]
fn what_was_there_keeps_its_owner_and_what_is_new_belongs_to_the_user() {
    let Some(bench) = Bench::new() else { return };
    let base = "d0755 185:185 old";
    assert_eq!(bench.layer("RUN chmod 600 /old/a"), [base, "-0600 185:185 old/a 2"]);
    assert_eq!(bench.layer("RUN echo more >>/old/b"), [base, "-0644 185:0 old/b 7"]);
    assert_eq!(bench.layer("RUN touch -h -d @1 /old/link"), [base, "l0777 185:185 old/link -> a"]);
    // The folder says to whom what is new in it belongs.
    assert_eq!(
        bench.layer("RUN echo n >/old/sub/n && mkdir /old/sub/d"),
        [base, "d2775 185:700 old/sub", "d2755 0:700 old/sub/d", "-0644 0:700 old/sub/n 2"]
    );
    // A program keeps what makes it more than its user.
    assert_eq!(bench.layer("RUN touch /old/sub/c"), [base, "d2775 185:700 old/sub", "-4755 0:700 old/sub/c 2"]);
    assert_eq!(bench.layer("USER spark\nRUN echo n >/tmp/n"), ["d1777 0:0 tmp", "-0644 185:185 tmp/n 2"]);
    assert_eq!(bench.layer("USER 42:43\nRUN echo n >/tmp/n"), ["d1777 0:0 tmp", "-0644 42:43 tmp/n 2"]);
    assert_eq!(bench.layer("RUN cp /old/a /tmp/c; chmod 6711 /tmp/c"), ["d1777 0:0 tmp", "-6711 0:0 tmp/c 2"]);
}

#[test]
fn what_was_removed_is_hidden() {
    let Some(bench) = Bench::new() else { return };
    let base = "d0755 185:185 old";
    assert_eq!(bench.layer("RUN rm /old/a"), [base, "-0000 0:0 old/.wh.a 0"]);
    assert_eq!(bench.layer("RUN rm -r /old"), ["-0000 0:0 .wh.old 0"]);
    assert_eq!(
        bench.layer("RUN rm -r /old && mkdir /old && echo 1 >/old/a"),
        ["d0755 0:0 old", "-0000 0:0 old/.wh..wh..opq 0", "-0644 0:0 old/a 2"]
    );
    assert_eq!(bench.layer("RUN rm -r /old && echo 1 >/old"), ["-0644 0:0 old 2"]);
    assert_eq!(
        bench.layer("RUN rm /old/a && mkdir /old/a && echo 1 >/old/a/b"),
        [base, "d0755 0:0 old/a", "-0644 0:0 old/a/b 2"]
    );
    let built = bench.build("FROM base\nRUN rm -r /old && mkdir /old && echo 1 >/old/a\nRUN ls -A /old >/tmp/ls");
    assert_eq!(super::bench::text(&bench.tree(&built), "tmp/ls"), "a\n");
}

#[test]
fn what_was_moved_stays_what_it_was() {
    let Some(bench) = Bench::new() else { return };
    let base = "d0755 185:185 old";
    assert_eq!(bench.layer("RUN mv /old/b /old/z"), [base, "-0000 0:0 old/.wh.b 0", "-0644 185:0 old/z 2"]);
    assert_eq!(bench.layer("RUN mv /old/b /old/a"), [base, "-0000 0:0 old/.wh.b 0", "-0644 185:0 old/a 2"]);
    // Overlayfs refuses to rename a folder of a lower layer, so that mv copies it.
    let moved = bench.layer("RUN mv /old/sub /moved");
    let owner = |uid: u32, gid: u32| if bench.emulated { "0:0".to_owned() } else { format!("{uid}:{gid}") };
    let (folder, file) = (owner(185, 700), owner(0, 700));
    let mode = if bench.emulated { "0775" } else { "2775" };
    let file_mode = if bench.emulated { "0755" } else { "4755" };
    assert_eq!(
        moved,
        [
            format!("d{mode} {folder} moved"),
            format!("-{file_mode} {file} moved/c 2"),
            base.to_owned(),
            "-0000 0:0 old/.wh.sub 0".to_owned()
        ]
    );
}

#[test]
fn second_names_of_files_are_kept() {
    let Some(bench) = Bench::new() else { return };
    let base = "d0755 185:185 old";
    // A second name of a file below: both are in the layer, since a link must lead to something in it.
    assert_eq!(bench.layer("RUN ln /old/a /0"), ["-0640 185:185 0 2", base, "h0640 185:185 old/a -> 0"]);
    // Overlayfs makes several files of the names of one file below, once one of them is written to.
    let twin = "d0755 0:0 twin";
    assert_eq!(bench.layer("RUN echo x >>/twin/1"), [twin, "-0644 185:185 twin/1 7"]);
    let built = bench.build("FROM base\nRUN ln /old/a /0 && echo x >>/0\nRUN echo y >>/0 && cat /old/a /0 >/tmp/a");
    assert_eq!(super::bench::text(&bench.tree(&built), "tmp/a"), "a\nx\na\nx\ny\n");
}

#[test]
fn nothing_that_the_sandbox_needs_is_in_a_layer() {
    let Some(bench) = Bench::new() else { return };
    assert_eq!(
        bench.layer("WORKDIR /w\nRUN cat /etc/hosts /etc/resolv.conf /etc/hostname >/dev/null; ls /dev /proc /sys >/dev/null; echo 1 >f; echo x >/dev/shm/x"),
        ["d0755 0:0 w", "-0644 0:0 w/f 2"]
    );
}

#[test]
fn attributes_that_an_image_may_carry_are_kept() {
    let Some(bench) = Bench::new() else { return };
    let script = "import os; f='/old/a'; os.setxattr(f,'user.note',b'1'); open('/tmp/p','w').close(); os.setxattr('/tmp/p','user.x',b'2')";
    if std::path::Path::new("/usr/bin/python3").exists() {
        let tree = bench
            .tree(&bench.build(&format!("FROM base\nRUN [\"python3\", \"-c\", {script:?}]\nRUN chmod 600 /old/a")));
        let xattrs = |path: &str| {
            let node = tree.get(path).unwrap();
            node.xattrs.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect::<Vec<_>>()
        };
        assert_eq!(xattrs("old/a"), [("user.note".to_owned(), b"1".to_vec())]);
        assert_eq!(xattrs("tmp/p"), [("user.x".to_owned(), b"2".to_vec())]);
    }
}

#[test]
fn holes_and_modes_that_shut_everybody_out_are_read() {
    let Some(bench) = Bench::new() else { return };
    assert_eq!(
        bench.layer("RUN mkdir /x && truncate -s 20M /x/sparse && echo 1 >/x/f && chmod 000 /x/f /x"),
        ["d0000 0:0 x", "-0000 0:0 x/f 2", "-0644 0:0 x/sparse 20971520"]
    );
}
