//! `setup`: what it writes, what it refuses, whom it asks.

#[path = "../crates/store/tests/it/server.rs"]
#[allow(dead_code, reason = "a module that two crates share")]
mod server;
mod support;

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::PathBuf,
    process::Command,
};

use server::Server;
use support::{Repository, Run};

const FILE: &str = ".config/spark-images/registries.toml";

fn command(repository: &Repository, args: &[&str]) -> Command {
    let mut command = repository.command(&["setup"]);
    command.args(args).env_remove("SPARK_IMAGES_REGISTRIES");
    command
}

fn setup(repository: &Repository, args: &[&str]) -> Run {
    Run::of(&command(repository, args).output().unwrap())
}

#[track_caller]
fn ok(repository: &Repository, args: &[&str]) -> Run {
    let run = setup(repository, args);
    assert_eq!(run.code, Some(0), "{args:?}\n{}\n{}", run.stdout, run.stderr);
    run
}

fn read(repository: &Repository, path: &str) -> String {
    fs::read_to_string(repository.path(path)).unwrap_or_default()
}

fn mode(path: PathBuf) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_it_writes_is_what_a_build_asks() {
    let repository = Repository::new();
    let (maven, pypi) = (repository.registry.url("/maven"), repository.registry.url("/simple"));
    repository.ok(&["lock"]);
    let run = ok(&repository, &["--maven", &maven, "--pypi", &pypi]);
    run.says(&format!("answers   maven {maven}\n"));
    run.says(&format!("answers   pypi {pypi}\n"));
    let text = read(&repository, FILE);
    assert!(text.contains(&format!("maven = \"{maven}\"\npypi = \"{pypi}\"\n")), "{text}");
    assert_eq!(mode(repository.path(FILE)), 0o644);
    // The same again changes nothing; a build finds its registries there.
    ok(&repository, &["--maven", &maven, "--pypi", &pypi]).says("unchanged");
    assert_eq!(read(&repository, FILE), text);
    let build = Run::of(&repository.command(&["build-layers"]).env_remove("SPARK_IMAGES_REGISTRIES").output().unwrap());
    assert_eq!(build.code, Some(0), "{}", build.stderr);
}

#[test]
fn what_stands_there_is_kept_and_a_link_stays_one() {
    let repository = Repository::new();
    let old = "# my mirrors\npypi = \"https://old.example/simple\" # slow\n";
    repository.write("dotfiles/registries.toml", old);
    fs::create_dir_all(repository.path(".config/spark-images")).unwrap();
    symlink(repository.path("dotfiles/registries.toml"), repository.path(FILE)).unwrap();
    ok(&repository, &["--offline", "--maven", "https://m.example/maven", "--username", "ann", "--password-env", "PW"]);
    let entry = "maven = { url = \"https://m.example/maven\", username = \"ann\", password-env = \"PW\" }\n";
    assert_eq!(read(&repository, "dotfiles/registries.toml"), format!("{old}{entry}"));
    assert!(fs::symlink_metadata(repository.path(FILE)).unwrap().file_type().is_symlink());
    ok(&repository, &["--offline", "--pypi", "https://a.example/simple", "--pypi", "https://b.example/simple"]);
    assert_eq!(
        read(&repository, FILE),
        format!(
            "# my mirrors\npypi = [\n    \"https://a.example/simple\",\n    \"https://b.example/simple\",\n] # slow\n{entry}"
        )
    );
}

#[test]
fn a_password_goes_where_credentials_belong() {
    const SECRET: &str = "hunter2-Zx81";
    let repository = Repository::new();
    let files = repository.registry.files.clone();
    let server = Server::start(move |asked, conn| match asked.headers.get("authorization").map(String::as_str) {
        Some("Basic YW5uOmh1bnRlcjItWng4MQ==") if files.get(&asked.target).is_some() => conn.head("200 OK", &[], 0),
        Some("Basic YW5uOmh1bnRlcjItWng4MQ==") => conn.head("404 Not Found", &[], 0),
        _ => conn.head("401 Unauthorized", &[], 0),
    });
    repository.ok(&["lock"]);
    let url = server.url("/maven").replace("http://", &format!("http://ann:{SECRET}@"));
    let hidden = |run: Run| {
        assert!(!run.stdout.contains(SECRET) && !run.stderr.contains(SECRET), "{}\n{}", run.stdout, run.stderr);
        run
    };
    let dry = hidden(ok(&repository, &["--maven", &url, "--dry-run"]));
    dry.says("machine 127.0.0.1 login ann password ***");
    assert!(!repository.path(FILE).exists() && !repository.path(".netrc").exists());
    assert!(server.targets().is_empty());
    repository.write(".netrc", "machine other.example login b password c\n");
    hidden(ok(&repository, &["--maven", &url])).says("answers   maven");
    assert_eq!(
        read(&repository, ".netrc"),
        format!("machine 127.0.0.1 login ann password {SECRET}\nmachine other.example login b password c\n")
    );
    assert_eq!(mode(repository.path(".netrc")), 0o600);
    assert!(!read(&repository, FILE).contains("ann"), "{}", read(&repository, FILE));
    // Another one for the same host is not replaced: other programs use it.
    let other = hidden(setup(&repository, &["--maven", &url.replace(SECRET, "other")]));
    assert_eq!(other.code, Some(1));
    other.says("it has credentials for 127.0.0.1 already");
    // A password that was there already makes the file the user's alone.
    repository.write(FILE, &format!("pypi = \"https://ann:{SECRET}@p.example/simple\"\n"));
    hidden(ok(&repository, &["--offline", "--debian", "https://d.example/debian"]));
    assert_eq!(mode(repository.path(FILE)), 0o600);
}

#[test]
fn nobody_to_ask_and_nothing_said_is_an_error_with_the_usage() {
    let repository = Repository::new();
    for args in [&[][..], &["--dry-run"]] {
        let run = setup(&repository, args);
        assert_eq!(run.code, Some(2), "{}", run.stdout);
        run.says("Usage: cargo xtask setup");
        run.says("--password-env <VARIABLE>");
    }
    assert!(!repository.path(FILE).exists());
}

#[test]
fn a_registry_that_does_not_answer_is_not_written_unless_nobody_is_to_be_asked() {
    let repository = Repository::new();
    let args = ["--pypi", "http://127.0.0.1:9/simple"];
    let run = setup(&repository, &args);
    assert_eq!(run.code, Some(1));
    run.says("nothing was written: a registry does not answer");
    run.says("to write it without asking: --offline");
    assert!(!repository.path(FILE).exists());
    ok(&repository, &[&args[..], &["--offline"]].concat());
    // Not an index: it is written, and said.
    let server = Server::start(|_, conn| conn.head("404 Not Found", &[], 0));
    ok(&repository, &["--pypi", &server.url("/x")])
        .says("is this the address of the simple index, below which `pip/` lies?");
    let locked = Server::start(|_, conn| conn.head("401 Unauthorized", &[], 0));
    ok(&repository, &["--pypi", &locked.url("/x")]).says("machine 127.0.0.1 login USER password PASSWORD");
}

#[test]
fn what_goes_before_the_file_is_said() {
    let repository = Repository::new();
    repository.write("docker/registries.toml", "pypi = \"https://corp.example/simple\"\n");
    let args =
        ["--offline", "--pypi", "https://p.example/simple", "--maven", "https://m.example/m", "--token-env", "NO_SUCH"];
    let run = Run::of(&command(&repository, &args).env("SPARK_IMAGES_MAVEN", "https://n.example/m").output().unwrap());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run.says("warning: maven: SPARK_IMAGES_MAVEN goes before this file and names https://n.example/m");
    run.says("docker/registries.toml line 1 goes before this file and names https://corp.example/simple");
    let run = ok(&repository, &["--offline", "--debian", "http://d.example/debian", "--token-env", "NO_SUCH"]);
    run.says("the variable NO_SUCH is not set");
}

#[test]
fn a_file_that_would_not_be_understood_is_left() {
    let repository = Repository::new();
    for (text, words) in [("maven = ", "this is not TOML"), ("mavn = \"x\"\n", "unknown key `mavn`")] {
        repository.write(FILE, text);
        let run = setup(&repository, &["--offline", "--pypi", "https://p.example/simple"]);
        assert_eq!(run.code, Some(1), "{}", run.stdout);
        run.says(words);
        run.says("spark-images/registries.toml");
        assert_eq!(read(&repository, FILE), text);
    }
    fs::remove_file(repository.path(FILE)).unwrap();
    repository.write("ca.txt", "no certificate");
    let run = setup(&repository, &["--offline", "--ca", "ca.txt"]);
    assert_eq!(run.code, Some(1));
    run.says("convert it to PEM");
    ok_ca(&repository);
    setup(&repository, &["--registry", "maven=http://a", "--maven", "http://b"]).says("--registry is for one run");
}

/// A certificate is named by its whole path, wherever it was named from.
fn ok_ca(repository: &Repository) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["ca.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    repository.write("ca.pem", &certificate.pem());
    ok(repository, &["--offline", "--ca", "ca.pem"]);
    let expected = fs::canonicalize(repository.path("ca.pem")).unwrap();
    assert!(read(repository, FILE).ends_with(&format!("extra-ca = \"{}\"\n", expected.display())));
}
