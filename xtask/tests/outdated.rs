//! `outdated` on a small repository: what may be taken, what is held and why, what nobody can say.

mod support;

use std::io::Write as _;

use serde_json::Value;
use support::{Repository, Run};

/// A repository with a set of two Python packages, of which one needs the other, locked.
fn repository() -> Repository {
    let repository = Repository::new();
    repository.replace(
        "docker/versions.toml",
        "library = \"1.0\"",
        "library = \"1.0\"\nalpha = \"1.0\"\nbeta = \"1.0\"",
    );
    let image = std::fs::read_to_string(repository.path("docker/custom/image.toml")).unwrap();
    let stage = "[[stage]]\ninto = \"python/\"\npython = [\"alpha=={alpha}\", \"beta=={beta}\"]\n";
    repository.write("docker/custom/image.toml", &format!("{image}{stage}"));
    let dockerfile = std::fs::read_to_string(repository.path("docker/custom/Dockerfile")).unwrap();
    repository.write("docker/custom/Dockerfile", &format!("{dockerfile}COPY python/ /usr/local/\n"));
    offer(&repository, "alpha", &[("1.0", "beta>=1", "gamma"), ("2.0", "beta>=1,<3", "gamma"), ("3.0rc1", "", "")]);
    offer(&repository, "beta", &[("1.0", "", ""), ("2.0", "", ""), ("3.0", "", "")]);
    offer(&repository, "gamma", &[("1.0", "", "")]);
    repository.ok(&["lock"]);
    repository
}

/// Puts the releases of a project on the index: version, and what each needs.
fn offer(repository: &Repository, name: &str, releases: &[(&str, &str, &str)]) {
    let mut page = String::new();
    for (version, first, second) in releases {
        let file = format!("{name}-{version}-py3-none-any.whl");
        let needs = [first, second].into_iter().filter(|need| !need.is_empty());
        let needs: String = needs.map(|need| format!("Requires-Dist: {need}\n")).collect();
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}");
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let info = format!("{name}-{version}.dist-info");
        let wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned();
        for (path, text) in [("METADATA", metadata), ("WHEEL", wheel), ("RECORD", String::new())] {
            zip.start_file(format!("{info}/{path}"), zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        repository.registry.files.put(&format!("/files/{file}"), zip.finish().unwrap().into_inner());
        page.push_str(&format!("<a href=\"../../files/{file}\">{file}</a>\n"));
    }
    repository.registry.files.put(&format!("/simple/{name}/"), page);
}

fn metadata(repository: &Repository, versions: &[&str]) {
    let list: String = versions.iter().map(|version| format!("<version>{version}</version>")).collect();
    let text = format!("<metadata><versioning><versions>{list}</versions></versioning></metadata>");
    repository.registry.files.put("/maven/org/example/library/maven-metadata.xml", text);
}

fn outdated(repository: &Repository, args: &[&str]) -> Run {
    let mut command = repository.command(&["outdated"]);
    // Without this the archives of this machine would be asked.
    Run::of(&command.args(args).env("SPARK_IMAGES_DEBIAN", repository.registry.url("/debian")).output().unwrap())
}

/// The row of a name.
fn row(repository: &Repository, name: &str) -> Value {
    let run = outdated(repository, &["--json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}\n{}", run.stdout, run.stderr));
    assert_eq!(report["format"], 1);
    let rows = report["versions"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {report:#}")).clone()
}

#[test]
fn a_newer_artifact_is_shown_with_the_line_that_takes_it() {
    let repository = repository();
    metadata(&repository, &["0.9", "1.0", "1.1", "1.2-rc1", "1.10", "1.10.jre6"]);
    let run = outdated(&repository, &["library"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run.says("docker/versions.toml:7: library = \"1.10\", then cargo xtask lock");
    let library = row(&repository, "library");
    assert_eq!((&library["state"], &library["newest"]), (&"newer".into(), &"1.10".into()));
    assert_eq!(library["of"][0], "org.example:library");
    assert_eq!(outdated(&repository, &["org.example:library"]).stdout, run.stdout);
    metadata(&repository, &["0.9", "1.0"]);
    assert_eq!(row(&repository, "library")["state"], "current");
}

#[test]
fn what_the_table_holds_is_shown_with_its_reason() {
    let repository = repository();
    metadata(&repository, &["1.0", "1.1", "2.0.0", "2.1"]);
    let table = std::fs::read_to_string(repository.path("docker/versions.toml")).unwrap();
    let held = |entry: &str| repository.write("docker/versions.toml", &format!("{table}[held]\n{entry}\n"));
    held("library = { reason = \"the pom of Spark has it\" }");
    let library = row(&repository, "library");
    assert_eq!((&library["state"], &library["why"]), (&"held".into(), &"the pom of Spark has it".into()));
    outdated(&repository, &["library"]).says("library (3.5.7) 1.0, 2.1 is there\n    the pom of Spark has it\n");
    held(
        "library = { below = \"2.0\", reason = \"2 is another library\" }\nbeta = { below = \"2\", reason = \"alpha was not tried with it\" }",
    );
    let library = row(&repository, "library");
    assert_eq!(
        (&library["takes"], &library["newest"], &library["why"]),
        (&"1.1".into(), &"2.1".into(), &"2 is another library".into())
    );
    let beta = row(&repository, "beta");
    assert_eq!((&beta["state"], &beta["why"]), (&"held".into(), &"alpha was not tried with it".into()));
    // A hold is checked as all of the table is, and makes no lock stale.
    repository.ok(&["lock", "--check"]);
    for (entry, words) in [
        ("libary = { reason = \"x\" }", "did you mean `library`?"),
        ("library = { below = \"1.0\", reason = \"x\" }", "`library` is held below 1.0, and is 1.0"),
        ("library = { below = \"2\" }", "`reason` is missing"),
        ("library = { reason = \"x\", above = \"1\" }", "unknown key `above`"),
    ] {
        held(entry);
        let run = outdated(&repository, &[]);
        assert_eq!(run.code, Some(1));
        run.says(words);
    }
}

#[test]
fn what_the_other_requirements_of_a_set_refuse_is_held_with_the_fact() {
    let repository = repository();
    metadata(&repository, &["1.0"]);
    let alpha = row(&repository, "alpha");
    assert_eq!((&alpha["state"], &alpha["takes"]), (&"newer".into(), &"2.0".into()), "{alpha:#}");
    // alpha 1.0 takes every beta; alpha 2.0 none from 3 on.
    assert_eq!(row(&repository, "beta")["takes"], "3.0");
    repository.replace("docker/versions.toml", "alpha = \"1.0\"", "alpha = \"2.0\"");
    repository.ok(&["lock"]);
    let beta = row(&repository, "beta");
    assert_eq!((&beta["takes"], &beta["newest"]), (&"2.0".into(), &"3.0".into()), "{beta:#}");
    assert!(beta["why"].as_str().unwrap().contains("alpha 2.0 needs beta>=1,<3"), "{beta:#}");
}

#[test]
fn what_no_table_pins_is_taken_by_a_lock() {
    let repository = repository();
    metadata(&repository, &["1.0"]);
    offer(&repository, "gamma", &[("1.0", "", ""), ("1.1", "", "")]);
    let gamma = row(&repository, "gamma");
    assert_eq!((&gamma["takes"], &gamma["take"]), (&"1.1".into(), &"cargo xtask lock --update gamma".into()));
    let before = std::fs::read_to_string(repository.path("docker/versions.lock")).unwrap();
    outdated(&repository, &["gamma"]).says("cargo xtask lock --update gamma");
    assert_eq!(std::fs::read_to_string(repository.path("docker/versions.lock")).unwrap(), before);
    repository.ok(&["lock", "--update", "gamma"]).says("moved    pypi:gamma==1.0");
    let run = outdated(&repository, &["gamma"]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
}

#[test]
fn a_new_patch_release_of_spark_is_shown_with_what_the_table_says_of_it() {
    let repository = repository();
    metadata(&repository, &["1.0"]);
    let page = |versions: &[&str]| {
        let link =
            |version: &&str| format!("<a href=\"../../files/pyspark-{version}.tar.gz\">pyspark-{version}.tar.gz</a>\n");
        repository.registry.files.put("/simple/pyspark/", versions.iter().map(link).collect::<String>());
    };
    page(&["3.5.7", "3.5.8", "4.1.0"]);
    let spark = row(&repository, "spark 3.5");
    assert_eq!((&spark["state"], &spark["why"]), (&"held".into(), &"nobody tried".into()));
    page(&["3.5.7", "3.5.8", "3.5.9"]);
    let spark = row(&repository, "spark 3.5");
    assert_eq!((&spark["takes"], &spark["take"]), (&"3.5.9".into(), &"cargo xtask add-version 3.5.9".into()));
}

#[test]
fn what_a_registry_cannot_say_is_said_and_fails_nothing() {
    let repository = repository();
    let run = outdated(&repository, &[]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    run.says("not known");
    run.says("has no metadata of org.example:library");
    run.says("alpha");
    repository.registry.files.put("/maven/org/example/library/maven-metadata.xml", "please log in");
    outdated(&repository, &["library"]).says("expected the metadata of org.example:library");
    let mut command = repository.command(&["outdated", "library"]);
    let run = Run::of(&command.env("SPARK_IMAGES_REGISTRIES", "maven=http://127.0.0.1:9/m").output().unwrap());
    assert_eq!(run.code, Some(3), "{}", run.stderr);
}

#[test]
fn offline_nobody_can_say() {
    let repository = repository();
    let run = outdated(&repository, &["--offline"]);
    assert_eq!(run.code, Some(1));
    run.says("only the registries know what is newer than the lock");
    outdated(&repository, &["nothing"]).says("is called nothing");
}
