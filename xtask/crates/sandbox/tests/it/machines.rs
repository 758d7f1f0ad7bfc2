//! The same under other conditions: an ordinary user, a terminal, a disk that cannot be the upper layer of an overlay, a
//! kernel that says no.

use std::{env, fs};

use camino::Utf8PathBuf;
use sandbox::{Error, Output, Sandbox, Stdin, Upper};

use crate::{
    bench::{Archive, Bench, run, says},
    child,
};

fn output_of(expression: duct::Expression) -> String {
    let output = expression.stderr_to_stdout().stdout_capture().run().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{text}");
    assert!(output.status.success() && text.contains("test result: ok."));
    text
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn everything_again_as_an_ordinary_user() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    output_of(child::within(&user, &["--nocapture"], &bench));
}

#[test]
#[ignore = "started by another test, with a disk that is an overlay"]
fn on_an_overlay() {
    let bench = Bench::new();
    let sandbox = bench.sandbox().unwrap();
    assert_eq!(sandbox.support().upper, Upper::Memory);
    let image = || [Archive::new().folder("d", 0o755, (0, 0)).file("d/f", "old ")];
    let script = "cat /d/f; rm -r /d; mkdir /d; ls /d; echo new >/d/g; cat /d/g";
    assert_eq!(says(&sandbox, bench.spec(image(), &["sh", "-c", script])), "old new\n");
    let mut spec = bench.spec(image(), &["true"]);
    spec.upper = Some(bench.path.join("kept"));
    let error = sandbox.run(spec, &sandbox::Cancel::new()).unwrap_err();
    assert!(matches!(&error, Error::Setup(text) if text.contains("overlay")), "{error}");
}

#[test]
fn changes_go_to_memory_where_the_disk_cannot_take_them() {
    let bench = Bench::new();
    if bench.sandbox().is_none() {
        return;
    }
    let script = r#"
        mkdir lower upper work disk
        mount -t overlay -o userxattr,lowerdir=lower,upperdir=upper,workdir=work overlay disk
        TMPDIR=$PWD/disk
        exec "$@""#;
    let user = if is_root() { vec![] } else { vec!["--user", "--map-root-user"] };
    let prefix = [&["unshare", "--mount"], user.as_slice(), &["sh", "-euc", script, "sh"]].concat();
    output_of(child::within(&prefix, &child::arguments("machines::on_an_overlay"), &bench));
}

#[test]
#[ignore = "started by another test, with a disk of one megabyte"]
fn on_a_full_disk() {
    let bench = Bench::new();
    let (digest, tar) = bench.tar(Archive::new().file("small", "s").file("big", &"b".repeat(700_000)));
    let error = bench.layers.unpack(digest, &tar).unwrap_err();
    assert!(matches!(&error, Error::Entry { entry, .. } if entry == "big"), "{error}");
    assert!(error.to_string().contains("No space left"), "{error}");
    assert!(matches!(bench.layers.root(&[digest]), Err(Error::Missing { .. })));
    fs::remove_file(tar).unwrap();
    let root = bench.root([Archive::new().file("big", &"b".repeat(300_000))]);
    assert_eq!(root.entry("/big".into()).unwrap().unwrap().size, 300_000);
}

#[test]
fn a_full_disk_is_named_and_nothing_is_kept() {
    let bench = Bench::new();
    if bench.sandbox().is_none() {
        return;
    }
    let script = r#"mkdir disk; mount -t tmpfs -o size=1m,mode=777 tmpfs disk; TMPDIR=$PWD/disk; exec "$@""#;
    let user = if is_root() { vec![] } else { vec!["--user", "--map-root-user"] };
    let prefix = [&["unshare", "--mount"], user.as_slice(), &["sh", "-euc", script, "sh"]].concat();
    output_of(child::within(&prefix, &child::arguments("machines::on_a_full_disk"), &bench));
}

#[test]
#[ignore = "started by another test, where user namespaces are used up"]
fn without_namespaces() {
    let path = Utf8PathBuf::from(env::var(child::FOLDER).unwrap()).join("none");
    let Err(Error::Unsupported(reason)) = Sandbox::open(&path) else { panic!("a sandbox was made") };
    let text = reason.to_string();
    assert!(text.contains("user namespaces are switched off ("), "{text}");
    assert!(text.ends_with("as root: sysctl -w user.max_user_namespaces=15000"), "{text}");
    assert!(fs::read_dir(path.join("runs")).unwrap().next().is_none(), "attempts leave nothing");
}

#[test]
fn a_machine_that_allows_no_namespaces_is_told_why() {
    let bench = Bench::new();
    if bench.sandbox().is_none() {
        return;
    }
    // The setting is one of each user namespace; this one is made for the test.
    let script = r#"echo 0 >/proc/sys/user/max_user_namespaces; exec "$@""#;
    let prefix = ["unshare", "--user", "--map-root-user", "sh", "-euc", script, "sh"];
    output_of(child::within(&prefix, &child::arguments("machines::without_namespaces"), &bench));
}

#[test]
#[ignore = "started by another test, with a standard input to inherit"]
fn with_input() {
    let bench = Bench::new();
    let sandbox = bench.sandbox().unwrap();
    let cat = |stdin| {
        let mut spec = bench.spec([], &["cat"]);
        spec.stdin = stdin;
        says(&sandbox, spec)
    };
    assert_eq!(cat(Stdin::Null), "");
    assert_eq!(cat(Stdin::Inherit), "from outside");
}

#[test]
fn standard_input_is_empty_or_inherited() {
    let bench = Bench::new();
    if bench.sandbox().is_some() {
        output_of(child::of("machines::with_input", &bench).stdin_bytes("from outside"));
    }
}

#[test]
#[ignore = "started by another test, on a terminal"]
fn on_a_terminal() {
    let bench = Bench::new();
    let sandbox = bench.sandbox().unwrap();
    let has_terminal = |terminal| {
        let mut spec = bench.spec([], &["sh", "-c", "test -t 0 && true </dev/tty"]);
        spec.terminal = terminal;
        spec.stdin = Stdin::Inherit;
        spec.stdout = Output::Inherit;
        spec.stderr = Output::Capture;
        run(&sandbox, spec).status.success()
    };
    assert!(has_terminal(true));
    assert!(!has_terminal(false));
}

#[test]
fn the_terminal_is_lent_when_asked_for() {
    let bench = Bench::new();
    if bench.sandbox().is_none() {
        return;
    }
    // `script` makes a terminal; it takes one string for a shell.
    let command = format!("{} {}", child::program(&bench), child::arguments("machines::on_a_terminal").join(" "));
    let script = ["script", "--quiet", "--return", "--command", &command, "/dev/null"];
    output_of(child::command(&script, &bench).stdin_null());
}
