//! Commands that fail, and things that no image may hold.

use std::{
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::bench::Bench;

#[test]
fn a_failure_says_where_what_and_why() {
    let Some(bench) = Bench::new() else { return };
    let error = bench.refuse("FROM base\nENV A=1\nRUN seq 30; echo because >&2; \\\n  exit 7");
    let (first, rest) = error.split_once('\n').unwrap();
    assert_eq!(first, "Dockerfile:3: `seq 30; echo because >&2;   exit 7` failed with exit code 7");
    assert!(rest.contains("\n    30") && rest.contains("    because") && !rest.contains("\n    5\n"), "{rest}");
    assert!(rest.lines().count() <= 20, "{rest}");
    let error = bench.refuse("FROM base\nRUN [\"no-such-program\"]");
    assert!(error.contains("Dockerfile:2: `no-such-program` failed with exit code 127"), "{error}");
    let error = bench.refuse("FROM base\nCOPY gone /\nRUN echo ran >&2");
    assert!(error.contains("Dockerfile:2: `gone` is not in the context") && !bench.said().contains("ran"), "{error}");
    let error = bench.refuse("FROM scratch\nRUN true");
    assert!(error.starts_with("Dockerfile:2: there is nothing to run in an empty stage"), "{error}");
}

#[test]
fn what_no_image_may_hold_is_named() {
    let Some(bench) = Bench::new() else { return };
    for (command, expected) in [
        ("touch \"/tmp/$(printf 'a\\377')\"", "whose name is not UTF-8; rename it"),
        ("ln -s \"$(printf 'a\\377')\" /tmp/l", "which is not UTF-8; rename it"),
        ("touch /tmp/.wh.x", "it made `/tmp/.wh.x`: in a layer a name with `.wh.` means a missing file; rename it"),
        ("mknod /tmp/d c 1 3", "failed with exit code 1"),
        ("mount -t tmpfs t /tmp", "failed with exit code"),
    ] {
        let error = bench.refuse(&format!("FROM base\nRUN {command}"));
        assert!(error.starts_with("Dockerfile:2: ") && error.contains(expected), "{command}\n{error}");
    }
}

#[test]
fn links_in_a_circle_do_no_harm() {
    let Some(bench) = Bench::new() else { return };
    let made =
        bench.layer("RUN ln -s /tmp/b /tmp/a && ln -s /tmp/a /tmp/b && ln -s / /tmp/root && ln -s /etc /tmp/host");
    let expected = [
        "d1777 0:0 tmp",
        "l0777 0:0 tmp/a -> /tmp/b",
        "l0777 0:0 tmp/b -> /tmp/a",
        "l0777 0:0 tmp/host -> /etc",
        "l0777 0:0 tmp/root -> /",
    ];
    assert_eq!(made, expected);
}

#[test]
fn without_root_what_cannot_be_given_away_is_explained() {
    let Some(bench) = Bench::new() else { return };
    let dockerfile = "FROM base\nRUN echo 1 >/tmp/f && chown 185:185 /tmp/f";
    if !bench.emulated {
        let tree = bench.tree(&bench.build(dockerfile));
        let node = tree.get("tmp/f").unwrap();
        assert_eq!((node.uid, node.gid), (185, 185));
        return;
    }
    let error = bench.refuse(dockerfile);
    assert!(error.contains("Invalid argument") && error.contains("one user is mapped"), "{error}");
    assert!(error.contains("give owners with COPY --chown, set USER before RUN, or build as root"), "{error}");
    // What seems to be the user's already cannot be given to him: that is said, since nothing else can be done.
    assert_eq!(bench.layer("RUN chown 0:0 /old/b"), [""; 0]);
    assert!(bench.said().contains("note: 1 files, /old/b among them, keep the owners"), "{}", bench.said());
    assert_eq!(bench.layer("RUN chmod 755 /old/sub/c"), [""; 0]);
    assert!(bench.said().contains("/old/sub/c among them, keep the owners and set-id bits"), "{}", bench.said());
}

#[test]
fn nothing_is_left_behind() {
    let Some(bench) = Bench::new() else { return };
    bench.build("FROM base\nRUN mkdir -p /x/y && chmod 000 /x && echo 1 >/tmp/f");
    bench.refuse("FROM base\nRUN mkdir -p /x/y && chmod 000 /x && false");
    let runs = bench.layout.root().join(".assemble/runs");
    assert_eq!(runs.read_dir_utf8().unwrap().count(), 0);
    // What a killed process left is removed by the next, whatever its modes.
    let left = runs.join("run-left/changes/upper/shut");
    std::fs::create_dir_all(left.join("in")).unwrap();
    std::fs::set_permissions(&left, std::fs::Permissions::from_mode(0o000)).unwrap();
    bench.build("FROM base\nRUN echo 2 >/tmp/f");
    assert_eq!(runs.read_dir_utf8().unwrap().count(), 0);
}

#[test]
fn a_locked_cache_is_used_by_one_at_a_time() {
    let Some(bench) = Bench::new() else { return };
    let running = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for n in 0..3 {
            let (bench, running) = (&bench, &running);
            scope.spawn(move || {
                let mount = "--mount=type=cache,target=/c,sharing=locked";
                let script = "mkdir /c/mine && sleep 0.05 && rmdir /c/mine";
                bench.build(&format!("FROM base\nENV N={n}\nRUN {mount} {script}"));
                running.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(running.into_inner(), 3);
}
