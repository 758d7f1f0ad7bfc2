//! buildx is played by shell scripts that say what the real one says.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

/// A program that does this when it is called.
struct Played {
    folder: tempfile::TempDir,
    buildx: Buildx,
}

impl Played {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let buildx = Buildx { words: vec![path.into_os_string().into_string().unwrap(), "buildx".to_owned()] };
        Self { folder, buildx }
    }

    fn folder(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).unwrap()
    }

    fn run(&self) -> Run<'_> {
        Run { builder: "b", folder: self.folder(), file: "docker-bake.json", reads: Vec::new(), writes: Vec::new() }
    }
}

fn two_nodes(one: &str, other: &str) -> String {
    format!(
        "Name:          b\nDriver:        remote\nLast Activity: 2026-01-01 00:00:00 +0000 UTC\n\nNodes:\n\
         Name:                  b0\nEndpoint:              tcp://127.0.0.1:1\nStatus:                running\n\
         BuildKit version:      {one}\nPlatforms:             linux/amd64\n\
         Name:                  b1\nEndpoint:              tcp://127.0.0.1:2\n{other}"
    )
}

#[test]
fn the_nodes_of_a_builder_are_read() {
    let text = two_nodes("v0.12.3", "Status: running\nBuildKit version:      v0.34.2\n");
    let nodes = vec![("b0".to_owned(), Some("v0.12.3".to_owned())), ("b1".to_owned(), Some("v0.34.2".to_owned()))];
    assert_eq!(inspected("b", &text), Ok(Builder { name: "b".to_owned(), nodes }));
}

#[test]
fn a_node_that_does_not_answer_is_an_error() {
    let text = two_nodes("v0.34.2", "Error:                 dial tcp 127.0.0.1:2: connect: connection refused\n");
    let played = Played::new(&format!("cat <<'END'\n{text}\nEND"));
    let told = played.buildx.builder("b").unwrap_err().to_string();
    assert!(told.contains("`b` does not answer: dial tcp 127.0.0.1:2: connect: connection refused\n"), "{told}");
    assert!(told.contains("buildx inspect --bootstrap b"), "{told}");
}

#[test]
fn an_old_node_is_named() {
    let text = two_nodes("v0.34.2", "BuildKit version:      v0.9.3\n");
    let played = Played::new(&format!("cat <<'END'\n{text}\nEND"));
    let told = played.buildx.builder("b").unwrap_err().to_string();
    assert!(told.starts_with("node b1 of the builder `b` has BuildKit v0.9.3, and 0.10 or newer is needed"), "{told}");
}

#[test]
fn versions_are_compared_by_number() {
    for old in ["v0.9.3", "0.8.0", "20.10.24+dfsg1", "v0.8+unknown", "v0.8.4-3-gabcdef"] {
        assert!(is_too_old(old), "{old}");
    }
    for new in ["v0.10.0", "v0.34.2", "v1.0.0", "0.12.0-rc1", "v0.0.0+unknown", "", "master"] {
        assert!(!is_too_old(new), "{new}");
    }
}

#[test]
fn a_builder_that_is_not_there_is_told_with_those_that_are() {
    let played = Played::new(
        "case $2 in ls) echo '{\"Name\":\"default\",\"Nodes\":[{\"Name\":\"default\"}]}'; echo '{\"Name\":\"far\"}';;\n\
         *) echo 'ERROR: no builder \"b\" found' >&2; exit 1;; esac",
    );
    let told = played.buildx.builder("b").unwrap_err().to_string();
    assert!(told.contains("no builder `b`; there are default, far\n"), "{told}");
    assert!(told.contains("create --name b --driver remote"), "{told}");
}

#[test]
fn what_came_out_is_read_by_target() {
    let played = Played::new(
        r#"[ "$2 $3 $4 $5 $6" = "bake --builder b --file docker-bake.json" ] || exit 9
echo '{"x":{"containerimage.digest":"sha256:1"},"y":{},"buildx.build.warnings":[]}' > metadata.json"#,
    );
    let made = played.buildx.bake(&played.run(), &AtomicBool::new(false)).unwrap();
    let digests: Vec<_> = made.iter().map(|(name, made)| (name.as_str(), made.digest.as_deref())).collect();
    assert_eq!(digests, [("x", Some("sha256:1")), ("y", None)]);
}

#[test]
fn files_outside_of_the_folder_are_allowed_where_buildx_asks_for_that() {
    let script = |help: &str| {
        format!("case \"$*\" in *--help*) echo '{help}';; *) echo \"$*\" > said; echo '{{}}' > metadata.json;; esac")
    };
    for (help, expected) in [("  --allow stringArray", true), ("  --file", false)] {
        let played = Played::new(&script(help));
        let run = Run { reads: vec!["/secret".into()], writes: vec!["/out".into()], ..played.run() };
        played.buildx.bake(&run, &AtomicBool::new(false)).unwrap();
        let said = fs::read_to_string(played.folder().join("said")).unwrap();
        assert_eq!(said.contains("--allow=fs.read=/secret --allow=fs.write=/out"), expected, "{said}");
    }
}

#[test]
fn a_build_that_fails_says_its_exit_code_and_no_earlier_result_counts() {
    let played = Played::new("exit 7");
    fs::write(played.folder().join("metadata.json"), "{}").unwrap();
    let told = played.buildx.bake(&played.run(), &AtomicBool::new(false)).unwrap_err().to_string();
    assert!(told.ends_with("failed with exit code 7; what it said stands above"), "{told}");
    let played = Played::new("exit 0");
    fs::write(played.folder().join("metadata.json"), "{}").unwrap();
    assert!(matches!(played.buildx.bake(&played.run(), &AtomicBool::new(false)), Err(Error::Metadata { .. })));
}

#[test]
fn an_interrupted_build_is_told_to_stop_and_waited_for() {
    let played = Played::new("trap 'echo stopped > said; kill $!; exit 1' TERM\ncat never & echo ready > ready\nwait");
    for pipe in ["ready", "never"] {
        let (path, kind) = (played.folder().join(pipe), rustix::fs::FileType::Fifo);
        rustix::fs::mknodat(rustix::fs::CWD, path.as_str(), kind, rustix::fs::Mode::RWXU, 0).unwrap();
    }
    let stop = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            fs::read_to_string(played.folder().join("ready")).unwrap();
            stop.store(true, Ordering::Relaxed);
        });
        played.buildx.bake(&played.run(), &stop)
    });
    assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
    assert_eq!(fs::read_to_string(played.folder().join("said")).unwrap(), "stopped\n");
}
