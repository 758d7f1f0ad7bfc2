//! Several artifacts, several locations: who is asked, in which order, and what is said in the end.

use std::sync::Barrier;

use blob::Digest;
use store::{
    Auth, FetchError, FetchOptions, Http, HttpOptions, Location, Outcome, Progress, StoreError, Wanted, fetch,
};

use crate::{
    helpers::{Log, NOWHERE, assert_fetched, assert_holds, bytes, failure, fetch_with, http, options, temp, wanted},
    server::{Server, hang_up},
};

#[test]
fn the_next_mirror_is_asked_when_one_does_not_have_it() {
    let body = bytes(20, 3000);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| match asked.target.as_str() {
            "/404" => conn.answer("404 Not Found", &[], b"no"),
            "/410" => conn.answer("410 Gone", &[], b""),
            "/403" => conn.answer("403 Forbidden", &[], b""),
            "/wrong" => conn.file(asked, &bytes(21, 3000)),
            "/500" => conn.answer("500 Internal Server Error", &[], b""),
            _ => conn.file(asked, &body),
        }
    });
    for path in ["/404", "/410", "/403", "/wrong", "/500"] {
        let temp = temp();
        assert_fetched(&temp.store, &http(), &body, &[server.url(path), server.url("/right")]);
    }
    assert_eq!(server.targets().iter().filter(|target| *target == "/500").count(), 4);
}

#[test]
fn the_bytes_of_one_mirror_are_completed_by_another() {
    let body = bytes(22, 9000);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| match (asked.target.as_str(), asked.nth) {
            ("/breaks", 0) => conn.file_until(asked, &body, &["ETag: \"x\""], 6000),
            ("/breaks", _) => conn.answer("404 Not Found", &[], b""),
            _ => conn.file(asked, &body),
        }
    });
    assert_fetched(&temp().store, &http(), &body, &[server.url("/breaks"), server.url("/whole")]);
    let last = server.asked().pop().unwrap();
    assert_eq!((last.target.as_str(), last.offset()), ("/whole", Some(6000)));
    assert!(!last.headers.contains_key("if-range"), "an entity tag means something to its own server only");
}

#[test]
fn a_mirror_that_is_down_costs_its_attempts_once() {
    let bodies: Vec<_> = (0..10).map(|seed| bytes(seed, 100)).collect();
    let down = Server::start(|asked, conn| match asked.target.as_str() {
        "/9" => conn.file(asked, &bytes(9, 100)),
        _ => conn.answer("503 Service Unavailable", &[], b""),
    });
    let up = Server::start({
        let bodies = bodies.clone();
        move |asked, conn| conn.file(asked, &bodies[asked.target[1..].parse::<usize>().unwrap()])
    });
    let paths = (0..11).map(|index| format!("/{}", index % 10));
    let wishes: Vec<Wanted> = paths
        .enumerate()
        .map(|(index, path)| {
            // The eleventh is another file, which nobody has: by then the first mirror has answered well again.
            let body = if index == 10 { bytes(100, 100) } else { bodies[index].clone() };
            wanted(&body, &[down.url(&path), up.url(&path)])
        })
        .collect();
    let temp = temp();
    let report = fetch(&temp.store, &http(), &wishes, &FetchOptions { jobs: 1 }, &store::Silent).unwrap();
    assert_eq!((report.fetched.len(), report.failed.len()), (10, 1));
    let mut expected = vec!["/0".to_owned(); 3];
    expected.extend((0..10).map(|index| format!("/{index}")));
    expected.extend(vec!["/0".to_owned(); 4]);
    assert_eq!(down.targets(), expected);
}

#[test]
fn all_mirrors_and_their_reasons_are_named() {
    let server = Server::start(|asked, conn| match asked.target.as_str() {
        "/wrong" => conn.answer("200 OK", &[], b"abd"),
        _ => conn.answer("404 Not Found", &[], b""),
    });
    let error = failure(&temp().store, &http(), wanted(b"abc", &[server.url("/missing"), server.url("/wrong")]));
    let expected = format!(
        "none of 2 locations has it:\n  {}: the server answered 404: not there\n  {}: expected {}, found {} (3 bytes)",
        server.url("/missing"),
        server.url("/wrong"),
        Digest::of(b"abc"),
        Digest::of(b"abd")
    );
    assert_eq!(error.to_string(), expected);
    assert!(!error.is_absent());
    let error = failure(&temp().store, &http(), wanted(b"abc", &[server.url("/a"), server.url("/b")]));
    assert!(error.is_absent());
}

#[test]
fn one_failure_stops_no_other_and_the_order_stays() {
    let bodies: Vec<_> = (0..20).map(|seed| bytes(seed, 500 * seed as usize + 1)).collect();
    let server = Server::start({
        let bodies = bodies.clone();
        move |asked, conn| match asked.target[1..].parse::<usize>() {
            Ok(index) if index % 7 != 3 => conn.file(asked, &bodies[index]),
            _ => conn.answer("404 Not Found", &[], b""),
        }
    });
    let wishes: Vec<Wanted> = bodies
        .iter()
        .enumerate()
        .map(|(index, body)| Wanted { id: format!("{index}"), ..wanted(body, &[server.url(&format!("/{index}"))]) })
        .collect();
    let temp = temp();
    let report = fetch_with(&temp.store, &http(), &wishes);
    let ids = |wanted: &dyn Fn(usize) -> bool| -> Vec<String> {
        (0..20).filter(|index| wanted(*index)).map(|index| index.to_string()).collect()
    };
    let fetched: Vec<String> = report.fetched.iter().map(|fetched| fetched.id.clone()).collect();
    let failed: Vec<String> = report.failed.iter().map(|failed| failed.id.clone()).collect();
    assert_eq!(fetched, ids(&|index| index % 7 != 3));
    assert_eq!(failed, ids(&|index| index % 7 == 3));
}

#[test]
fn equal_artifacts_are_fetched_once_and_reported_to_all() {
    let body = bytes(23, 100);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| match asked.target.as_str() {
            "/second" => conn.file(asked, &body),
            _ => conn.answer("404 Not Found", &[], b""),
        }
    });
    let wishes = [
        Wanted { id: "a".to_owned(), ..wanted(&body, &[server.url("/first")]) },
        Wanted { id: "b".to_owned(), size: None, ..wanted(&body, &[server.url("/second")]) },
    ];
    let report = fetch_with(&temp().store, &http(), &wishes);
    let ids: Vec<&str> = report.fetched.iter().map(|fetched| fetched.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(server.targets(), ["/first", "/second"]);
}

#[test]
fn transfers_run_side_by_side() {
    // No answer is given before as many requests are there as there are jobs.
    let barrier = Barrier::new(4);
    let server = Server::start(move |asked, conn| {
        barrier.wait();
        conn.file(asked, asked.target.as_bytes())
    });
    let wishes: Vec<Wanted> =
        (0..8).map(|index| format!("/{index}")).map(|path| wanted(path.as_bytes(), &[server.url(&path)])).collect();
    let temp = temp();
    let report = fetch(&temp.store, &http(), &wishes, &FetchOptions { jobs: 4 }, &store::Silent).unwrap();
    assert_eq!(report.fetched.len(), 8);
}

#[test]
fn offline_serves_what_is_there_and_opens_no_socket() {
    let body = bytes(24, 100);
    let temp = temp();
    temp.store.import(body.as_slice(), "body", None).unwrap();
    let server = Server::start(|_, _| hang_up());
    let offline = Http::new(HttpOptions { offline: true, ..options() }).unwrap();
    let url = server.url("/x?token=hunter2");
    let report = fetch_with(&temp.store, &offline, &[wanted(&body, &[&url]), wanted(b"other", &[&url])]);
    assert_eq!(report.fetched.len(), 1);
    let error = report.failed[0].error.to_string();
    let expected = "not in the store, and the network is not to be used (offline); it would come from ";
    assert_eq!(error, format!("{expected}{}", server.url("/x?…")));
    let error = offline.get_small(&Location::new(url), 10).unwrap_err().to_string();
    assert!(error.ends_with("/x?… is wanted, but the network is not to be used (offline)"), "{error}");
    assert!(server.asked().is_empty());
}

#[test]
fn without_a_location_the_registry_is_what_is_missing() {
    let error = failure(&temp().store, &http(), wanted(b"abc", NOWHERE));
    assert_eq!(error.to_string(), "no location is known for it: configure a registry of its kind");
}

#[test]
fn what_cannot_fit_is_not_begun() {
    let server = Server::start(|_, _| hang_up());
    let temp = temp();
    let huge = Wanted { size: Some(u64::MAX / 2), ..wanted(b"abc", &[server.url("/a")]) };
    let error = fetch(&temp.store, &http(), &[huge], &FetchOptions::default(), &store::Silent).unwrap_err();
    assert!(matches!(&error, StoreError::NoSpace { needed: Some(needed), .. } if *needed == u64::MAX / 2), "{error}");
    assert!(server.asked().is_empty());
}

#[test]
fn a_truncated_artifact_is_replaced() {
    let body = bytes(25, 5000);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| conn.file(asked, &body)
    });
    let temp = temp();
    let path = temp.store.path_of(&Digest::of(&body));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, &body[..100]).unwrap();
    assert_fetched(&temp.store, &http(), &body, &[server.url("/a")]);
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let server = Server::start(|asked, conn| match asked.headers.get("authorization").map(String::as_str) {
        // me@corp:hunter2
        Some("Basic bWVAY29ycDpodW50ZXIy") | Some("Bearer hunter2") => conn.file(asked, b"abc"),
        _ => conn.answer("401 Unauthorized", &[], b""),
    });
    let in_url = Location::new(server.url("/a").replace("http://", "http://me%40corp:hunter2@"));
    let basic = Auth::Basic { user: "me@corp".to_owned(), password: "hunter2".to_owned() };
    let given = Location { auth: Some(basic), ..Location::new(server.url("/b")) };
    let bearer = Location { auth: Some(Auth::Bearer("hunter2".to_owned())), ..Location::new(server.url("/c")) };
    for location in [in_url, given, bearer] {
        let temp = temp();
        let wish = Wanted { locations: vec![location], ..wanted(b"abc", NOWHERE) };
        let report = fetch_with(&temp.store, &http(), &[wish]);
        assert!(!format!("{report:?}").contains("hunter2"), "{report:?}");
        assert_holds(&temp.store, b"abc");
    }
    let wrong = Location::new(server.url("/d?key=hunter2").replace("http://", "http://me:hunter2!@"));
    let error = failure(&temp().store, &http(), Wanted { locations: vec![wrong], ..wanted(b"abc", NOWHERE) });
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    assert!(error.to_string().contains("401"));
}

#[test]
fn two_fetchers_at_once_fetch_once() {
    struct Waits(std::sync::mpsc::SyncSender<()>);
    impl Progress for Waits {
        fn waiting(&self, _: &str, holder: &str) {
            assert_eq!(holder, format!("process {}", std::process::id()));
            self.0.send(()).unwrap();
        }
        fn finished(&self, _: &str, outcome: Outcome<'_>) {
            assert!(matches!(outcome, Outcome::Cached));
        }
    }
    let body = bytes(26, 20_000);
    let (asked_for, is_asked_for) = std::sync::mpsc::sync_channel(1);
    let (waits, is_waited_for) = std::sync::mpsc::sync_channel(1);
    let is_waited_for = std::sync::Mutex::new(is_waited_for);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| {
            asked_for.send(()).unwrap();
            is_waited_for.lock().unwrap().recv().unwrap();
            conn.file(asked, &body)
        }
    });
    let temp = temp();
    let wish = [wanted(&body, &[server.url("/a")])];
    std::thread::scope(|scope| {
        let first = scope.spawn(|| fetch_with(&temp.store, &http(), &wish));
        is_asked_for.recv().unwrap();
        let other = store::Store::open(&temp.root).unwrap();
        let second = fetch(&other, &http(), &wish, &FetchOptions::default(), &Waits(waits)).unwrap();
        assert!(second.fetched[0].was_cached());
        assert!(!first.join().unwrap().fetched[0].was_cached());
    });
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn an_interrupt_before_the_start_asks_nobody() {
    let server = Server::start(|_, _| hang_up());
    let options = options();
    options.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
    let temp = temp();
    let log = Log::default();
    let wish = [wanted(b"abc", &[server.url("/a")])];
    let report = fetch(&temp.store, &Http::new(options).unwrap(), &wish, &FetchOptions::default(), &log).unwrap();
    assert!(matches!(*report.failed[0].error, FetchError::Interrupted));
    assert!(server.asked().is_empty());
}
