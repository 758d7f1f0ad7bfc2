//! Servers that are busy, silent or gone: when to try again, when to leave, and how to be interrupted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use store::{FetchOptions, Http, HttpOptions, Progress, Retry, fetch};

use crate::{
    helpers::{Log, assert_fetched, bytes, failure, http, options, temp, wanted},
    server::{Server, hang_up},
};

#[test]
fn what_is_transient_is_tried_again_and_what_is_not_is_not() {
    let body = bytes(14, 100);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| match (asked.target.as_str(), asked.nth) {
            ("/503", 0) => conn.answer("503 Service Unavailable", &[], b"busy"),
            ("/503", 1) => conn.answer("500 Internal Server Error", &[], b""),
            ("/429", 0) => conn.answer("429 Too Many Requests", &["Retry-After: 0"], b""),
            ("/patience", _) => conn.answer("429 Too Many Requests", &["Retry-After: 3600"], b""),
            ("/408", 0) => conn.answer("408 Request Timeout", &["Connection: close"], b"").and(hang_up()),
            ("/401", _) => conn.answer("401 Unauthorized", &[], b""),
            _ => conn.file(asked, &body),
        }
    });
    for (path, requests) in [("/503", 3), ("/429", 2), ("/408", 2)] {
        assert_fetched(&temp().store, &http(), &body, &[server.url(path)]);
        assert_eq!(server.targets().iter().filter(|target| *target == path).count(), requests, "{path}");
    }
    for (path, message) in [
        ("/401", "the server answered 401: it wants credentials, or does not know these"),
        ("/patience", "the server answered 429; it asks to be left alone for 3600 s"),
    ] {
        let error = failure(&temp().store, &http(), wanted(&body, &[server.url(path)]));
        assert_eq!(error.to_string(), format!("{}: {message}", server.url(path)));
        assert_eq!(server.targets().iter().filter(|target| *target == path).count(), 1, "{path}");
    }
}

#[test]
fn a_silent_server_is_left_and_the_rest_is_asked_for() {
    let body = bytes(15, 60_000);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| match (asked.target.as_str(), asked.nth) {
            ("/mute", 0) => conn.stall(),
            (_, 0) => {
                conn.head("200 OK", &[], body.len())?;
                conn.send(&body[..40_000])?;
                conn.stall()
            }
            _ => conn.file(asked, &body),
        }
    });
    let http = Http::new(HttpOptions { stall_timeout: Duration::from_millis(200), ..options() }).unwrap();
    for (path, offset) in [("/mute", None), ("/half", Some(40_000))] {
        let temp = temp();
        let log = Log::default();
        let wish = wanted(&body, &[server.url(path)]);
        let report = fetch(&temp.store, &http, &[wish], &FetchOptions::default(), &log).unwrap();
        assert!(report.failed.is_empty(), "{:?}", report.failed);
        assert!(log.lines().contains(&"retrying stalled: no byte came for too long".to_owned()), "{:?}", log.lines());
        let asked = server.asked();
        assert_eq!(asked.iter().rfind(|asked| asked.target == path).unwrap().offset(), offset);
    }
}

#[test]
fn an_interrupt_ends_a_silent_transfer_and_keeps_what_came() {
    /// Interrupts when so many bytes have come.
    struct Interrupts(Arc<AtomicBool>, AtomicU64);
    impl Progress for Interrupts {
        fn advanced(&self, _: &str, bytes: u64) {
            if self.1.fetch_add(bytes, Ordering::Relaxed) + bytes == 40_000 {
                self.0.store(true, Ordering::Relaxed);
            }
        }
    }
    let body = bytes(16, 60_000);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| match asked.nth {
            0 => conn.head("200 OK", &[], body.len()).and_then(|()| conn.send(&body[..40_000])).and(conn.stall()),
            _ => conn.file(asked, &body),
        }
    });
    let temp = temp();
    let stall_timeout = Duration::from_secs(30);
    let options = HttpOptions { stall_timeout, ..options() };
    let interrupts = Interrupts(options.cancel.clone(), AtomicU64::new(0));
    let client = Http::new(options).unwrap();
    let began = Instant::now();
    let wish = [wanted(&body, &[server.url("/a")])];
    let report = fetch(&temp.store, &client, &wish, &FetchOptions::default(), &interrupts).unwrap();
    assert!(began.elapsed() < stall_timeout);
    assert_eq!(report.failed[0].error.to_string(), "interrupted; the next fetch goes on from here");
    assert_fetched(&temp.store, &http(), &body, &[server.url("/a")]);
    assert_eq!(server.asked()[1].offset(), Some(40_000));
}

#[test]
fn a_refused_connection_is_tried_again_and_named() {
    let port = Server::start(|_, _| hang_up()).port();
    let http = Http::new(HttpOptions { retry: Retry { retries: 1, ..options().retry }, ..options() }).unwrap();
    let url = format!("http://127.0.0.1:{port}/a");
    let error = failure(&temp().store, &http, wanted(b"x", &[&url])).to_string();
    assert!(error.starts_with(&format!("{url}: ")) && error.ends_with("(after 2 attempts)"), "{error}");
}
