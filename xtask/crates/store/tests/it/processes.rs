//! What only a second process can show: sudden death, full and read-only file systems, the environment.
//!
//! The second process is this test program itself, told to run [`as_second_process`] alone.

use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};

use blob::Digest;
use camino::Utf8Path;
use duct::Expression;
use store::{FetchOptions, Http, Location, Store, Wanted, fetch};

use crate::{
    helpers::{assert_holds, assert_nothing_pending, bytes, fetch_with, http, options, temp, wanted},
    server::Server,
    tls::https,
};

/// Fetches into `$TEST_STORE` what `$TEST_WANTED` says (words of `URL=SIZE=DIGEST`; size and digest may be `?`), and
/// prints a line for each.
#[test]
#[ignore = "runs as the second process of other tests"]
fn as_second_process() {
    let store = Store::open(std::env::var("TEST_STORE").unwrap()).unwrap();
    let wishes: Vec<Wanted> = std::env::var("TEST_WANTED").unwrap().split_whitespace().map(parse_wish).collect();
    match fetch(&store, &Http::new(options()).unwrap(), &wishes, &FetchOptions::default(), &store::Silent) {
        Ok(report) => {
            for fetched in report.fetched {
                println!("FETCHED {} {}", fetched.id, if fetched.was_cached() { "cached" } else { "new" });
            }
            for failed in report.failed {
                println!("FAILED {} {}", failed.id, failed.error);
            }
        }
        Err(error) => println!("REFUSED {error}"),
    }
}

fn parse_wish(text: &str) -> Wanted {
    let [url, size, digest] = text.split('=').collect::<Vec<_>>().try_into().unwrap();
    Wanted {
        id: url.rsplit_once('/').unwrap().1.to_owned(),
        locations: vec![Location::new(url)],
        size: size.parse().ok(),
        sha256: digest.parse().ok(),
        check: None,
    }
}

fn wish_text(body: &[u8], url: &str) -> String {
    format!("{url}={}={} ", body.len(), Digest::of(body).hex())
}

/// The second process, started by `wrapper` and after `prelude`, a shell script that changes the world around it.
fn second_process(wrapper: &[&str], prelude: &str, root: &Utf8Path, wishes: &str) -> Expression {
    let script = format!("{prelude}\nexec \"$@\"");
    let program = std::env::current_exe().unwrap();
    let program = program.to_str().unwrap();
    let own = ["--exact", "processes::as_second_process", "--ignored", "--nocapture"];
    let arguments = [wrapper, &["sh", "-ec", script.as_str(), "sh", program], &own].concat();
    duct::cmd(arguments[0], &arguments[1..]).env("TEST_STORE", root).env("TEST_WANTED", wishes).stdin_null()
}

/// The lines that [`as_second_process`] prints.
fn said(process: Expression) -> Vec<String> {
    let output = process.read().unwrap();
    let ours = |line: &&str| ["FETCHED", "FAILED", "REFUSED"].iter().any(|word| line.starts_with(word));
    output.lines().filter(ours).map(str::to_owned).collect()
}

/// What the second process says where it may mount; nothing if this machine allows no namespaces.
fn said_in_namespace(prelude: &str, root: &Utf8Path, wishes: &str) -> Option<Vec<String>> {
    const UNSHARE: [&str; 4] = ["unshare", "--user", "--map-root-user", "--mount"];
    let probe = duct::cmd!(UNSHARE[0], UNSHARE[1], UNSHARE[2], UNSHARE[3], "mount", "-t", "tmpfs", "tmpfs", "/mnt");
    match probe.stderr_to_stdout().read() {
        Ok(_) => Some(said(second_process(&UNSHARE, prelude, root, wishes))),
        Err(error) => {
            eprintln!("skipped: this machine lets nobody mount in a namespace of his own: {error}");
            None
        }
    }
}

/// Waits for what another process does, without a clock of its own.
fn until(done: impl Fn() -> bool) {
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !done() {
        assert!(std::time::Instant::now() < limit, "it did not come");
        std::thread::yield_now();
    }
}

#[test]
fn killed_again_and_again_it_goes_on_where_it_was() {
    const SIZE: usize = 400_000;
    const PART: usize = 100_000;
    let bodies: Vec<_> = (0..3).map(|seed| bytes(60 + seed, SIZE)).collect();
    let server = Server::start({
        let bodies = bodies.clone();
        move |asked, conn| {
            let body = &bodies[asked.target[1..].parse::<usize>().unwrap()];
            let start = asked.offset().unwrap_or(0);
            if start + PART == SIZE {
                return conn.file(asked, body);
            }
            let range = format!("Content-Range: bytes {start}-{}/{SIZE}", SIZE - 1);
            let status = if asked.offset().is_some() { "206 Partial Content" } else { "200 OK" };
            conn.head(status, &[&range], SIZE - start)?;
            conn.send(&body[start..start + PART])?;
            conn.stall()
        }
    });
    let temp = temp();
    let wishes: Vec<Wanted> =
        bodies.iter().enumerate().map(|(index, body)| wanted(body, &[server.url(&format!("/{index}"))])).collect();
    let texts: String =
        bodies.iter().enumerate().map(|(index, body)| wish_text(body, &server.url(&format!("/{index}")))).collect();
    let partial = |body: &[u8]| temp.root.join(format!("pending/{}.part", Digest::of(body).hex()));
    for round in 1..4 {
        let child = second_process(&["env"], "", &temp.root, &texts).stdout_null().unchecked().start().unwrap();
        let length = |body: &Vec<u8>| fs::metadata(partial(body)).map_or(0, |metadata| metadata.len());
        until(|| bodies.iter().all(|body| length(body) == (round * PART) as u64));
        // SIGKILL.
        child.kill().unwrap();
        assert!(bodies.iter().all(|body| temp.store.get(&Digest::of(body), None).is_none()));
    }
    let report = fetch_with(&temp.store, &http(), &wishes);
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    bodies.iter().for_each(|body| assert_holds(&temp.store, body));
    assert!(server.asked().iter().all(|asked| asked.offset().unwrap_or(0) == asked.nth * PART));
    assert_nothing_pending(&temp.store);
}

#[test]
fn killed_at_any_moment_it_leaves_nothing_half_written_under_a_final_name() {
    const COUNT: usize = 24;
    let (asked_for, is_asked_for) = mpsc::channel();
    let server = Server::start(move |asked, conn| {
        asked_for.send(()).unwrap();
        conn.file(asked, &bytes(asked.target[1..].parse().unwrap(), 150_000))
    });
    let paths = || (0..COUNT as u64).map(|seed| (bytes(seed, 150_000), server.url(&format!("/{seed}"))));
    let texts: String = paths().map(|(body, url)| wish_text(&body, &url)).collect();
    let temp = temp();
    for moment in [1, 2, 3, 5, 8, 13, 21] {
        let child = second_process(&["env"], "", &temp.root, &texts).stdout_null().unchecked().start().unwrap();
        // The child may end before, when earlier ones left it too little to ask for.
        let mut asked = 0;
        until(|| child.try_wait().unwrap().is_some() || is_asked_for.try_recv().is_ok());
        while asked < moment && child.try_wait().unwrap().is_none() {
            asked += is_asked_for.try_recv().map_or(0, |()| 1);
        }
        child.kill().unwrap();
        let faults = temp.store.verify_all(&|_| Some(150_000), &AtomicBool::new(false), &store::Silent).unwrap();
        assert!(faults.iter().all(|fault| fault.digest().is_none()), "{faults:?}");
    }
    let wishes: Vec<Wanted> = paths().map(|(body, url)| wanted(&body, &[url])).collect();
    let report = fetch_with(&temp.store, &http(), &wishes);
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    paths().for_each(|(body, _)| assert_holds(&temp.store, &body));
    assert_eq!(fs::read_dir(temp.root.join("pending")).unwrap().count(), 0);
}

#[test]
fn two_processes_fetch_once() {
    let body = bytes(70, 50_000);
    let (asked_for, is_asked_for) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| {
            asked_for.send(()).unwrap();
            may_go.lock().unwrap().recv().unwrap();
            conn.file(asked, &body)
        }
    });
    struct Waits(mpsc::Sender<()>, AtomicBool);
    impl store::Progress for Waits {
        fn waiting(&self, _: &str, holder: &str) {
            assert!(holder.starts_with("process ") && holder != format!("process {}", std::process::id()));
            self.1.store(true, Ordering::Relaxed);
            self.0.send(()).unwrap();
        }
    }
    let temp = temp();
    let first = second_process(&["env"], "", &temp.root, &wish_text(&body, &server.url("/a")));
    let first = std::thread::spawn(move || said(first));
    is_asked_for.recv().unwrap();
    let waits = Waits(go, AtomicBool::new(false));
    let wish = [wanted(&body, &[server.url("/a")])];
    let report = fetch(&temp.store, &http(), &wish, &FetchOptions::default(), &waits).unwrap();
    assert!(report.fetched[0].was_cached() && waits.1.into_inner());
    assert_eq!(first.join().unwrap(), ["FETCHED a new"]);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_full_disk_is_named() {
    let body = bytes(71, 2_000_000);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| conn.file(asked, &body)
    });
    let temp = temp();
    let mount = "mount -t tmpfs -o size=500k tmpfs \"$TEST_STORE\"";
    let advice = "free some, or choose another cache folder";
    let of_unknown_size = format!("{}=?={}", server.url("/a"), Digest::of(&body).hex());
    let Some(lines) = said_in_namespace(mount, &temp.root, &of_unknown_size) else { return };
    assert_eq!(lines, [format!("FAILED a no space left for the store {}: {advice}", temp.root)]);

    let before = server.asked().len();
    let lines = said_in_namespace(mount, &temp.root, &wish_text(&body, &server.url("/a"))).unwrap();
    let start = format!("REFUSED no space left for the store {}: 2000000 bytes are to come and ", temp.root);
    assert!(lines[0].starts_with(&start) && lines[0].ends_with(&format!(" are free: {advice}")), "{lines:?}");
    assert_eq!(server.asked().len(), before);
}

#[test]
fn a_read_only_store_serves_what_it_has() {
    let body = bytes(73, 20_000);
    let server = Server::start(|asked, conn| conn.file(asked, b"abc"));
    let temp = temp();
    temp.store.import(body.as_slice(), "body", None).unwrap();
    let wishes = [wish_text(&body, &server.url("/there")), wish_text(b"abc", &server.url("/missing"))].concat();
    let mount = "mount --bind \"$TEST_STORE\" \"$TEST_STORE\"; mount -o remount,bind,ro \"$TEST_STORE\"";
    let Some(lines) = said_in_namespace(mount, &temp.root, &wishes) else { return };
    let advice = "fill it on a machine that may write to it, or choose another cache folder";
    let missing = format!("FAILED missing the store {} is read-only: {advice}", temp.root);
    assert_eq!(lines, ["FETCHED there cached".to_owned(), missing]);
    assert!(server.asked().is_empty());
}

#[test]
fn the_environment_names_authorities_and_proxies() {
    let (server, ca) = https(&["127.0.0.1"], |asked, conn| conn.file(asked, b"abc"));
    let temp = temp();
    let file = temp.root.join("ca.pem");
    fs::write(&file, ca).unwrap();
    let wish = wish_text(b"abc", &server.url("/a"));
    let process = |prelude: &str| said(second_process(&["env", "-u", "SSL_CERT_DIR"], prelude, &temp.root, &wish));
    let none = process("export SSL_CERT_FILE=/dev/null");
    assert!(none[0].contains("no certificate authorities were found: set `SSL_CERT_FILE` to a PEM file"), "{none:?}");
    let missing = process("export SSL_CERT_FILE=/nowhere.pem");
    assert!(missing[0].contains("/nowhere.pem"), "{missing:?}");
    assert_eq!(process(&format!("export SSL_CERT_FILE={file}")), ["FETCHED a new"]);
}
