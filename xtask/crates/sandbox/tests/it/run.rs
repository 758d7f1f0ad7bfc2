//! What a command sees, what it can do, and how it ends.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{FileTypeExt, MetadataExt},
    sync::{Arc, Mutex},
};

use camino::Utf8Path;
use sandbox::{Access, Cancel, Error, Identity, Mount, Network, Output, Status};

use crate::bench::{Archive, Bench, run, says};

#[test]
fn the_environment_is_exactly_what_was_given() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let mut spec = bench.spec([], &["env"]);
    spec.env.insert("LD_LIBRARY_PATH".to_owned(), "/nowhere".to_owned());
    spec.env.insert("A".to_owned(), "two\nlines = ' \" $x".to_owned());
    spec.env.insert("-odd".to_owned(), String::new());
    let mut lines: Vec<String> = says(&sandbox, spec).lines().map(str::to_owned).collect();
    lines.sort();
    let expected =
        ["-odd=", "A=two", "LD_LIBRARY_PATH=/nowhere", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "lines = ' \" $x"];
    assert_eq!(lines, expected);
}

#[test]
fn variables_of_the_dynamic_linker_do_not_reach_the_host() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    // The linker of every program that gets this variable complains.
    let image = Archive::new().folder("usr", 0o755, (0, 0)).folder("usr/bin", 0o755, (0, 0)).file("usr/bin/env", "");
    let mut spec = bench.spec([image], &["sh", "-c", "echo $LD_PRELOAD"]);
    spec.env.insert("LD_PRELOAD".to_owned(), "/no/such.so".to_owned());
    let outcome = run(&sandbox, spec);
    assert_eq!(outcome.stdout, b"/no/such.so\n");
    let complaints = String::from_utf8(outcome.stderr).unwrap();
    assert_eq!(complaints.matches("/no/such.so").count(), 1, "{complaints}");
}

#[test]
fn exit_codes_arrive() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    for (script, code) in [("exit 0", 0), ("exit 1", 1), ("exit 125", 125), ("sh -c 'kill -SEGV $$'; exit $?", 139)] {
        assert_eq!(run(&sandbox, bench.spec([], &["sh", "-c", script])).status, Status::Exited(code), "{script}");
    }
    assert_eq!(run(&sandbox, bench.spec([], &["no-such-program"])).status, Status::Exited(127));
    assert_eq!(run(&sandbox, bench.spec([], &["/etc/passwd"])).status, Status::Exited(126));
}

#[test]
fn the_command_is_who_it_should_be() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let script =
        "id -u; id -g; id -G; echo $$; pwd; umask; grep -E 'NoNewPrivs|Cap(Inh|Prm|Eff|Amb)' /proc/self/status";
    for (user, uid, gid, groups) in
        [("spark", 185, 185, "185 700"), ("185:0", 185, 0, "0"), ("1000650000", 1000650000, 0, "0")]
    {
        let mut spec = bench.spec([], &["sh", "-c", script]);
        spec.user = Identity::of(&spec.root, user).unwrap();
        spec.cwd = "/somewhere/new".into();
        let emulated = sandbox.support().uid_emulated;
        let groups = if emulated { gid.to_string() } else { groups.to_owned() };
        // Groups of the caller that cannot be given up show as the overflow group.
        let said = says(&sandbox, spec).replace(" 65534", "");
        let none = "0000000000000000";
        let rights = format!("CapInh:\t{none}\nCapPrm:\t{none}\nCapEff:\t{none}\nCapAmb:\t{none}\nNoNewPrivs:\t1\n");
        assert_eq!(said, format!("{uid}\n{gid}\n{groups}\n1\n/somewhere/new\n0022\n{rights}"), "{user}");
    }
}

#[test]
fn root_of_the_image_cannot_mount_and_cannot_get_out() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    fs::write(bench.path.join("secret"), "of the host").unwrap();
    // A process leaves its root by entering another one with its working folder outside.
    let script = r#"
        mount -t tmpfs none /mnt 2>/dev/null && echo mounted
        mkdir /mnt/inner
        unshare --root=/mnt/inner true 2>/dev/null; cd ../../../../../../../../../..
        cat "$1" 2>/dev/null && echo out
        cat "/proc/1/root/$1" 2>/dev/null && echo out
        id -u"#;
    let image = Archive::new().folder("mnt", 0o755, (0, 0));
    let spec = bench.spec([image], &["sh", "-c", script, "sh", &format!(".{}", bench.path.join("secret"))]);
    assert_eq!(says(&sandbox, spec), "0\n");
}

#[test]
fn owners_are_enforced_by_the_kernel_or_judged_by_the_layers() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let image = || {
        [Archive::new()
            .folder("ours", 0o775, (185, 0))
            .folder("theirs", 0o755, (185, 185))
            .folder("shut", 0o700, (185, 185))
            .owned_file("shut/f", 0o644, (185, 185), "")]
    };
    let script = "for d in ours theirs; do if true 2>/dev/null >/$d/new; then echo $d; fi; done; cat /shut/f 2>/dev/null && echo shut; true";
    let mut spec = bench.spec(image(), &["sh", "-c", script]);
    let anyone = Identity::unknown(4711);
    spec.user = anyone.clone();
    let root = spec.root.clone();
    let outcome = run(&sandbox, spec);
    let enforced = String::from_utf8(outcome.stdout).unwrap();
    assert_eq!(outcome.uid_emulated, !bench.owned());
    assert_eq!(enforced, if outcome.uid_emulated { "ours\ntheirs\nshut\n" } else { "ours\n" });
    assert!(root.allows(&anyone, Access::Write, "/ours".into()).unwrap());
    assert!(!root.allows(&anyone, Access::Write, "/theirs".into()).unwrap());
    assert!(!root.allows(&anyone, Access::Read, "/shut/f".into()).unwrap());
}

#[test]
fn no_network_but_loopback() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Bash opens sockets by itself. A documentation address (RFC 5737) is unreachable at once, not after a time-out; our
    // own loopback refuses, as the listener is on the host's.
    let script = format!(
        "cut -s -d : -f 1 /proc/net/dev; cat /etc/hosts /etc/hostname; hostname; \
         (: </dev/tcp/192.0.2.1/80) 2>&1 | grep -o 'Network is unreachable' | head -n 1; \
         (: </dev/tcp/box/{port}) 2>&1 | grep -o 'Connection refused' | head -n 1"
    );
    let mut spec = bench.spec([], &["bash", "-c", &script]);
    spec.hostname = "box".to_owned();
    let said = says(&sandbox, spec);
    let hosts = "127.0.0.1\tlocalhost box\n::1\tlocalhost\nbox\nbox\n";
    assert_eq!(said, format!("    lo\n{hosts}Network is unreachable\nConnection refused\n"));
    let mut spec = bench.spec([], &["bash", "-c", &format!(": </dev/tcp/127.0.0.1/{port}")]);
    spec.network = Network::Host;
    says(&sandbox, spec);
}

#[test]
fn mounts() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let data = bench.path.join("data, with: odd\\name");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("file"), "host ").unwrap();
    // The link leads to the image's /etc, not to the host's.
    let image = Archive::new().symlink("opt", "/etc").file("etc/conf", "image");
    let script = "cat /etc/ro/file /one /scratch/below/file; echo x >/etc/ro/file || echo read-only; echo x >/one || echo read-only; \
                  echo box >/rw/file; stat -c %a /scratch; head -c 2M /dev/zero >/scratch/big || echo full; \
                  echo >/new || echo no; echo >/etc/conf || echo no";
    let mut spec = bench.spec([image], &["sh", "-c", script]);
    let bind = |source: &Utf8Path, target: &str, read_only| Mount::Bind {
        source: source.to_owned(),
        target: target.into(),
        read_only,
    };
    spec.mounts.push(bind(&data, "/opt/ro", true));
    spec.mounts.push(bind(&data.join("file"), "/one", true));
    spec.mounts.push(bind(&data, "/rw", false));
    spec.mounts.push(Mount::Tmpfs { target: "/scratch".into(), mode: 0o1777, size: Some(1 << 20) });
    spec.mounts.push(bind(&data, "/scratch/below", true));
    spec.read_only_root = true;
    let outcome = run(&sandbox, spec);
    let said = String::from_utf8(outcome.stdout).unwrap();
    assert_eq!(
        said,
        "host host host read-only\nread-only\n1777\nfull\nno\nno\n",
        "{:?}",
        String::from_utf8(outcome.stderr)
    );
    assert_eq!(fs::read_to_string(data.join("file")).unwrap(), "box\n");
    let mut missing = bench.spec([], &["true"]);
    missing.mounts.push(bind(&data.join("nothing"), "/x", false));
    let error = sandbox.run(missing, &Cancel::new()).unwrap_err();
    assert!(error.to_string().contains("odd\\name/nothing"), "{error}");
}

#[test]
fn devices_and_kernel_files() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let script = "echo x >/dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; \
                  echo fd | cat /dev/stdin; echo fd | cat /dev/fd/0; stat -c %a /dev/shm; : >/dev/shm/x; \
                  ls /dev; test -d /dev/pts; echo x 2>/dev/null >/dev/full || echo full; \
                  true 2>/dev/null >/dev/tty || echo no terminal; ulimit -n";
    let mut spec = bench.spec([], &["sh", "-c", script]);
    spec.user = Identity::unknown(185);
    let said = says(&sandbox, spec);
    let (said, limit) = said.trim_end().rsplit_once('\n').unwrap();
    let devices = "fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n";
    assert_eq!(said, format!("3\n3\nfd\nfd\n1777\n{devices}full\nno terminal"));
    assert!(limit.parse::<u64>().unwrap() >= 1024);
}

#[test]
fn changes_are_kept_when_asked_for_and_else_forgotten() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let image = || {
        [Archive::new()
            .folder("d", 0o755, (0, 0))
            .file("d/old", "1")
            .file("gone", "1")
            .folder("again", 0o755, (0, 0))
            .file("again/below", "1")]
    };
    let script = "rm -r /gone /again; mkdir /again; echo new >/d/new; chmod 000 /d; ls /again";
    let mut spec = bench.spec(image(), &["sh", "-c", script]);
    let kept = bench.path.join("kept");
    spec.upper = Some(kept.clone());
    assert_eq!(says(&sandbox, spec), "");
    let upper = kept.join("upper");
    let mut names: Vec<_> = upper.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["again", "d", "gone"], "no mount point is among the changes");
    assert_eq!(fs::metadata(upper.join("d")).unwrap().mode() & 0o7777, 0);
    if bench.owned() {
        assert_eq!(fs::read_to_string(upper.join("d/new")).unwrap(), "new\n");
    }
    let gone = fs::symlink_metadata(upper.join("gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    let mut opaque = [0; 1];
    rustix::fs::lgetxattr(upper.join("again").as_std_path(), "user.overlay.opaque", &mut opaque).unwrap();
    assert_eq!(&opaque, b"y");
    assert_eq!(fs::read_dir(&kept).unwrap().count(), 1, "the work folder is gone");
    // The layers are as they were, and a folder that holds changes is not taken again.
    assert_eq!(says(&sandbox, bench.spec(image(), &["cat", "/gone", "/d/old", "/again/below"])), "111");
    let mut spec = bench.spec(image(), &["true"]);
    spec.upper = Some(kept);
    assert!(matches!(sandbox.run(spec, &Cancel::new()), Err(Error::Spec(text)) if text.contains("must be empty")));
    if bench.owned() {
        return;
    }
    // What the removal of the temporary folder could not enter.
    rustix::fs::chmod(upper.join("d").as_std_path(), 0o700.into()).unwrap();
}

#[test]
fn output_of_any_size_goes_where_it_should() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let script = "head -c 5000000 /dev/zero; head -c 3000000 /dev/zero >&2";
    let outcome = run(&sandbox, bench.spec([], &["sh", "-c", script]));
    assert_eq!((outcome.stdout.len(), outcome.stderr.len()), (5_000_000, 3_000_000));

    let mut spec = bench.spec([], &["sh", "-c", "echo out; echo err >&2"]);
    let log = bench.path.join("log");
    spec.stdout = Output::File(log.clone());
    let outcome = run(&sandbox, spec);
    assert_eq!((fs::read(log).unwrap().as_slice(), outcome.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));

    let lines = Arc::new(Mutex::new(Vec::new()));
    let mut spec = bench.spec([], &["printf", "a\\n\\nb\\377\\r\\nlast"]);
    spec.stdout = Output::Lines(Box::new({
        let lines = lines.clone();
        move |line| lines.lock().unwrap().push(line.to_owned())
    }));
    run(&sandbox, spec);
    assert_eq!(*lines.lock().unwrap(), ["a", "", "b\u{fffd}\r", "last"]);

    lines.lock().unwrap().clear();
    let mut spec = bench.spec([], &["sh", "-c", "for n in 1 2 3; do echo out $n; echo err $n >&2; done"]);
    spec.stdout = Output::Lines(Box::new({
        let lines = lines.clone();
        move |line| lines.lock().unwrap().push(line.to_owned())
    }));
    spec.stderr = Output::Stdout;
    run(&sandbox, spec);
    assert_eq!(*lines.lock().unwrap(), ["out 1", "err 1", "out 2", "err 2", "out 3", "err 3"]);
}

#[test]
fn what_cannot_be_run_is_refused_with_the_reason() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let good = || bench.spec([], &["true"]);
    let refused = |change: &dyn Fn(&mut sandbox::Spec), expected: &str| {
        let mut spec = good();
        change(&mut spec);
        let error = sandbox.run(spec, &Cancel::new()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    refused(&|spec| spec.argv.clear(), "no command");
    refused(&|spec| spec.hostname = "a b".to_owned(), "host name");
    refused(&|spec| drop(spec.env.insert("A=B".to_owned(), String::new())), "`A=B`");
    refused(&|spec| spec.argv.push("a\0b".to_owned()), "NUL");
    refused(&|spec| spec.cwd = "work".into(), "`work` is relative");
    let tmpfs = |target: &str| Mount::Tmpfs { target: target.into(), mode: 0o755, size: None };
    refused(&|spec| spec.mounts.push(tmpfs("/")), "root of the image");
    refused(&|spec| spec.mounts.push(tmpfs("/etc/passwd")), "/etc/passwd");
    let odd = bench.spec([Archive::new().symlink("proc", "/tmp")], &["true"]);
    let error = sandbox.run(odd, &Cancel::new()).unwrap_err();
    assert!(error.to_string().contains("/proc is a symbolic link"), "{error}");
    assert!(good().root.entry("/proc".into()).unwrap().is_none());
    assert!(fs::read_dir(bench.path.join("runs")).unwrap().next().is_none(), "scratch folders are removed");
}
