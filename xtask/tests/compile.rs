//! Origin `source` as far as it goes without a compile: what is refused, what is blocked, what is looked for again.
//! `ci/compile.py` compiles.

mod support;

use std::{fs, io::Write as _};

use support::Repository;

/// A repository whose Spark has a source archive in the registry's folder `apache/`.
fn repository() -> Repository {
    let repository = Repository::new();
    let url = repository.registry.url("/apache/spark-3.5.7.tgz");
    repository.replace(
        "docker/versions.toml",
        "[unsupported.",
        &format!("[spark.\"3.5.7\".source]\narchive = \"spark-3.5.7.tgz\"\nurls = [\"{url}\"]\nprofiles = [\"x\"]\n[unsupported."),
    );
    let builder = "name = \"builder\"\nabout = \"a\"\nper = \"spark\"\ntags = [\"{spark}\"]\n[[stage]]\ninto = \"a/\"\ntexts = { a = \"a\" }\n";
    repository.write("docker/builder/image.toml", builder);
    repository.write("docker/builder/Dockerfile", "FROM scratch\nCOPY a/ /\n");
    repository.write("docker/spark-custom/compile.sh", "#!/bin/sh\n");
    repository.ok(&["lock"]);
    repository
}

#[test]
fn an_archive_that_cannot_be_had_blocks_origin_source_alone_and_is_looked_for_again() {
    let repository = repository();
    let lock = fs::read_to_string(repository.path("docker/versions.lock")).unwrap();
    assert!(lock.contains("could not be had from http://"), "{lock}");
    repository.ok(&["build-layers"]);
    let run = repository.run(&["build-layers", "--origin", "source"]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    run.says("looking for archive:spark-3.5.7.tgz, which the lock calls unresolved");
    run.says("a tree of your own is compiled with --source-dir DIR, and --origin release compiles nothing");
    // It is there by now: then it is locked, and the next thing is missed.
    repository.registry.files.put("/apache/spark-3.5.7.tgz", archive());
    let run = repository.run(&["build-custom", "3.5.7"]);
    run.says("expected a Spark source tree");
    let lock = fs::read_to_string(repository.path("docker/versions.lock")).unwrap();
    assert!(lock.contains("id = \"archive:spark-3.5.7.tgz\""), "{lock}");
}

#[test]
fn an_archive_is_compared_with_what_the_table_and_the_place_beside_it_say() {
    let repository = repository();
    repository.registry.files.put("/apache/spark-3.5.7.tgz", archive());
    repository.registry.files.put("/apache/spark-3.5.7.tgz.sha512", "0".repeat(128));
    let run = repository.run(&["lock", "--update", "unresolved"]);
    run.says("0000");
    let lock = fs::read_to_string(repository.path("docker/versions.lock")).unwrap();
    assert!(!lock.contains("id = \"archive:spark-3.5.7.tgz\""), "{lock}");
    repository.registry.files.remove("/apache/spark-3.5.7.tgz.sha512");
    // With keys in the repository a signature that is there must be a good one.
    repository.registry.files.put("/apache/spark-3.5.7.tgz.asc", "-----BEGIN PGP SIGNATURE-----\n\nnone\n");
    let key = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docker/base/keys/debian-archive-bookworm-stable.asc"
    ));
    repository.write("docker/spark-custom/KEYS", &key.unwrap());
    let run = repository.run(&["lock", "--update", "unresolved"]);
    assert_eq!(run.code, Some(1));
    run.says("the signature of spark-3.5.7.tgz is not one that docker/spark-custom/KEYS knows");
    repository.registry.files.remove("/apache/spark-3.5.7.tgz.asc");
    repository.run(&["lock", "--update", "unresolved"]).says("no signature lies beside spark-3.5.7.tgz");
    fs::remove_file(repository.path("docker/spark-custom/KEYS")).unwrap();
    repository.ok(&["lock", "--update", "unresolved"]);
}

#[test]
fn an_origin_that_contradicts_itself_is_refused() {
    let repository = repository();
    let error = |args: &[&str], ci: bool, words: &str| {
        let mut command = repository.command(args);
        if ci {
            command.env("CI", "true");
        }
        let run = support::Run::of(&command.output().unwrap());
        assert_eq!(run.code, Some(1), "{args:?}\n{}", run.stderr);
        run.says(words);
    };
    error(&["build-layers", "--origin", "auto"], true, "--origin auto is refused where CI=true");
    let folder = repository.path("tree");
    let tree = folder.to_str().unwrap();
    error(&["--source-dir", tree, "plan"], false, "tree");
    repository.write("tree/setup.py", "");
    fs::create_dir(repository.path("tree/pyspark")).unwrap();
    error(&["--source-dir", tree, "plan"], false, "a Python source distribution, which is compiled already");
    write_tree(&repository, "2.4.8", "2.12");
    error(
        &["--source-dir", tree, "plan"],
        false,
        "is Spark 2.4.8, and docker/versions.toml has no version of its line; it has 3.5",
    );
    write_tree(&repository, "3.5.9", "2.13");
    error(&["--source-dir", tree, "plan"], false, "is built for Scala 2.13, and docker/versions.toml says 2.12");
    write_tree(&repository, "3.5.9", "2.12");
    error(&["--source-dir", tree, "build-layers", "--origin", "release"], false, "--origin release compiles nothing");
}

#[test]
fn auto_takes_what_is_there_and_says_so() {
    let repository = repository();
    repository.ok(&["build-layers", "--origin", "auto"]).says("Spark 3.5.7: origin release");
}

fn write_tree(repository: &Repository, version: &str, scala: &str) {
    let property = |name: &str, value: &str| format!("<{name}>{value}</{name}>");
    let properties: String = [
        ("scala.version", format!("{scala}.1").as_str()),
        ("scala.binary.version", scala),
        ("hadoop.version", "3.3.4"),
        ("maven.version", "3.9.6"),
        ("java.version", "17"),
        ("kafka.version", "3.4.1"),
        ("commons-pool2.version", "2.11.1"),
    ]
    .map(|(name, value)| property(name, value))
    .concat();
    let pom = format!(
        "<project><artifactId>spark-parent_{scala}</artifactId><version>{version}</version><properties>{properties}</properties></project>"
    );
    repository.write("tree/pom.xml", &pom);
    repository.write("tree/dev/make-distribution.sh", "#!/bin/sh\n");
    repository.write("tree/python/pyspark/version.py", &format!("__version__: str = \"{version}\"\n"));
    repository.write("tree/python/lib/py4j-0.10.9.7-src.zip", "zip");
}

/// An archive with nothing in it but a folder and a file.
fn archive() -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o644);
    tar.append_data(&mut header, "spark-3.5.7/pom.xml", b"text".as_slice()).unwrap();
    gzip.write_all(&tar.into_inner().unwrap()).unwrap();
    gzip.finish().unwrap()
}
