//! `add-version` and `remove-version` on a small repository in git, against registries on loopback.

mod support;

use std::{
    fs,
    time::{Duration, Instant},
};

use support::{
    Run,
    versions::{UNCHANGED, Upstream, Versions},
};

const CONNECTOR: &str = "/maven/org/example/connector_2.12/3.5.8/connector_2.12-3.5.8.jar";

/// A diff without the lock, whose digests say nothing to a reader.
fn without_lock(diff: &str) -> String {
    let files = diff.split_inclusive("diff --git ").map(|part| part.trim_end_matches("diff --git "));
    let files = files.filter(|file| !file.is_empty() && !file.starts_with("a/docker/versions.lock"));
    files.map(|file| format!("diff --git {file}")).collect()
}

/// To write the golden file: UPDATE_GOLDEN=1 cargo test -p xtask --test versions
#[test]
fn the_dry_run_shows_what_is_written_and_writes_nothing() {
    let here = Versions::new();
    let dry = here.repository.ok(&["add-version", "3.5.8", "--dry-run"]);
    assert_eq!(here.status(), "");
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/add-version.diff");
    let diff = without_lock(&dry.stdout);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(golden, &diff).unwrap();
    }
    assert_eq!(diff, fs::read_to_string(golden).unwrap());
    assert!(dry.stdout.contains("+id = \"maven:org.example:connector_2.12:3.5.8\""), "{}", dry.stdout);
    // git makes of it what the command itself writes.
    here.repository.write("../change.diff", &dry.stdout);
    here.git(&["apply", "--index", "../change.diff"]);
    let applied = here.git(&["write-tree"]).stdout;
    here.git(&["reset", "-q", "--hard"]);
    here.repository.ok(&["add-version", "3.5.8"]);
    here.git(&["add", "-A"]);
    assert_eq!(here.git(&["write-tree"]).stdout, applied);
    fs::remove_file(here.repository.path("../change.diff")).unwrap();
}

#[test]
fn a_version_comes_is_locked_and_goes_without_a_trace() {
    let here = Versions::new();
    let add = here.repository.ok(&["add-version", "3.5.8"]);
    add.says("kafka            3.4.1            kafka.version in the POM of parent_2.12:3.5.8");
    add.says("asl              1.9.13           as Spark 3.5.7: hive.version in the POM of parent_2.12:3.5.8 is 2.3.9 for both");
    add.says("it was not supported: nobody tried");
    add.says("plugin: org.example:plugin_2.12:1 knows 3.5.8");
    add.says("see whether 3.5.8 belongs there too: README.md:12\n");
    here.repository.ok(&["lock", "--check"]);
    here.repository.ok(&["docs", "--check"]);
    let plan = here.repository.plan();
    assert!(
        plan.contains(&"custom:3.5.8: build".to_owned()) && plan.contains(&"runtime:3.5-3.5.8: build".to_owned()),
        "{plan:?}"
    );
    assert!(
        here.read("docker/versions.toml").contains("archive = \"spark-3.5.8.tgz\" # the archive of 3.5.8\nurls = []\n")
    );
    assert_eq!(here.read("docker/versions.toml").matches("plugin = {").count(), 1);
    let remove = here.repository.ok(&["remove-version", "3.5.8"]);
    remove.says("it stays as not supported: nobody tried");
    assert_eq!(here.status(), "");
    assert!(!here.repository.path("docker/wrapper-3.5.8").exists());
    assert!(!here.repository.path("target/spark-images/draft/tree").exists());
}

#[test]
fn what_others_changed_meanwhile_stays() {
    let here = Versions::new();
    here.repository.replace("docker/versions.toml", "# The end.", "# My own end.");
    here.repository.write("docker/custom/notes.txt", "mine");
    here.repository.ok(&["add-version", "3.5.8"]);
    here.repository.ok(&["remove-version", "3.5.8"]);
    assert_eq!(here.status(), " M docker/versions.toml\n?? docker/custom/notes.txt\n");
    let diff = here.git(&["diff", "-U0"]).stdout;
    assert!(diff.ends_with("-# The end.\n+# My own end.\n"), "{diff}");
}

#[test]
fn what_moved_upstream_is_taken_or_asked() {
    let here = Versions::new();
    // Kafka moved, and the table had what upstream had. Hive moved, and the table has something of its own.
    here.publish("3.5.8", &Upstream { kafka: "3.9.1", hive: "4.0.0", ..UNCHANGED });
    let add = here.repository.run(&["add-version", "3.5.8"]);
    assert_eq!(add.code, Some(3), "{}\n{}", add.stdout, add.stderr);
    add.says("kafka            3.9.1            kafka.version in the POM of parent_2.12:3.5.8; Spark 3.5.7 has 3.4.1");
    add.says("asl              ?");
    let line = here.read("docker/versions.toml").lines().position(|line| line.starts_with("asl = \"?")).unwrap() + 1;
    for command in [&["plan"][..], &["build-layers"], &["list"]] {
        let run = here.repository.run(command);
        assert_eq!(run.code, Some(1));
        run.says(&format!("docker/versions.toml:{line}:7"));
        run.says("which `asl` belongs to Spark 3.5.8 is an open question");
        run.says("went from 2.3.9 to 4.0.0, and Spark 3.5.7 has 1.9.13");
        run.says("1 problem");
    }
    // It is answered, and all goes on.
    let table = here.read("docker/versions.toml");
    let answered: Vec<&str> =
        table.lines().map(|line| if line.starts_with("asl = \"?") { "asl = \"2.0\"" } else { line }).collect();
    here.repository.write("docker/versions.toml", &(answered.join("\n") + "\n"));
    here.repository.ok(&["lock"]);
    here.repository.ok(&["docs"]);
    here.repository.ok(&["plan"]);
    here.repository.ok(&["remove-version", "3.5.8"]);
    assert_eq!(here.status(), "");
}

#[test]
fn a_version_with_open_questions_can_be_taken_out() {
    let here = Versions::new();
    let add = here.repository.run(&["add-version", "3.5.8", "--offline"]);
    assert_eq!(add.code, Some(3), "{}\n{}", add.stdout, add.stderr);
    add.says("which `kafka` belongs to Spark 3.5.8 is an open question");
    add.says("not looked up (offline); Spark 3.5.7 has 3.4.1");
    add.says("which shim of `plugin` Spark 3.5.8 takes is an open question");
    add.says("3 problems");
    here.repository.ok(&["remove-version", "3.5.8", "--offline"]);
    assert_eq!(here.status(), "");
}

#[test]
fn another_line_asks_what_its_neighbour_cannot_tell() {
    let here = Versions::new();
    here.index(&["3.5.7", "3.5.8", "3.5.9", "4.2.0"]);
    here.publish("4.2.0", &Upstream { scala: "2.13", ..UNCHANGED });
    let add = here.repository.run(&["add-version", "4.2.0"]);
    assert_eq!(add.code, Some(3), "{}\n{}", add.stdout, add.stderr);
    add.says(
        "scala            2.13             scala.binary.version in the POM of parent_2.13:4.2.0; Spark 3.5.7 has 2.12",
    );
    add.says("whether this is for Spark 4.2.0 is an open question");
    add.says("Spark 3.5.7 is of another line");
    add.says("docker/custom/image.toml:18:19");
    here.repository.ok(&["remove-version", "4.2.0"]);
    assert_eq!(here.status(), "");
}

#[test]
fn a_pom_that_no_registry_has_is_a_question_and_not_passed_over() {
    let here = Versions::new();
    here.repository.registry.files.remove("/maven/org/example/silent/3.5.8/silent-3.5.8.pom");
    let add = here.repository.run(&["add-version", "3.5.8", "--dry-run"]);
    assert_eq!(add.code, Some(3), "{}\n{}", add.stdout, add.stderr);
    add.says("no registry has the POM of silent:3.5.8; Spark 3.5.7 has 3.4.1");
    add.says("1 problem");
    assert_eq!(here.status(), "");
}

#[test]
fn a_plugin_without_a_shim_is_a_question() {
    let here = Versions::new();
    here.plugin(&["spark356/shim"]);
    here.repository.ok(&["lock", "--update", "org.example:plugin_2.12"]);
    here.git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "b"]);
    let add = here.repository.run(&["add-version", "3.5.8"]);
    assert_eq!(add.code, Some(3), "{}\n{}", add.stdout, add.stderr);
    add.says("which shim of `plugin` Spark 3.5.8 takes is an open question");
    add.says("org.example:plugin_2.12:1 does not know 3.5.8; it knows 356");
    here.repository.ok(&["remove-version", "3.5.8"]);
    assert_eq!(here.status(), "");
}

#[test]
fn a_plugin_and_its_spark_must_fit_or_the_table_says_what_to_do() {
    let here = Versions::new();
    let lock = here.read("docker/versions.lock");
    assert!(lock.contains("files = \"spark*/shim\"\nknown = [\n    \"356\",\n    \"358\",\n]\n"), "{lock}");
    let table = here.read("docker/versions.toml");
    let refused = |from: &str, to: &str, says: &str| {
        assert!(table.contains(from), "{from}");
        here.repository.write("docker/versions.toml", &table.replace(from, to));
        for command in ["plan", "build-layers", "lock"] {
            let run = here.repository.run(&[command]);
            assert_eq!(run.code, Some(1), "{}\n{}", run.stdout, run.stderr);
            run.says(says);
        }
    };
    let declared = "[spark.\"3.5.7\".shims]\nplugin = { take = \"356\", reason = \"the nearest\" }\n";
    refused(declared, "", "does not know Spark 3.5.7: it has shims for 356, 358, and none for 357");
    refused(
        "take = \"356\"",
        "take = \"359\"",
        "versions.toml:37: plugin is told to take shim 359 for Spark 3.5.7, and",
    );
    refused("plugin = {", "plugn = {", "no image has a plugin `plugn`");
    // A plugin that learns the version takes the entry's reason away.
    here.repository.write("docker/versions.toml", &table);
    here.plugin(&["spark356/shim", "spark357/shim"]);
    for args in [&["lock", "--update", "org.example:plugin_2.12"][..], &["lock", "--check"], &["lock"]] {
        let lock = here.repository.run(args);
        assert_eq!(lock.code, Some(1), "{}", lock.stdout);
        lock.says("has one for 357\ntake the entry out");
    }
    assert!(here.read("docker/versions.lock").contains("\"357\""));
    here.plugin(&["something/else"]);
    let update = here.repository.run(&["lock", "--update", "org.example:plugin_2.12"]);
    assert_eq!(update.code, Some(1), "{}", update.stdout);
    update.says("has no file `spark*/shim`, by which it would say which versions of Spark it knows");
}

#[test]
fn what_no_registry_has_is_blocked_or_substituted() {
    let here = Versions::new();
    here.repository.registry.files.remove(CONNECTOR);
    let add = here.repository.run(&["add-version", "3.5.8"]);
    assert_eq!(add.code, Some(3), "{}\n{}", add.stdout, add.stderr);
    add.says("absent   org.example:connector_2.12:3.5.8: none of the registries that were asked has it");
    add.says("to take what is absent in version 3.5.7: cargo xtask remove-version 3.5.8, and add it with --substitute");
    assert!(here.repository.plan().contains(&"custom:3.5.8: blocked".to_owned()));
    here.repository.ok(&["remove-version", "3.5.8"]);
    let add = here.repository.ok(&["add-version", "3.5.8", "--substitute"]);
    add.says("org.example:connector_2.12:3.5.8 is taken in version 3.5.7: no registry has it");
    assert!(here.repository.plan().contains(&"custom:3.5.8: build".to_owned()));
    let table = here.read("docker/versions.toml");
    assert!(
        table.contains("[[substitute]]\nartifact = \"org.example:connector_2.12:3.5.8\"\nversion = \"3.5.7\"\n"),
        "{table}"
    );
    here.repository.ok(&["docs", "--check"]);
    here.repository.ok(&["remove-version", "3.5.8"]);
    assert_eq!(here.status(), "");
}

#[test]
fn bad_versions_are_refused_and_nothing_is_written() {
    let here = Versions::new();
    let refused = |args: &[&str], words: &[&str]| {
        let run = here.repository.run(args);
        assert_eq!(run.code, Some(1), "{args:?}");
        words.iter().for_each(|words| run.says(words));
        assert_eq!(here.status(), "");
    };
    refused(&["add-version", "3.5"], &["`3.5` is no release of Spark: write it as `3.5.8`"]);
    refused(&["add-version", "3.5.8-SNAPSHOT"], &["cargo xtask build-custom --source-dir DIR"]);
    refused(&["add-version", "3.5.7"], &["stands in docker/versions.toml already", "cargo xtask remove-version 3.5.7"]);
    refused(
        &["add-version", "3.5.77"],
        &["no registry of this machine knows Spark 3.5.77", "releases of its line that are there: 3.5.7, 3.5.8"],
    );
    refused(&["add-version", "9.0.0"], &["no release of line 9.0 is there; the newest of all is 3.5.8"]);
    refused(
        &["add-version", "3.5.8", "--from", "4.0.0"],
        &["--from: Spark 4.0.0 does not stand in docker/versions.toml"],
    );
    refused(&["remove-version", "3.5.8"], &["Spark 3.5.8 is not supported: nobody tried"]);
    refused(&["remove-version", "3.5.7"], &["Spark 3.5.7 is the only version of docker/versions.toml"]);
    refused(
        &["add-version", "3.5.8", "--locked"],
        &["docker/versions.lock would change, and --locked (or CI=true) forbids it"],
    );
}

#[test]
fn a_registry_that_does_not_answer_leaves_all_as_it_was() {
    let here = Versions::new();
    let dead = "maven=http://127.0.0.1:1/maven pypi=http://127.0.0.1:1/simple";
    let mut command = here.repository.command(&["add-version", "3.5.8"]);
    let run = Run::of(&command.env("SPARK_IMAGES_REGISTRIES", dead).output().unwrap());
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    run.says("looking for the Python project pyspark");
    // What answers the look-ups and then fails the lock.
    here.repository
        .registry
        .files
        .put("/maven/org/example/parent_2.12/3.5.8/parent_2.12-3.5.8.pom", "<html>busy</html>");
    let run = here.repository.run(&["add-version", "3.5.8"]);
    assert_eq!(run.code, Some(1));
    run.says("reading the POM org.example:parent_2.12:3.5.8::pom: expected <project>, found <html>");
    assert_eq!(here.status(), "");
}

#[test]
fn ctrl_c_leaves_all_as_it_was() {
    let here = Versions::new();
    here.repository.registry.stalls.put(CONNECTOR, "connector");
    let child = here.repository.spawn(&["add-version", "3.5.8"]);
    let drafted = here.repository.path("target/spark-images/draft/tree/docker/wrapper-3.5.8/image.toml");
    let began = Instant::now();
    while !drafted.exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing was drafted");
        std::thread::sleep(Duration::from_millis(5));
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let run = Run::of(&child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(130), "{}\n{}", run.stdout, run.stderr);
    assert_eq!(here.status(), "");
    here.repository.registry.stalls.remove(CONNECTOR);
    here.repository.ok(&["add-version", "3.5.8"]);
    here.repository.ok(&["remove-version", "3.5.8"]);
    assert_eq!(here.status(), "");
}

#[test]
fn work_of_somebody_is_neither_replaced_nor_removed() {
    let here = Versions::new();
    here.repository.write("docker/custom/Dockerfile.3.5.8", "FROM mine\n");
    let add = here.repository.run(&["add-version", "3.5.8"]);
    assert_eq!(add.code, Some(1));
    add.says("are there already, with another content:\n  docker/custom/Dockerfile.3.5.8\n");
    assert_eq!(here.status(), "?? docker/custom/Dockerfile.3.5.8\n");
    here.repository.ok(&["add-version", "3.5.8", "--force"]);
    assert!(here.read("docker/custom/Dockerfile.3.5.8").starts_with("# Spark 3.5.8\n"));
    here.repository.write("docker/wrapper-3.5.8/README.md", "my words\n");
    let remove = here.repository.run(&["remove-version", "3.5.8"]);
    assert_eq!(remove.code, Some(1));
    remove.says(
        "neither git has them as they are nor would add-version write them so:\n  docker/wrapper-3.5.8/README.md\n",
    );
    assert_eq!(here.read("docker/wrapper-3.5.8/README.md"), "my words\n");
    here.repository.ok(&["remove-version", "3.5.8", "--force"]);
    assert_eq!(here.status(), "");
}

#[test]
fn a_version_that_was_there_before_goes_with_what_was_for_it_alone() {
    let here = Versions::new();
    here.repository.ok(&["add-version", "3.5.8"]);
    let image = here.read("docker/runtime/image.toml");
    let own = "\n[[stage]]\ninto = \"own/\"\nspark = [\"3.5.7\"]\nfolder = \"own-3.5.7\"\n";
    here.repository.write("docker/runtime/image.toml", &format!("{image}{own}"));
    here.repository.write("docker/runtime/own-3.5.7/own.conf", "a\n");
    here.git(&["add", "-A"]);
    here.git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "b"]);
    let remove = here.repository.ok(&["remove-version", "3.5.7", "--reason", "old"]);
    remove.says("removed  docker/runtime/own-3.5.7/own.conf");
    assert_eq!(here.read("docker/runtime/image.toml"), image);
    let custom = here.read("docker/custom/image.toml");
    assert!(custom.contains("spark = [\"3.5.8\"]      # and not later\n"), "{custom}");
    let table = here.read("docker/versions.toml");
    assert!(table.contains("\n[unsupported.\"3.5.7\"]\nreason = \"old\"\n\n# The end.\n"), "{table}");
    here.repository.ok(&["lock", "--check"]);
    here.repository.run(&["plan", "--spark", "3.5.7"]).says("Spark 3.5.7 is not supported: old");
}
