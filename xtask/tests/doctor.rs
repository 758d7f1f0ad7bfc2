//! `doctor` on a small repository, with registries that refuse, lack, lie and are not there.

#[path = "../crates/store/tests/it/server.rs"]
#[allow(dead_code, reason = "a module that two crates share")]
mod server;
mod support;
#[path = "../crates/store/tests/it/tls.rs"]
mod tls;

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use server::{Asked, Conn, Server};
use support::{Files, LIBRARY, Repository, Run};
use tls::https;

/// What a sandbox and this program call.
const TOOLS: [&str; 12] =
    ["unshare", "mount", "setpriv", "setsid", "sh", "env", "mkdir", "hostname", "git", "cat", "true", "ip"];

/// A locked repository whose store has nothing yet.
fn locked() -> Repository {
    let before = Repository::new();
    before.run(&["lock"]);
    let repository = before.elsewhere();
    fs::copy(before.path("docker/versions.lock"), repository.path("docker/versions.lock")).unwrap();
    repository
}

/// `doctor` with a `PATH` that has these programs and no others: no engine of this machine is asked.
fn command(repository: &Repository, args: &[&str], tools: &[&str]) -> Command {
    let bin = repository.path("bin");
    fs::create_dir_all(&bin).unwrap();
    for tool in tools {
        let found = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(|folder| Path::new(folder).join(tool));
        if let Some(found) = found.into_iter().find(|path| path.exists()) {
            drop(symlink(found, bin.join(tool)));
        }
    }
    let mut command = repository.command(&["doctor"]);
    // Without this the archives of this machine would be asked.
    command.args(args).env("PATH", &bin).env("SPARK_IMAGES_DEBIAN", repository.registry.url("/debian"));
    command
}

fn doctor(repository: &Repository, args: &[&str]) -> Run {
    Run::of(&command(repository, args, &TOOLS).output().unwrap())
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}\n{}", run.stdout, run.stderr))
}

/// The findings of a state: what, and what to do.
fn findings(json: &Value, state: &str) -> Vec<String> {
    let sections = json["sections"].as_array().unwrap().iter();
    let all = sections.flat_map(|section| section["findings"].as_array().unwrap());
    let of_state = all.filter(|finding| finding["state"] == state);
    of_state
        .map(|finding| format!("{} -> {}", finding["what"].as_str().unwrap(), finding["remedy"].as_str().unwrap_or("")))
        .collect()
}

#[track_caller]
fn one_with(findings: &[String], words: &[&str]) {
    let found = findings.iter().any(|finding| words.iter().all(|word| finding.contains(word)));
    assert!(found, "{words:?} in {findings:#?}");
}

/// Answers with the files of a registry.
fn serve(files: &Files, asked: &Asked, conn: &mut Conn) -> io::Result<()> {
    match files.get(&asked.target) {
        Some(bytes) if asked.method == "HEAD" => conn.head("200 OK", &[], bytes.len()),
        Some(bytes) => conn.answer("200 OK", &[], &bytes),
        None => conn.head("404 Not Found", &[], 0),
    }
}

fn registries_at(server: &Server) -> String {
    format!("maven={} pypi={}", server.url("/maven"), server.url("/simple"))
}

#[test]
fn a_machine_that_can_build_has_no_problem() {
    let repository = locked();
    let run = doctor(&repository, &["--json"]);
    assert_eq!(run.code, Some(0), "{}\n{}", run.stdout, run.stderr);
    let report = json(&run);
    assert_eq!((&report["format"], &report["problems"]), (&1.into(), &0.into()), "{report:#}");
    assert_eq!((&report["needs"]["images"], &report["needs"]["files"]), (&3.into(), &2.into()), "{report:#}");
    assert_eq!(report["needs"]["missing-files"], 2);
    let found = &report["registries"]["found"];
    assert_eq!((&found[0]["kind"], &found[0]["has"]), (&"maven".into(), &1.into()));
    assert_eq!((&found[1]["kind"], &found[1]["has"]), (&"pypi".into(), &1.into()));
    assert_eq!(found[1]["found-in"], "SPARK_IMAGES_REGISTRIES");
    let text = doctor(&repository, &[]);
    text.says("0 problems");
    text.says("3 images to build");
    repository.ok(&["build-layers"]);
    let built = json(&doctor(&repository, &["--json"]));
    assert_eq!((&built["needs"]["images"], &built["needs"]["files"]), (&0.into(), &0.into()));
    assert_eq!(built["registries"]["found"][0]["has"], 0);
    let all = json(&doctor(&repository, &["--json", "--all"]));
    assert_eq!(all["registries"]["found"][0]["has"], 1);
}

#[test]
fn registries_that_are_not_there_are_named_with_what_to_do() {
    let repository = locked();
    let run = Run::of(
        &command(&repository, &["--json"], &TOOLS)
            .env("SPARK_IMAGES_REGISTRIES", "maven=http://127.0.0.1:9/m pypi=http://127.0.0.1:9/s")
            .output()
            .unwrap(),
    );
    assert_eq!(run.code, Some(1));
    let report = json(&run);
    one_with(&findings(&report, "problem"), &["pypi http://127.0.0.1:9/s does not answer", "curl -sSI"]);
    one_with(&findings(&report, "problem"), &["maven http://127.0.0.1:9/m does not answer"]);
    assert_eq!(report["registries"]["found"][1]["answer"]["state"], "fails");
    // Another mirror takes its place.
    let both =
        format!("pypi=http://127.0.0.1:9/s,{} ", repository.registry.url("/simple")) + &repository.registry.variable();
    let run =
        Run::of(&command(&repository, &["--json"], &TOOLS).env("SPARK_IMAGES_REGISTRIES", both).output().unwrap());
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    one_with(&findings(&json(&run), "warning"), &["pypi http://127.0.0.1:9/s does not answer"]);
    // Nobody needs what does not answer.
    repository.ok(&["fetch"]);
    let run = Run::of(
        &command(&repository, &[], &TOOLS)
            .env("SPARK_IMAGES_REGISTRIES", "maven=http://127.0.0.1:9/m pypi=http://127.0.0.1:9/s")
            .output()
            .unwrap(),
    );
    assert_eq!(run.code, Some(0), "{}", run.stdout);
}

#[test]
fn without_any_registry_the_places_that_were_looked_at_are_named() {
    let repository = locked();
    let mut command = command(&repository, &[], &TOOLS);
    let run =
        Run::of(&command.env_remove("SPARK_IMAGES_REGISTRIES").env("SPARK_IMAGES_PYPI", "ftp://a/b").output().unwrap());
    assert_eq!(run.code, Some(1));
    run.says("SPARK_IMAGES_PYPI: `ftp://a/b` cannot be the address of a registry");
    run.says("-> cargo xtask setup --pypi URL; or correct it, or set SPARK_IMAGES_REGISTRIES='pypi=URL'");
}

#[test]
fn a_file_that_no_registry_has_stops_a_build_and_one_that_a_mirror_has_does_not() {
    let jar = locked();
    jar.registry.files.remove(LIBRARY);
    let run = doctor(&jar, &["--json"]);
    assert_eq!(run.code, Some(1));
    let report = json(&run);
    one_with(
        &findings(&report, "problem"),
        &["no registry has maven:org.example:library:1.0", "cargo xtask lock --update org.example:library"],
    );
    assert_eq!(report["registries"]["found"][0]["lacks"][0], "maven:org.example:library:1.0");
    let other = Server::start(|asked, conn| match asked.target.as_str() {
        LIBRARY => conn.head("200 OK", &[], 5),
        _ => conn.head("404 Not Found", &[], 0),
    });
    let mirror = format!("maven={}", other.url("/maven"));
    let first = format!("maven={}", jar.registry.url("/maven"));
    let run = doctor(&jar, &["--registry", &first, "--registry", &mirror]);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    run.says("lacks maven:org.example:library:1.0");
    run.says(&format!("{} has all 1 file that it was asked for", other.url("/maven")));
}

#[test]
fn a_page_in_the_place_of_a_file_is_seen() {
    let jar = locked();
    jar.registry.files.put(LIBRARY, "<html>please log in</html>");
    let report = json(&doctor(&jar, &["--json"]));
    one_with(&findings(&report, "warning"), &["another file of 26 bytes", "log in"]);
    one_with(&findings(&report, "problem"), &["no registry has maven:org.example:library:1.0"]);
}

#[test]
fn credentials_are_missed_refused_and_taken_and_never_shown() {
    const SECRET: &str = "hunter2-Zx81";
    let repository = locked();
    let files = repository.registry.files.clone();
    let expected = "Basic YW5uOmh1bnRlcjItWng4MQ==";
    let server = Server::start(move |asked, conn| match asked.headers.get("authorization").map(String::as_str) {
        Some(sent) if sent == expected => serve(&files, asked, conn),
        _ => conn.head("401 Unauthorized", &[], 0),
    });
    let run = |args: &[&str], set: &dyn Fn(&mut Command)| {
        let mut command = command(&repository, args, &TOOLS);
        command.env("SPARK_IMAGES_REGISTRIES", registries_at(&server));
        command.env("HTTPS_PROXY", format!("http://ann:{SECRET}@127.0.0.1:9"));
        set(&mut command);
        let run = Run::of(&command.output().unwrap());
        for shown in [&run.stdout, &run.stderr] {
            assert!(!shown.contains(SECRET) && !shown.contains("YW5uOmh1"), "{shown}");
        }
        run
    };
    let none = run(&[], &|_| {});
    assert_eq!(none.code, Some(1));
    none.says("refuses (401)");
    none.says("no credentials");
    none.says("-> put credentials into ~/.netrc (chmod 600): machine 127.0.0.1 login USER password PASSWORD");
    repository.write(".netrc", &format!("machine 127.0.0.1 login ann password wrong-{SECRET}\n"));
    let wrong = run(&[], &|_| {});
    assert_eq!(wrong.code, Some(1));
    wrong.says("-> correct the credentials in ~/.netrc; they may have expired");
    repository.write(".netrc", &format!("machine 127.0.0.1 login ann password {SECRET}\n"));
    for args in [&["--json"][..], &[], &["--all"]] {
        let right = run(args, &|_| {});
        assert_eq!(right.code, Some(0), "{}", right.stdout);
        right.says("~/.netrc");
    }
    // In every other place where they can stand.
    fs::remove_file(repository.path(".netrc")).unwrap();
    let address = server.url("").replace("http://", &format!("http://ann:{SECRET}@"));
    let in_address = run(&["--json"], &|command| {
        command.env("SPARK_IMAGES_REGISTRIES", format!("maven={address}/maven pypi={address}/simple"));
    });
    assert_eq!(in_address.code, Some(0), "{}", in_address.stdout);
    assert_eq!(
        json(&in_address)["registries"]["found"][0]["credentials-in"],
        "the address itself, in SPARK_IMAGES_REGISTRIES"
    );
    repository.write(
        "docker/registries.toml",
        &format!(
            "pypi = {{ url = \"{}\", username = \"ann\", password-env = \"INDEX_PASSWORD\" }}\n",
            server.url("/simple")
        ),
    );
    let settings = format!(
        "<settings><mirrors><mirror><id>corp</id><mirrorOf>*</mirrorOf><url>{}</url></mirror></mirrors><servers><server>\
         <id>corp</id><username>ann</username><password>{SECRET}</password></server></servers></settings>",
        server.url("/maven")
    );
    repository.write(".m2/settings.xml", &settings);
    let in_files = run(&["--all", "--json"], &|command| {
        command.env_remove("SPARK_IMAGES_REGISTRIES").env("INDEX_PASSWORD", SECRET);
    });
    assert_eq!(in_files.code, Some(0), "{}", in_files.stdout);
    let report = json(&in_files);
    assert!(
        report["registries"]["found"][0]["credentials-in"].as_str().unwrap().contains("settings.xml"),
        "{report:#}"
    );
    assert!(
        report["registries"]["found"][1]["credentials-in"].as_str().unwrap().contains("registries.toml"),
        "{report:#}"
    );
}

#[test]
fn an_authority_that_nobody_knows_is_named_with_the_command_that_adds_it() {
    let repository = locked();
    let files = repository.registry.files.clone();
    let (server, ca) = https(&["127.0.0.1"], move |asked, conn| serve(&files, asked, conn));
    repository.write("corporate.pem", &ca);
    let run = |ca: Option<&str>| {
        let mut command = command(&repository, &["--all"], &TOOLS);
        command
            .env("SPARK_IMAGES_REGISTRIES", registries_at(&server))
            .env("SSL_CERT_FILE", repository.path("other.pem"));
        if let Some(ca) = ca {
            command.env("SPARK_IMAGES_CA", repository.path(ca));
        }
        Run::of(&command.output().unwrap())
    };
    let (_, other) = https(&["other.example"], |_, _| server::hang_up());
    repository.write("other.pem", &other);
    let refused = run(None);
    assert_eq!(refused.code, Some(1));
    refused.says("invalid peer certificate");
    refused.says("openssl s_client -showcerts -connect 127.0.0.1:");
    refused.says("cargo xtask setup --ca FILE.pem");
    let trusted = run(Some("corporate.pem"));
    assert_eq!(trusted.code, Some(0), "{}", trusted.stdout);
    trusted.says("2 certificates of authorities trusted");
    repository.write("broken.pem", "no certificate");
    let broken = run(Some("broken.pem"));
    assert_eq!(broken.code, Some(1));
    broken.says("broken.pem");
    broken.says("convert it to PEM");
    run(Some("nowhere.pem")).says("-> name a PEM file in SPARK_IMAGES_CA: cargo xtask setup --ca FILE");
}

#[test]
fn offline_nobody_is_asked_and_what_is_not_there_is_a_problem() {
    let repository = locked();
    let server = Server::start(|_, conn| conn.head("200 OK", &[], 0));
    let run = || {
        let mut command = command(&repository, &["--offline"], &TOOLS);
        Run::of(&command.env("SPARK_IMAGES_REGISTRIES", registries_at(&server)).output().unwrap())
    };
    let lacks = run();
    assert_eq!(lacks.code, Some(1));
    lacks.says("--offline fetches nothing");
    lacks.says("cargo xtask bundle --out FILE");
    repository.ok(&["fetch"]);
    let has = run();
    assert_eq!(has.code, Some(0), "{}", has.stdout);
    assert!(server.targets().is_empty(), "{:?}", server.targets());
}

#[test]
fn what_the_lock_lacks_is_left_out_and_a_lock_that_is_stale_is_said() {
    let repository = Repository::new();
    let fresh = doctor(&repository, &[]);
    assert_eq!(fresh.code, Some(0), "{}", fresh.stdout);
    fresh.says("docker/versions.lock does not answer the table; the next build locks what is new");
    let ci = Run::of(&command(&repository, &[], &TOOLS).env("CI", "true").output().unwrap());
    assert_eq!(ci.code, Some(1));
    ci.says("and must not be written");
    repository.registry.files.remove(LIBRARY);
    repository.run(&["lock"]);
    let left = doctor(&repository, &[]);
    assert_eq!(left.code, Some(3), "{}", left.stdout);
    left.says("left out maven:org.example:library:1.0: none of the registries");
    left.says("needed by custom:3.5.7");
    left.says("cargo xtask lock --update maven:org.example:library:1.0");
}

#[test]
fn without_namespaces_images_are_built_unless_one_has_a_run() {
    let repository = locked();
    // A kernel or a container that refuses.
    let few: Vec<&str> = TOOLS.into_iter().filter(|tool| *tool != "unshare").collect();
    let denied = "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n";
    repository.write("bin/unshare", denied);
    fs::set_permissions(repository.path("bin/unshare"), fs::Permissions::from_mode(0o755)).unwrap();
    let run = Run::of(&command(&repository, &["--json"], &few).output().unwrap());
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    one_with(&findings(&json(&run), "warning"), &["no sandbox", "Operation not permitted"]);
    one_with(&findings(&json(&run), "note"), &["user.max_user_namespaces"]);
    repository.write("docker/runtime/Dockerfile", "ARG PARENT\nFROM ${PARENT}\nRUN [\"true\"]\n");
    let run = Run::of(&command(&repository, &["--json"], &few).output().unwrap());
    assert_eq!(run.code, Some(1));
    one_with(&findings(&json(&run), "problem"), &["docker/runtime/Dockerfile:3 has a RUN"]);
}

#[test]
fn a_store_that_cannot_be_had_or_written_is_named() {
    let repository = locked();
    let run = |command: &mut Command| Run::of(&command.output().unwrap());
    let nowhere = run(command(&repository, &[], &TOOLS).env("SPARK_IMAGES_CACHE", "/proc/none"));
    assert_eq!(nowhere.code, Some(1));
    nowhere.says("set SPARK_IMAGES_CACHE to a folder that can be written to");
    // The file system is read-only, for root as well: in a mount namespace of its own, where that can be had.
    let script = "mount --bind \"$SPARK_IMAGES_CACHE\" \"$SPARK_IMAGES_CACHE\" && \
                  mount -o remount,bind,ro \"$SPARK_IMAGES_CACHE\" || exit 77; exec \"$@\"";
    let in_namespace = || {
        let inner = command(&repository, &[], &TOOLS);
        let mut outer = inside(&["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        outer.arg(inner.get_program()).args(inner.get_args()).current_dir(inner.get_current_dir().unwrap()).env_clear();
        outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdin(Stdio::null());
        Run::of(&outer.output().unwrap())
    };
    let read_only = in_namespace();
    if read_only.code == Some(77) || read_only.stderr.contains("unshare failed") {
        return;
    }
    assert_eq!(read_only.code, Some(1), "{}\n{}", read_only.stdout, read_only.stderr);
    read_only.says("is read-only and lacks 2 files");
    repository.ok(&["fetch"]);
    let filled = in_namespace();
    assert_eq!(filled.code, Some(0), "{}\n{}", filled.stdout, filled.stderr);
    filled.says("is read-only, and has all that is needed");
}

#[expect(clippy::disallowed_methods, reason = "the machine that the program under test is to find itself on")]
fn inside(args: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/unshare");
    command.args(args);
    command
}

#[test]
fn who_works_in_the_store_is_named_and_what_was_left_there_is_counted() {
    let repository = locked();
    let locks = repository.store().join("locks");
    fs::create_dir_all(&locks).unwrap();
    let path = locks.join("compile.lock");
    fs::write(&path, std::process::id().to_string()).unwrap();
    fs::write(locks.join("left.lock"), "1").unwrap();
    let held = fs::File::open(&path).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    fs::create_dir_all(repository.store().join("pending")).unwrap();
    fs::write(repository.store().join("pending/abc.part"), "half").unwrap();
    let run = doctor(&repository, &["--json"]);
    let report = json(&run);
    let notes = findings(&report, "note");
    one_with(&notes, &[&format!("`compile` is locked by process {}", std::process::id())]);
    one_with(&notes, &["1 partial download of 4 B"]);
    assert!(!run.stdout.contains("`left`"), "{}", run.stdout);
    fs::write(&path, "4194305").unwrap();
    one_with(
        &findings(&json(&doctor(&repository, &["--json"])), "warning"),
        &["process 4194305, which is not on this machine"],
    );
}

#[test]
fn what_is_asked_for_and_is_not_there_is_an_error_of_the_command() {
    let repository = locked();
    doctor(&repository, &["runtme"]).says("did you mean `runtime`?");
    doctor(&repository, &["--platform", "linux/mips"]).says("linux/mips");
    assert_eq!(doctor(&repository, &["--within", "0"]).code, Some(2));
}
