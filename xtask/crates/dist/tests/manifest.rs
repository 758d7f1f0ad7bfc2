//! Which artifact a jar is, and how two distributions differ.

mod common;

use std::{fs, os::unix};

use common::{How, PLAIN, file, folder, jar, jar_as};
use dist::{Manifest, Repository, compare};

const CORE: &[u8] =
    b"#Mon Nov 24 10:00:00 UTC 2025\nversion=3.5.7\ngroupId = org.apache.spark\nartifactId=spark-core_2.12\n";
const JETTY: &[u8] = b"artifactId=jetty-plus\ngroupId=org.eclipse.jetty\nversion=9.4.56\n";
const JLINE: &[u8] = b"artifactId=jline\ngroupId=jline\nversion=2.14.6\n";

#[test]
fn coordinates_come_from_the_repository_or_from_the_jar() {
    let (_dir, folder) = folder();
    let (dist, home) = (folder.join("dist"), folder.join("repository"));
    let core = "META-INF/maven/org.apache.spark/spark-core_2.12/pom.properties";
    let jetty = "META-INF/maven/org.eclipse.jetty/jetty-plus/pom.properties";
    let entries = [(jetty, JETTY), (core, CORE)];
    jar(&dist.join("jars/spark-core_2.12-3.5.7.jar"), &entries);
    jar(&dist.join("jars/spark-core_2.12-3.5.7-tests.jar"), &entries);
    jar(&dist.join("jars/scala-compiler-2.12.18.jar"), &[("META-INF/maven/jline/jline/pom.properties", JLINE)]);
    jar(&dist.join("jars/gcs-connector-hadoop3-2.2.14-shaded.jar"), &[("a", b"a")]);
    let gcs = "com/google/cloud/bigdataoss/gcs-connector/hadoop3-2.2.14/gcs-connector-hadoop3-2.2.14-shaded.jar";
    jar(&home.join(gcs), &[("a", b"a")]);
    jar(&dist.join("jars/xz-1.9.jar"), &[("a", b"a")]);
    jar(&home.join("org/tukaani/xz/1.9/xz-1.9.jar"), &[("a", b"b")]);

    let manifest = Manifest::of(&dist, Some(&Repository::open(&home).unwrap())).unwrap();
    let named: Vec<(&str, Option<String>)> = manifest
        .jars
        .iter()
        .map(|(path, jar)| (path.file_name().unwrap(), jar.coordinate.as_ref().map(ToString::to_string)))
        .collect();
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        (
            "gcs-connector-hadoop3-2.2.14-shaded.jar",
            some("com.google.cloud.bigdataoss:gcs-connector:hadoop3-2.2.14:shaded"),
        ),
        // What is in it is not what it is.
        ("scala-compiler-2.12.18.jar", None),
        ("spark-core_2.12-3.5.7-tests.jar", some("org.apache.spark:spark-core_2.12:3.5.7:tests")),
        ("spark-core_2.12-3.5.7.jar", some("org.apache.spark:spark-core_2.12:3.5.7")),
        // Another digest than the artifact's.
        ("xz-1.9.jar", None),
    ];
    assert_eq!(named, expected);

    let json = serde_json::to_string(&manifest).unwrap();
    assert!(json.starts_with("{\"jars/gcs-connector-hadoop3-2.2.14-shaded.jar\":{\"size\":"), "{json}");
    assert!(json.contains("\"coordinate\":\"org.apache.spark:spark-core_2.12:3.5.7\""), "{json}");
    assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), manifest);

    fs::write(dist.join("jars/broken.jar"), "PK").unwrap();
    let error = Manifest::of(&dist, None).expect_err("an error").to_string();
    assert!(error.ends_with("jars/broken.jar"), "{error}");
}

#[test]
fn differences_are_told_down_to_the_entry() {
    let (_dir, folder) = folder();
    let (a, b) = (folder.join("a"), folder.join("b"));
    for dist in [&a, &b] {
        file(&dist.join("RELEASE"), "Spark", 0o644);
        jar(&dist.join("jars/same.jar"), &[("x", b"x")]);
        unix::fs::symlink("RELEASE", dist.join("link")).unwrap();
    }
    assert_eq!(compare(&a, &b).unwrap(), []);
    file(&a.join("conf/one"), "", 0o644);
    file(&b.join("RELEASE"), "Spork", 0o644);
    file(&a.join("bin/run"), "", 0o755);
    file(&b.join("bin/run"), "", 0o644);
    jar(&a.join("jars/content.jar"), &[("1", b"1"), ("2", b"2"), ("3", b"3")]);
    jar(&b.join("jars/content.jar"), &[("1", b"1"), ("2", b"!"), ("4", b"4")]);
    jar(&a.join("jars/times.jar"), &[("1", b"1")]);
    jar_as(&b.join("jars/times.jar"), &[("1", b"1")], How { year: 2020, ..PLAIN });
    file(&a.join("jars/broken.jar"), "one", 0o644);
    file(&b.join("jars/broken.jar"), "two", 0o644);
    let found: Vec<String> = compare(&a, &b).unwrap().iter().map(ToString::to_string).collect();
    let expected = [
        "RELEASE: different bytes",
        "bin/run: an executable file in the first, a file in the second",
        "conf: only in the first",
        "conf/one: only in the first",
        "jars/broken.jar: different bytes",
        "jars/content.jar: different content: 2; only in the first: 3; only in the second: 4",
        "jars/times.jar: equal content in another order, or with other times, modes or compression",
    ];
    assert_eq!(found, expected);
    let back: Vec<String> = compare(&b, &a).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(back[2], "conf: only in the second");
}
