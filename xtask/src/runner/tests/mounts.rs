//! Mounts: what they show, what is kept of them, and that they leave nothing in the layer.

use assemble::run::Secret;

use super::bench::Bench;

#[test]
fn binds_show_a_context_or_a_stage_and_forget_changes() {
    let Some(mut bench) = Bench::new() else { return };
    bench.put("in/f", b"context\n");
    let show = "--mount=target=/m/in,source=in --mount=type=bind,target=one,source=in/f";
    let script = "cat /m/in/f /w/one >/tmp/f; ! touch /m/in/x 2>/dev/null; ls -A /m /w >>/tmp/f";
    assert_eq!(bench.layer(&format!("WORKDIR /w\nRUN {show} {script}")), ["d1777 0:0 tmp", "-0644 0:0 tmp/f 32"]);
    let changed = bench.layer("RUN --mount=target=/m,rw echo x >/m/in/f && cat /m/in/f >/tmp/f");
    assert_eq!(changed, ["d1777 0:0 tmp", "-0644 0:0 tmp/f 2"]);
    let stage = "FROM base AS made\nRUN echo made >/old/made\nFROM base\n\
                 RUN --mount=from=made,source=/old,target=/m stat -c '%u %n' /m/* | tail -n 3 >/tmp/f && cat /m/made >>/tmp/f";
    let tree = bench.tree(&bench.build(stage));
    let owner = if bench.emulated { [0, 0, 0] } else { [185, 0, 185] };
    let expected = format!("{} /m/link\n{} /m/made\n{} /m/sub\nmade\n", owner[0], owner[1], owner[2]);
    assert_eq!(super::bench::text(&tree, "tmp/f"), expected);
    let error = bench.refuse("FROM base\nRUN --mount=target=/m,source=gone true");
    assert!(error.starts_with("Dockerfile:2: `gone` is not in the context"), "{error}");
    let error = bench.refuse("FROM base\nRUN --mount=target=/m,source=../up true");
    assert!(error.starts_with("Dockerfile:2: `../up` leads out of the context"), "{error}");
}

#[test]
fn caches_are_kept_and_shared_by_id() {
    let Some(bench) = Bench::new() else { return };
    let layer = |flags: &str, n: u32| {
        let script = format!("cat /c/* >/tmp/f 2>/dev/null; echo {n} >/c/{n}; touch /tmp/f");
        bench.text(&format!("RUN --mount=type=cache,target=/c{flags} {script}"), "tmp/f")
    };
    assert_eq!(layer("", 1), "");
    assert_eq!(layer("", 2), "1\n");
    assert_eq!(layer(",sharing=locked", 3), "1\n2\n");
    assert_eq!(layer(",id=/c,sharing=private", 4), "1\n2\n3\n");
    assert_eq!(layer(",id=other", 5), "");
    assert_eq!(layer(",mode=0700", 6), "");
    let begins =
        bench.text("RUN --mount=type=cache,target=/c,from=base,source=/old cat /c/b >/tmp/f && rm /c/b", "tmp/f");
    assert_eq!(begins, "b\n");
    let left = bench.layer("RUN --mount=type=cache,target=/deep/er/c,ro ! touch /deep/er/c/x 2>/dev/null");
    assert_eq!(left, [""; 0]);
}

#[test]
fn secrets_are_seen_by_the_command_and_nobody_else() {
    let Some(mut bench) = Bench::new() else { return };
    let script = "cat /run/secrets/s | wc -c >/tmp/n; stat -c %a /run/secrets/s >>/tmp/n";
    let mount = "--mount=type=secret,id=s";
    let error = bench.refuse(&format!("FROM base\nRUN {mount},required=true {script}"));
    assert_eq!(error, "Dockerfile:2: the secret `s` is required and was not given to this build");
    assert_eq!(bench.layer(&format!("RUN {mount} test ! -e /run/secrets/s")), [""; 0]);
    bench.secrets.insert("s".to_owned(), Secret::Bytes(b"hush".as_slice().into()));
    let first = bench.build(&format!("FROM base\nRUN {mount},required {script}"));
    assert_eq!(super::bench::text(&bench.tree(&first), "tmp/n"), "4\n400\n");
    let file = bench.folder.join("secret");
    std::fs::write(&file, "another").unwrap();
    bench.secrets.insert("s".to_owned(), Secret::File(file));
    let again = bench.build(&format!("FROM base\nRUN {mount},required {script}\nENV X=1"));
    assert_eq!(again.layers, first.layers.iter().cloned().map(super::again::cached).collect::<Vec<_>>());
    let mode = "--mount=type=secret,id=s,target=/etc/s,mode=0440,uid=185,gid=185";
    let said =
        bench.text(&format!("USER spark\nRUN {mount} {mode} cat /etc/s >/tmp/s; stat -c %a /etc/s >>/tmp/s"), "tmp/s");
    assert_eq!(said, "another440\n");
}

#[test]
fn a_secret_that_is_given_later_runs_nothing_again() {
    let Some(mut bench) = Bench::new() else { return };
    let script = "cat /run/secrets/s >/tmp/n 2>/dev/null || echo none >/tmp/n; echo ran";
    let run = |before: &str| format!("FROM base\n{before}\nRUN --mount=type=secret,id=s {script}");
    let without = bench.build(&run(""));
    assert_eq!(super::bench::text(&bench.tree(&without), "tmp/n"), "none\n");
    bench.secrets.insert("s".to_owned(), Secret::Bytes(b"hush".as_slice().into()));
    assert_eq!(bench.build(&run("")).image, without.image);
    let given = bench.build(&format!("{}\nENV X=1", run("")));
    let cached: Vec<_> = without.layers.iter().cloned().map(super::again::cached).collect();
    assert_eq!((given.layers, bench.said().as_str()), (cached, "ran"));
    // What is a part of the key runs it again.
    let again = bench.build(&run("ARG WITH=1"));
    assert_eq!(super::bench::text(&bench.tree(&again), "tmp/n"), "hush");
    bench.secrets.clear();
    assert_eq!(bench.build(&run("ARG WITH=1")).image, again.image);
    assert_eq!(bench.said(), "ran\nran");
}

#[test]
fn memory_is_limited() {
    let Some(bench) = Bench::new() else { return };
    let script = "head -c 2M /dev/zero 2>/dev/null >/t/big || echo full >/tmp/f";
    assert_eq!(bench.text(&format!("RUN --mount=type=tmpfs,target=/t,size=1m {script}"), "tmp/f"), "full\n");
    let error = bench.refuse("FROM base\nRUN --mount=type=tmpfs,target=/t,size=big true");
    assert_eq!(error, "Dockerfile:2: `big` is no size; write size=64m for instance");
}
