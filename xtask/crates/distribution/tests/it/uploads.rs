//! Blobs: whole, in pieces, cut, resumed, mounted.

use distribution::{Error, How, Registry};
use store::Silent;

use crate::{
    fake::{Act, Skills},
    helpers::{LIMITS, Scene, http_with, told},
};

const UPLOADS: &str = "/blobs/uploads/";

#[test]
fn a_small_blob_is_sent_in_one_request_and_only_once() {
    let scene = Scene::new(Skills::default());
    let blob = scene.blob(1000);
    assert_eq!(scene.push(&blob).unwrap(), How::Sent { from: 0 });
    scene.assert_has(&blob);
    assert_eq!(
        scene.fake.asked(),
        [
            format!("HEAD /v2/a/b/blobs/{}", blob.digest),
            "POST /v2/a/b/blobs/uploads/".to_owned(),
            "PUT /v2/a/b/blobs/uploads/1".to_owned(),
        ]
    );
    assert_eq!(scene.push(&blob).unwrap(), How::There);
    assert_eq!(scene.fake.asked().len(), 1);
}

#[test]
fn a_large_blob_goes_in_pieces() {
    for size in [1001, 2000, 5500] {
        let scene = Scene::new(Skills::default());
        let blob = scene.blob(size);
        assert_eq!(scene.push(&blob).unwrap(), How::Sent { from: 0 });
        scene.assert_has(&blob);
        let pieces = scene.fake.asked().iter().filter(|line| line.starts_with("PATCH")).count();
        assert_eq!(pieces, size.div_ceil(1000));
    }
}

#[test]
fn pieces_are_as_large_as_the_registry_wants_them() {
    let scene = Scene::new(Skills { least: 4000, ..Skills::default() });
    let blob = scene.blob(5000);
    scene.push(&blob).unwrap();
    scene.assert_has(&blob);
    assert_eq!(scene.fake.asked().iter().filter(|line| line.starts_with("PATCH")).count(), 2);
}

#[test]
fn a_cut_piece_goes_on_at_the_byte_that_the_registry_has() {
    for cut in [0, 1, 2, 700, 999] {
        let scene = Scene::new(Skills::default());
        let blob = scene.blob(3500);
        scene.fake.fault("PATCH", UPLOADS, Act::Answer(503, &[("retry-after", "0")], ""));
        scene.fake.fault("PATCH", UPLOADS, Act::Cut(cut));
        scene.push(&blob).unwrap();
        scene.assert_has(&blob);
        // The 503 took a piece in vain, and nothing else was sent twice. But `0-0` does not tell none from one byte: then
        // the registry refuses a piece, and the upload is begun anew.
        let twice = if cut == 1 { 1 + 1000 } else { 0 };
        assert_eq!(scene.fake.received(), 3500 + 1000 + twice, "bytes for a cut at {cut}");
    }
}

#[test]
fn another_run_goes_on_where_a_killed_one_stood() {
    let scene = Scene::new(Skills::default());
    let blob = scene.blob(5000);
    // The first run gives up: nothing is retried.
    let http = http_with(0);
    scene.fake.fault("PATCH", "uploads/1", Act::Lie("x-first", "1".to_owned()));
    scene.fake.fault("PATCH", "uploads/1", Act::Cut(600));
    let first = Registry::new(&http, scene.fake.host.parse().unwrap(), Default::default());
    first.repository("a/b").push(&blob, None, &scene.sessions(), &LIMITS, &Silent).unwrap_err();
    assert_eq!(std::fs::read_dir(scene.path("uploads")).unwrap().count(), 1);
    assert_eq!(scene.push(&blob).unwrap(), How::Sent { from: 1600 });
    scene.assert_has(&blob);
    assert_eq!(scene.fake.received(), 5000);
}

#[test]
fn what_is_remembered_of_an_upload_is_the_users_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new(Skills::default());
    let http = http_with(0);
    scene.fake.fault("PATCH", UPLOADS, Act::Cut(600));
    let first = Registry::new(&http, scene.fake.host.parse().unwrap(), Default::default());
    told(first.repository("a/b").push(&scene.blob(5000), None, &scene.sessions(), &LIMITS, &Silent));
    for file in std::fs::read_dir(scene.path("uploads")).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn an_upload_that_the_registry_forgot_is_begun_anew() {
    let scene = Scene::new(Skills::default());
    let blob = scene.blob(5000);
    scene.fake.fault("PATCH", "uploads/1", Act::Lie("x-first", "1".to_owned()));
    scene.fake.fault("PATCH", "uploads/1", Act::Answer(404, &[], ""));
    assert_eq!(scene.push(&blob).unwrap(), How::Sent { from: 0 });
    scene.assert_has(&blob);
}

#[test]
fn a_registry_without_pieces_gets_the_whole_blob() {
    let scene = Scene::new(Skills { patch: false, ..Skills::default() });
    let blob = scene.blob(5000);
    assert_eq!(scene.push(&blob).unwrap(), How::Sent { from: 0 });
    scene.assert_has(&blob);
}

#[test]
fn failures_that_pass_are_repeated_and_others_are_not() {
    let scene = Scene::new(Skills::default());
    let blob = scene.blob(500);
    for (method, path) in [("HEAD", "/blobs/sha256:"), ("POST", UPLOADS), ("PUT", UPLOADS)] {
        scene.fake.fault(method, path, Act::Answer(502, &[], "<html>bad gateway"));
        scene.fake.fault(method, path, Act::Answer(429, &[("retry-after", "0")], ""));
    }
    scene.push(&blob).unwrap();
    scene.assert_has(&blob);
    let denied = r#"{"errors":[{"code":"DENIED","message":"the quota is used up"}]}"#;
    scene.fake.fault("POST", UPLOADS, Act::Answer(403, &[], denied));
    scene.fake.asked();
    let text = told(scene.push(&scene.blob(501)));
    assert!(text.contains("answered 403") && text.contains("DENIED: the quota is used up"), "{text}");
    assert_eq!(scene.fake.asked().len(), 2);
}

#[test]
fn a_registry_that_asks_for_too_long_a_wait_is_left_with_what_it_asked() {
    let scene = Scene::new(Skills::default());
    scene.fake.fault("POST", UPLOADS, Act::Answer(429, &[("retry-after", "3600")], ""));
    let text = told(scene.push(&scene.blob(10)));
    assert!(text.contains("429") && text.contains("left alone for 3600 s"), "{text}");
}

#[test]
fn when_the_last_answer_is_lost_the_blob_is_there_all_the_same() {
    let scene = Scene::new(Skills::default());
    for size in [500, 1500] {
        let blob = scene.blob(size);
        scene.fake.fault("PUT", UPLOADS, Act::Lose);
        assert_eq!(scene.push(&blob).unwrap(), How::Sent { from: 0 });
        scene.assert_has(&blob);
    }
    assert_eq!(scene.fake.received(), 2000);
}

#[test]
fn a_neighbours_blob_is_mounted() {
    let scene = Scene::new(Skills::default());
    let blob = scene.blob(5000);
    let registry = scene.registry();
    registry.repository("first").push(&blob, None, &scene.sessions(), &LIMITS, &Silent).unwrap();
    assert_eq!(scene.push_beside(&blob, Some("first")).unwrap(), How::Mounted("first".to_owned()));
    scene.assert_has(&blob);
    assert_eq!(scene.fake.received(), 5000);
}

#[test]
fn where_nothing_is_mounted_the_blob_is_sent() {
    for skills in [Skills { mount: false, ..Skills::default() }, Skills::default()] {
        let scene = Scene::new(skills);
        let blob = scene.blob(2500);
        if skills.mount {
            // Who may not read the neighbour.
            scene.fake.fault("POST", UPLOADS, Act::Answer(403, &[], ""));
        }
        assert_eq!(scene.push_beside(&blob, Some("first")).unwrap(), How::Sent { from: 0 });
        scene.assert_has(&blob);
    }
}

#[test]
fn a_registry_that_says_that_it_stored_something_else_is_not_believed() {
    let scene = Scene::new(Skills::default());
    let blob = scene.blob(500);
    let other = blob::Digest::of(b"other").to_string();
    scene.fake.fault("PUT", UPLOADS, Act::Lie("docker-content-digest", other.clone()));
    let text = told(scene.push(&blob));
    assert!(text.contains(&format!("expected {}, found {other}", blob.digest)), "{text}");
    scene.fake.fault("HEAD", "/blobs/", Act::Answer(200, &[("content-length", "499")], ""));
    let text = told(scene.push(&blob));
    assert!(text.contains("expected 500 bytes, found 499 bytes"), "{text}");
}

#[test]
fn a_file_that_changed_is_noticed() {
    let scene = Scene::new(Skills::default());
    let blob = scene.blob(2500);
    std::fs::write(&blob.path, vec![0; 2500]).unwrap();
    assert!(matches!(scene.push(&blob), Err(Error::OtherBytes { expected, .. }) if expected == blob.digest));
    std::fs::write(&blob.path, vec![0; 100]).unwrap();
    let text = told(scene.push(&blob));
    assert!(text.contains("is shorter than its 2500 bytes"), "{text}");
}

#[test]
fn an_upload_that_goes_on_elsewhere_is_told_nothing_of_us() {
    let scene = Scene::new(Skills { door: crate::fake::Door::Basic, ..Skills::default() }).logged_in();
    let storage = Scene::new(Skills::default());
    // An upload that the storage knows as its first one.
    let begun = storage.registry();
    storage.fake.fault("PUT", UPLOADS, Act::Answer(400, &[], ""));
    told(begun.repository("a/b").push(&storage.blob(3), None, &storage.sessions(), &LIMITS, &Silent));
    let blob = scene.blob(500);
    let elsewhere = format!("http://{}/v2/a/b/blobs/uploads/1?state=s3cret", storage.fake.host);
    scene.push(&scene.blob(7)).unwrap();
    scene.fake.fault("POST", UPLOADS, Act::Lie("location", elsewhere));
    scene.push(&blob).unwrap();
    storage.assert_has(&blob);
    assert_eq!(storage.fake.state().shown, Vec::<String>::new());
    assert!(!scene.fake.state().shown.is_empty());
}

#[test]
fn an_upload_without_a_place_to_go_on_is_an_error() {
    let scene = Scene::new(Skills::default());
    scene.fake.fault("POST", UPLOADS, Act::Answer(202, &[], ""));
    let text = told(scene.push(&scene.blob(10)));
    assert!(text.contains("expected a header Location, found none"), "{text}");
}
