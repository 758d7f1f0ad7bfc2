//! Who we are: challenges, tokens, the clients' files.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use distribution::{Credential, Credentials, Environment, How};
use store::Silent;

use crate::{
    fake::{Act, Door, Skills},
    helpers::{LIMITS, Scene, told},
};

fn door(door: Door) -> Scene {
    Scene::new(Skills { door, ..Skills::default() })
}

#[test]
fn a_token_is_fetched_when_it_is_asked_for_and_kept() {
    let scene = door(Door::Token).logged_in();
    let (blob, registry) = (scene.blob(2500), scene.registry());
    let repository = registry.repository("a/b");
    assert_eq!(repository.push(&blob, None, &scene.sessions(), &LIMITS, &Silent).unwrap(), How::Sent { from: 0 });
    scene.assert_has(&blob);
    assert_eq!(scene.fake.state().tokens, 1);
    // A cut connection is no reason for another one.
    scene.fake.fault("HEAD", "/blobs/", Act::Cut(0));
    assert_eq!(repository.push(&blob, None, &scene.sessions(), &LIMITS, &Silent).unwrap(), How::There);
    assert_eq!(scene.fake.state().tokens, 1);
    // Another repository is another scope.
    registry.repository("c").push(&blob, None, &scene.sessions(), &LIMITS, &Silent).unwrap();
    assert_eq!(scene.fake.state().tokens, 2);
}

#[test]
fn an_identity_token_is_exchanged() {
    let file = |host: &str| format!("{{\"auths\":{{\"{host}\":{{\"identitytoken\":\"refresh\"}}}}}}");
    let scene = door(Door::Token);
    let file = file(&scene.fake.host);
    let scene = scene.with("DOCKER_AUTH_CONFIG", &file);
    scene.push(&scene.blob(10)).unwrap();
    assert!(scene.fake.asked().contains(&"POST /token".to_owned()));
}

#[test]
fn user_and_password_are_shown_only_after_a_challenge() {
    let scene = door(Door::Basic).logged_in();
    scene.push(&scene.blob(10)).unwrap();
    let asked = scene.fake.asked();
    assert_eq!(asked[0], asked[1], "the first request is repeated with credentials");
    assert_eq!(scene.fake.state().shown.len(), asked.len() - 1);
}

#[test]
fn who_is_not_let_in_learns_how_to_log_in() {
    for door in [Door::Basic, Door::Token] {
        let scene = self::door(door);
        let text = told(scene.push(&scene.blob(10)));
        assert!(text.contains(&format!("docker login {}", scene.fake.host)), "{text}");
        let scene =
            self::door(door).with("SPARK_IMAGES_REGISTRY_USER", "me").with("SPARK_IMAGES_REGISTRY_PASSWORD", "wrong");
        let text = told(scene.push(&scene.blob(10)));
        assert!(text.contains("these credentials"), "{text}");
        assert!(!text.contains("wrong"), "{text}");
    }
}

#[test]
fn a_challenge_that_cannot_be_followed_says_what_it_is() {
    for (value, expected) in [
        ("Negotiate", "expected Bearer or Basic, found Negotiate"),
        ("Bearer service=\"x\"", "it names no server for tokens"),
        ("Bearer realm=", "WWW-Authenticate"),
    ] {
        let scene = Scene::new(Skills::default());
        scene.fake.fault("HEAD", "/blobs/", challenge(value));
        let text = told(scene.push(&scene.blob(10)));
        assert!(text.contains(expected), "{text}");
    }
}

fn challenge(value: &'static str) -> Act {
    match value {
        "Negotiate" => Act::Answer(401, &[("www-authenticate", "Negotiate")], ""),
        "Bearer realm=" => Act::Answer(401, &[("www-authenticate", "Bearer realm=")], ""),
        _ => Act::Answer(401, &[("www-authenticate", "Bearer service=\"x\"")], ""),
    }
}

#[test]
fn a_server_of_tokens_that_sends_a_page_is_quoted() {
    let scene = door(Door::Token).logged_in();
    scene.fake.fault("GET", "/token", Act::Answer(200, &[], "<html>Sign in"));
    let text = told(scene.push(&scene.blob(10)));
    assert!(text.contains("expected JSON with `token`, found <html>Sign in"), "{text}");
}

/// The credential for `host/repository` in an environment.
fn find(host: &str, repository: &str, variables: &[(&str, &str)]) -> Result<Option<Credential>, String> {
    let environment: Environment =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let found = Credentials::new(environment).find(host, repository);
    found.map(|found| found.map(|(credential, _)| credential)).map_err(|error| error.to_string())
}

fn basic(user: &str, password: &str) -> Credential {
    Credential::Basic { user: user.to_owned(), password: password.to_owned() }
}

#[test]
fn the_clients_files_are_read_as_the_clients_do() {
    let auth = |pair: &str| BASE64_STANDARD.encode(pair);
    let file = format!(
        r#"{{"auths": {{
            "https://old.example/v1/": {{"auth": "{}"}},
            "new.example:5000": {{"username": "u", "password": "p"}},
            "new.example:5000/team": {{"auth": "{}"}},
            "https://index.docker.io/v1/": {{"auth": "{}"}},
            "empty.example": {{}},
            "token.example": {{"registrytoken": "t"}}
        }}, "other": 1}}"#,
        auth("a:b:c"),
        auth("team:t").trim_end_matches('='),
        auth("hub:h"),
    );
    let find = |host: &str, repository: &str| find(host, repository, &[("DOCKER_AUTH_CONFIG", &file)]).unwrap();
    assert_eq!(find("old.example", "x"), Some(basic("a", "b:c")));
    assert_eq!(find("new.example:5000", "x"), Some(basic("u", "p")));
    assert_eq!(find("new.example:5000", "team/x"), Some(basic("team", "t")));
    assert_eq!(find("new.example:5000", "teams/x"), Some(basic("u", "p")));
    assert_eq!(find("docker.io", "library/x"), Some(basic("hub", "h")));
    assert_eq!(find("token.example", "x"), Some(Credential::Bearer("t".to_owned())));
    for unknown in ["empty.example", "new.example", "example"] {
        assert_eq!(find(unknown, "x"), None, "{unknown}");
    }
}

#[test]
fn files_are_looked_for_in_the_order_of_the_documentation() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, user: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = format!(r#"{{"auths":{{"r.example":{{"username":"{user}","password":"p"}}}}}}"#);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let named = write("named.json", "named");
    write("docker/config.json", "docker");
    write("home/.docker/config.json", "home");
    write("run/containers/auth.json", "run");
    write("home/.config/containers/auth.json", "config");
    let folder = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (docker, home, run) = (folder("docker"), folder("home"), folder("run"));
    let variables = [
        ("SPARK_IMAGES_REGISTRY_USER", "variable"),
        ("SPARK_IMAGES_REGISTRY_PASSWORD", "p"),
        ("REGISTRY_AUTH_FILE", &named),
        ("DOCKER_CONFIG", &docker),
        ("HOME", &home),
        ("XDG_RUNTIME_DIR", &run),
    ];
    let find = |from: usize| find("r.example", "x", &variables[from..]).unwrap();
    assert_eq!(find(0), Some(basic("variable", "p")));
    assert_eq!(find(2), Some(basic("named", "p")));
    assert_eq!(find(3), Some(basic("docker", "p")));
    assert_eq!(find(4), Some(basic("home", "p")));
    std::fs::remove_file(dir.path().join("home/.docker/config.json")).unwrap();
    assert_eq!(find(4), Some(basic("run", "p")));
    std::fs::remove_file(dir.path().join("run/containers/auth.json")).unwrap();
    assert_eq!(find(4), Some(basic("config", "p")));
}

#[test]
fn what_cannot_be_understood_names_its_place() {
    for (variables, expected) in [
        (vec![("SPARK_IMAGES_REGISTRY_USER", "me")], "SPARK_IMAGES_REGISTRY_PASSWORD is not set"),
        (vec![("DOCKER_AUTH_CONFIG", "{")], "from DOCKER_AUTH_CONFIG"),
        (vec![("REGISTRY_AUTH_FILE", "/no/such")], "reading /no/such"),
        (vec![("DOCKER_AUTH_CONFIG", r#"{"auths":{"r.example":{"auth":"?"}}}"#)], "is not base64 of `user:password`"),
        (vec![("DOCKER_AUTH_CONFIG", r#"{"credsStore":"../x"}"#)], "is no name of a helper"),
        (
            vec![("DOCKER_AUTH_CONFIG", r#"{"credHelpers":{"r.example":"no-such-helper"}}"#)],
            "starting docker-credential-no-such-helper",
        ),
    ] {
        let error = find("r.example", "x", &variables).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
