//! Downloads over a bad line, from a bad server: what is stored is right, or nothing is.

use store::{Check, FetchOptions, Location, Wanted, fetch};

use crate::{
    helpers::{
        Log, assert_fetched, assert_holds, assert_nothing_pending, bytes, failure, fetch_with, http, temp, wanted,
    },
    server::{Server, hang_up},
};

#[test]
fn a_download_is_stored_and_found_again() {
    let body = bytes(1, 300_000);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| conn.file(asked, &body)
    });
    let temp = temp();
    assert_fetched(&temp.store, &http(), &body, &[server.url("/a")]);
    let log = Log::default();
    let again = fetch(&temp.store, &http(), &[wanted(&body, &[server.url("/a")])], &FetchOptions::default(), &log);
    assert!(again.unwrap().fetched[0].was_cached());
    assert_eq!(log.lines(), ["cached"]);
    assert_eq!(server.targets(), ["/a"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(temp.store.path_of(&blob::Digest::of(&body))).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o444);
}

#[test]
fn a_connection_cut_at_any_byte_is_resumed() {
    const SIZE: usize = 4096;
    let cuts: Vec<usize> = (0..SIZE).step_by(41).chain([1, 2, SIZE - 1]).collect();
    let server = Server::start(|asked, conn| {
        let cut: usize = asked.target[1..].parse().unwrap();
        let end = if asked.nth == 0 { cut } else { SIZE };
        conn.file_until(asked, &bytes(cut as u64, SIZE), &[], end)
    });
    let temp = temp();
    let wishes: Vec<Wanted> =
        cuts.iter().map(|cut| wanted(&bytes(*cut as u64, SIZE), &[server.url(&format!("/{cut}"))])).collect();
    let report = fetch_with(&temp.store, &http(), &wishes);
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    for cut in &cuts {
        assert_holds(&temp.store, &bytes(*cut as u64, SIZE));
    }
    for asked in server.asked().iter().filter(|asked| asked.nth > 0) {
        let cut: usize = asked.target[1..].parse().unwrap();
        assert_eq!(asked.offset().unwrap_or(0), cut, "only the rest is asked for");
    }
    assert_nothing_pending(&temp.store);
}

#[test]
fn a_line_that_keeps_breaking_is_survived_as_long_as_bytes_come() {
    let body = bytes(2, 20_000);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| conn.file_until(asked, &body, &[], asked.offset().unwrap_or(0) + 1000)
    });
    let temp = temp();
    assert_fetched(&temp.store, &http(), &body, &[server.url("/a")]);
    assert_eq!(server.asked().len(), 20);
}

#[test]
fn a_cut_head_is_tried_again() {
    let body = bytes(3, 1000);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| {
            let cut: usize = asked.target[1..].parse().unwrap();
            match asked.nth {
                0 => conn.send(&head.as_bytes()[..cut.min(head.len())]).and_then(|()| hang_up()),
                _ => conn.file(asked, &body),
            }
        }
    });
    for cut in 0..40 {
        assert_fetched(&temp().store, &http(), &body, &[server.url(&format!("/{cut}"))]);
    }
}

#[test]
fn a_server_without_ranges_starts_again() {
    let body = bytes(4, 50_000);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| {
            conn.head("200 OK", &[], body.len())?;
            let end = if asked.nth == 0 { 30_000 } else { body.len() };
            conn.send(&body[..end])?;
            if end < body.len() { hang_up() } else { Ok(()) }
        }
    });
    let temp = temp();
    let log = Log::default();
    let report = fetch(&temp.store, &http(), &[wanted(&body, &[server.url("/a")])], &FetchOptions::default(), &log);
    assert!(report.unwrap().failed.is_empty());
    assert_holds(&temp.store, &body);
    assert_eq!(
        log.lines(),
        [
            "started Some(50000)",
            "positioned 0",
            "retrying the connection ended before the answer did",
            "positioned 0",
            "done 50000"
        ]
    );
}

#[test]
fn a_server_without_ranges_that_keeps_breaking_is_given_up() {
    let body = bytes(4, 50_000);
    let server = Server::start(|_, conn| {
        conn.head("200 OK", &[], 50_000)?;
        conn.send(&bytes(4, 50_000)[..30_000])?;
        hang_up()
    });
    let temp = temp();
    let error = failure(&temp.store, &http(), wanted(&body, &[server.url("/a")]));
    let expected = format!("{}: the connection ended before the answer did (after 4 attempts)", server.url("/a"));
    assert_eq!(error.to_string(), expected);
    assert_eq!(server.asked().len(), 4);
}

#[test]
fn bodies_without_length_or_in_chunks_must_be_whole_too() {
    let body = bytes(5, 9000);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| {
            let whole = asked.nth > 0;
            if asked.target == "/close" {
                conn.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
                conn.send(&body[..if whole { 9000 } else { 8999 }])?;
            } else {
                conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                conn.send(b"1000\r\n")?;
                conn.send(&body[..0x1000])?;
                conn.send(format!("\r\n{:x}\r\n", 9000 - 0x1000).as_bytes())?;
                conn.send(&body[0x1000..])?;
                if whole {
                    conn.send(b"\r\n0\r\n\r\n")?;
                }
            }
            hang_up()
        }
    });
    for path in ["/close", "/chunked"] {
        assert_fetched(&temp().store, &http(), &body, &[server.url(path)]);
    }
}

#[test]
fn wrong_bytes_are_never_stored() {
    let body = bytes(6, 5000);
    let mut wrong = body.clone();
    wrong[4999] ^= 1;
    let server = Server::start({
        let wrong = wrong.clone();
        move |asked, conn| match asked.target.as_str() {
            "/flipped" => conn.file(asked, &wrong),
            "/short" => conn.file(asked, &wrong[..4000]),
            "/long" => conn.send(b"HTTP/1.1 200 OK\r\n\r\n").and_then(|()| conn.send(&bytes(6, 9000))).and(hang_up()),
            "/login" => conn.answer("200 OK", &["Content-Type: text/html; charset=utf-8"], b"<html>log in</html>"),
            _ => conn.answer("200 OK", &[], &[b"\n <html>".as_slice(), &bytes(7, 4992)].concat()),
        }
    });
    let digest = blob::Digest::of(&body);
    for (path, message) in [
        ("/flipped", format!("expected {digest}, found {} (5000 bytes)", blob::Digest::of(&wrong))),
        ("/short", "expected 5000 bytes, found 4000".to_owned()),
        ("/long", "expected 5000 bytes, found ".to_owned()),
        ("/login", "expected 5000 bytes, found 19; it is an HTML page: a proxy or a login page".to_owned()),
        ("/markup", "(5000 bytes); it begins with `<`: a proxy or a login page".to_owned()),
    ] {
        let temp = temp();
        let error = failure(&temp.store, &http(), wanted(&body, &[server.url(path)])).to_string();
        assert!(error.starts_with(&format!("{}: ", server.url(path))), "{error}");
        assert!(error.contains(&message), "{error}");
        assert_nothing_pending(&temp.store);
    }
    assert!(server.asked().iter().all(|asked| asked.nth == 0), "wrong bytes are no transient failure");
}

#[test]
fn a_checksum_is_verified_and_remembered() {
    let body = b"abc";
    let server = Server::start(|asked, conn| conn.file(asked, b"abc"));
    let sha1 = Check::new(store::Algorithm::Sha1, "A9993E364706816ABA3E25717850C26C9CD0D89D").unwrap();
    let md5 = Check::new(store::Algorithm::Md5, &"0".repeat(32)).unwrap();
    let sha512 = Check::new(
        store::Algorithm::Sha512,
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    )
    .unwrap();
    let temp = temp();
    let wish = |check: &Check| Wanted {
        id: "thing".to_owned(),
        locations: vec![Location::new(server.url("/a"))],
        check: Some(check.clone()),
        ..Wanted::default()
    };
    let error = failure(&temp.store, &http(), wish(&md5));
    let found = "expected md5:00000000000000000000000000000000, found md5:900150983cd24fb0d6963f7d28e17f72 (3 bytes)";
    assert_eq!(error.to_string(), format!("{}: {found}", server.url("/a")));
    for (check, cached) in [(&sha1, false), (&sha1, true), (&sha512, false), (&sha512, true)] {
        let report = fetch_with(&temp.store, &http(), &[wish(check)]);
        assert_eq!(report.fetched[0].digest, blob::Digest::of(body));
        assert_eq!(report.fetched[0].was_cached(), cached, "{check}");
    }
    assert!(Check::new(store::Algorithm::Sha1, "abc").is_err());
    assert!(Check::new(store::Algorithm::Md5, &"g".repeat(32)).is_err());
}

#[test]
fn a_file_that_changed_under_its_name_is_fetched_from_the_start() {
    let (old, new) = (bytes(8, 40_000), bytes(9, 40_000));
    for knows_validators in [true, false] {
        let temp = temp();
        let server = Server::start({
            let (old, new) = (old.clone(), new.clone());
            move |asked, conn| match asked.nth {
                0 => conn.file_until(asked, &old, &["ETag: \"old\""], 25_000),
                // RFC 9110 section 13.1.5: another entity tag makes the range void.
                _ if knows_validators && asked.headers.get("if-range").is_some_and(|tag| tag == "\"old\"") => {
                    conn.answer("200 OK", &["ETag: \"new\""], &new)
                }
                _ => conn.file_until(asked, &new, &["ETag: \"new\""], new.len()),
            }
        });
        assert_fetched(&temp.store, &http(), &new, &[server.url("/a")]);
        assert_eq!(server.asked()[1].offset(), Some(25_000));
        assert_eq!(server.asked()[1].headers["if-range"], "\"old\"");
        assert_eq!(server.asked().len(), if knows_validators { 2 } else { 3 });
    }
}

#[test]
fn a_leftover_of_another_file_costs_one_restart() {
    let body = bytes(10, 10_000);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| conn.file(asked, &body)
    });
    let digest = blob::Digest::of(&body).hex();
    // Other bytes, as many as wanted, more than wanted.
    for (leftover, requests) in [(bytes(11, 5000), 2), (bytes(11, 10_000), 1), (bytes(11, 10_001), 1)] {
        let temp = temp();
        std::fs::create_dir(temp.root.join("pending")).unwrap();
        std::fs::write(temp.root.join(format!("pending/{digest}.part")), leftover).unwrap();
        let before = server.asked().len();
        assert_fetched(&temp.store, &http(), &body, &[server.url("/a")]);
        assert_eq!(server.asked().len() - before, requests);
    }
    // All of it, with its final mode: killed right before the rename.
    let temp = temp();
    std::fs::create_dir(temp.root.join("pending")).unwrap();
    let leftover = temp.root.join(format!("pending/{digest}.part"));
    std::fs::write(&leftover, &body).unwrap();
    std::fs::set_permissions(&leftover, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
    assert_fetched(&temp.store, &http(), &body, &["http://127.0.0.1:1/never-asked".to_owned()]);
}

#[test]
fn without_any_digest_only_the_entity_tag_lets_a_transfer_go_on() {
    let body = bytes(12, 30_000);
    for tag in [Some("ETag: \"v1\""), Some("ETag: W/\"v1\""), None] {
        let server = Server::start({
            let body = body.clone();
            move |asked, conn| {
                let end = if asked.nth == 0 { 20_000 } else { body.len() };
                conn.file_until(asked, &body, tag.as_slice(), end)
            }
        });
        let temp = temp();
        let wish = Wanted { locations: vec![Location::new(server.url("/a"))], ..Wanted::default() };
        assert_eq!(fetch_with(&temp.store, &http(), &[wish]).fetched[0].digest, blob::Digest::of(&body));
        let strong = tag == Some("ETag: \"v1\"");
        assert_eq!(server.asked()[1].offset(), strong.then_some(20_000), "{tag:?}");
    }
    // Nothing but the answer itself tells that it is another part of the file.
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| match (asked.offset(), asked.nth) {
            (Some(_), _) => conn.answer("206 Partial Content", &["Content-Range: bytes 0-29999/30000"], &body),
            (None, 0) => conn.file_until(asked, &body, &["ETag: \"v1\""], 20_000),
            (None, _) => conn.file(asked, &body),
        }
    });
    let wish = Wanted { locations: vec![Location::new(server.url("/a"))], ..Wanted::default() };
    assert_eq!(fetch_with(&temp().store, &http(), &[wish]).fetched[0].digest, blob::Digest::of(&body));
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn wrong_answers_to_a_range_are_noticed() {
    let body = bytes(13, 8000);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| {
            let Some(_) = asked.offset() else {
                return conn.file_until(asked, &body, &[], if asked.nth == 0 { 4000 } else { 8000 });
            };
            match asked.target.as_str() {
                "/shifted" => {
                    conn.answer("206 Partial Content", &["Content-Range: bytes 3999-7999/8000"], &body[3999..])
                }
                "/other-size" => conn.answer("206 Partial Content", &["Content-Range: bytes 4000-8000/8001"], b"x"),
                "/no-range" => conn.answer("206 Partial Content", &[], &body[4000..]),
                _ => conn.answer("416 Range Not Satisfiable", &["Content-Range: bytes */8000"], b""),
            }
        }
    });
    for path in ["/shifted", "/other-size", "/no-range", "/416"] {
        assert_fetched(&temp().store, &http(), &body, &[server.url(path)]);
    }
}
