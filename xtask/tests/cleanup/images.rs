//! Images of engines, with a stand-in for the clients.

use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
};

use crate::old::{Ended, Old};

/// A client of an engine that keeps lines of `id|name:tag|size|label` and of `container image`.
const CLIENT: &str = r#"#!/bin/sh
echo "$*" >> "$STATE/calls"
case "$1 $2" in
  "images --no-trunc")
    case "$*" in *label=io.spark-images.fingerprint*) pick='|ours$' ;; *) pick= ;; esac
    grep -e "$pick" "$STATE/images" | cut -d'|' -f1-3 ;;
  "ps --all") grep "${5#ancestor=}" "$STATE/containers" | cut -d' ' -f1; true ;;
  "image inspect")
    found=$(grep -F "|$5|" "$STATE/images" || grep -F "$5|" "$STATE/images") || { echo "no such image: $5" >&2; exit 1; }
    echo "$found" | head -n1 | cut -d'|' -f1 ;;
  "rmi "*)
    [ "$2" = spark-k8s-jars-rapids:latest ] && { echo "conflict: it has dependent child images" >&2; exit 1; }
    grep -v -F -e "|$2|" -e "$2|<none>" "$STATE/images" > "$STATE/new"; mv "$STATE/new" "$STATE/images" ;;
  *) echo "what is $*?" >&2; exit 1 ;;
esac
"#;

fn id(n: u32) -> String {
    format!("sha256:{n:064x}")
}

#[test]
fn images_go_by_their_exact_name_or_our_label_and_never_in_use() {
    for engine in ["docker", "podman"] {
        let old = Old::new();
        let bin = old.path("../bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join(engine), CLIENT).unwrap();
        fs::set_permissions(bin.join(engine), Permissions::from_mode(0o755)).unwrap();
        let run = |args: &[&str]| {
            let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
            Ended::of(&old.command(args).env("PATH", path).env("STATE", &bin).output().unwrap())
        };
        let there = [
            (1, "spark-k8s-jdbc-drivers:latest", ""),
            (2, "spark-k8s-python-deps:latest", ""),
            (3, "localhost:5000/spark-custom:3.5", ""),
            (4, "localhost/spark-k8s-jars-iceberg:latest", ""),
            (5, "spark-k8s-jars-rapids:latest", ""),
            (6, "spark-k8s-jars-iceberg:3.5.7", "ours"),
            (6, "spark-images.invalid/spark-k8s-jars-iceberg:aa", "ours"),
            (7, "spark-images.invalid/spark-k8s-jars-iceberg:bb", "ours"),
            (8, "<none>:<none>", "ours"),
            (9, "<none>:<none>", ""),
            (10, "registry.example/spark-k8s-jdbc-drivers:latest", ""),
            (11, "debian:bookworm", ""),
        ];
        let lines: String = there.iter().map(|(n, name, label)| format!("{}|{name}|1.5GB|{label}\n", id(*n))).collect();
        fs::write(bin.join("images"), &lines).unwrap();
        fs::write(bin.join("containers"), format!("c0ffee {}\n", id(2))).unwrap();
        // Nothing is asked that was not named, and an engine that is not there is an error.
        run(&["--dry-run"]).ends(0);
        assert!(!bin.join("calls").exists());
        let shown = run(&["--dry-run", "--engine", engine]);
        shown.ends(0).says(&format!("{engine}: spark-k8s-jdbc-drivers:latest  1.5 GB"));
        shown.says("left: in use by container c0ffee").says("one tag for every Spark version");
        shown.says(&format!("{engine}: spark-images.invalid/spark-k8s-jars-iceberg:bb")).says("built by this program");
        assert_eq!(fs::read_to_string(bin.join("images")).unwrap(), lines);
        let run = run(&["--yes", "--json", "--engine", engine]);
        let report = run.json();
        let states = report["images"].as_array().unwrap().iter();
        let states: BTreeSet<String> = states
            .map(|image| format!("{} {}", image["name"].as_str().unwrap(), image["state"].as_str().unwrap()))
            .collect();
        let mut expected = vec![
            "spark-k8s-jdbc-drivers:latest removed".to_owned(),
            "spark-k8s-python-deps:latest in use by container c0ffee".to_owned(),
            "localhost:5000/spark-custom:3.5 removed".to_owned(),
            "spark-k8s-jars-rapids:latest conflict: it has dependent child images".to_owned(),
            "spark-images.invalid/spark-k8s-jars-iceberg:bb removed".to_owned(),
            format!("{} removed", id(8)),
        ];
        // Only Podman writes this host before a name that has none.
        expected.extend((engine == "podman").then(|| "localhost/spark-k8s-jars-iceberg:latest removed".to_owned()));
        assert_eq!(states, expected.into_iter().collect(), "{engine}");
        let left = fs::read_to_string(bin.join("images")).unwrap();
        for n in [2, 5, 6, 9, 10, 11] {
            assert!(left.contains(&id(n)), "{n} is gone: {left}");
        }
        let calls = fs::read_to_string(bin.join("calls")).unwrap();
        assert!(!calls.contains("prune") && !calls.contains("--force") && !calls.contains(" -f "), "{calls}");
    }
}

#[test]
fn an_engine_that_is_not_there_is_an_error_before_anything_goes() {
    let old = Old::new();
    let mut command = old.command(&["--yes", "--engine", "docker"]);
    // git alone is there.
    let tools = old.path("../tools");
    fs::create_dir_all(&tools).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let git = std::env::split_paths(&path).map(|folder| folder.join("git")).find(|path| path.exists()).unwrap();
    symlink(git, tools.join("git")).unwrap();
    let run = Ended::of(&command.env("PATH", &tools).output().unwrap());
    run.ends(1).says("docker is not installed").says("leave --engine out");
    assert!(old.path("Makefile").exists());
}
