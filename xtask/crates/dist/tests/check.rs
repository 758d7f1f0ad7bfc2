//! A distribution that is as it should be, and each check broken once.

mod common;

use std::{fs, os::unix};

use camino::Utf8Path;
use common::{class, file, folder};
use dist::{Expect, check};

fn expect() -> Expect {
    Expect {
        spark: "4.1.0".to_owned(),
        pyspark: "4.1.0.dev0".into(),
        scala: "2.13".to_owned(),
        hadoop: "3.4.2".to_owned(),
        aws_sdk: "2.29.52".to_owned(),
        kafka_clients: "3.9.1".to_owned(),
        commons_pool2: "2.12.1".to_owned(),
        py4j: "0.10.9.9".to_owned(),
        connect: true,
        hive_jackson: Some("1.9.13".to_owned()),
    }
}

/// A small distribution with all that is asked for.
fn good(dist: &Utf8Path) {
    for module in ["core", "sql", "hadoop-cloud", "hive", "hive-thriftserver", "kubernetes", "connect"] {
        class(&dist.join(format!("jars/spark-{module}_2.13-4.1.0.jar")), "org/apache/spark/A.class");
    }
    for name in [
        "jars/spark-sql-kafka-0-10_2.13-4.1.0",
        "jars/spark-token-provider-kafka-0-10_2.13-4.1.0",
        "jars/connect-repl/spark-connect-client-jvm_2.13-4.1.0",
        "jars/hadoop-client-api-3.4.2",
        "jars/hadoop-client-runtime-3.4.2",
        "jars/hadoop-aws-3.4.2",
        "jars/hadoop-yarn-server-web-proxy-3.4.2",
        "jars/hadoop-shaded-guava-1.4.0",
        "jars/hadoop-shaded-protobuf_3_25-1.4.0",
        "jars/bundle-2.29.52",
        "jars/kafka-clients-3.9.1",
        "jars/commons-pool2-2.12.1",
        "jars/hive-exec-2.3.10-core",
        "jars/hive-metastore-2.3.10",
        "jars/kubernetes-client-7.4.0",
        "jars/scala-library-2.13.17",
        "jars/chill_2.13-0.10.0",
        "hive-jackson/jackson-core-asl-1.9.13",
        "hive-jackson/jackson-mapper-asl-1.9.13",
        "yarn/spark-4.1.0-yarn-shuffle",
        "examples/jars/spark-examples_2.13-4.1.0",
    ] {
        class(&dist.join(format!("{name}.jar")), "example/A.class");
    }
    for script in ["bin/pyspark", "bin/spark-class", "bin/spark-shell", "bin/spark-submit", "sbin/spark-daemon.sh"] {
        file(&dist.join(script), "#!/bin/sh\n", 0o755);
    }
    for text in
        ["bin/load-spark-env.sh", "sbin/spark-config.sh", "bin/pyspark.cmd", "conf/a.template", "data/a", "licenses/a"]
    {
        file(&dist.join(text), "#!/bin/sh\n", 0o644);
    }
    file(
        &dist.join("RELEASE"),
        "Spark 4.1.0 (git revision e221b56) built for Hadoop 3.4.2\nBuild flags: -Phive\n",
        0o644,
    );
    file(&dist.join("python/pyspark/version.py"), "# x\n__version__: str = \"4.1.0.dev0\"\n", 0o644);
    for zip in ["py4j-0.10.9.9-src.zip", "pyspark.zip"] {
        class(&dist.join("python/lib").join(zip), "a.py");
    }
}

fn problems(dist: &Utf8Path) -> Vec<String> {
    check(dist, &expect()).expect("a readable folder").iter().map(ToString::to_string).collect()
}

/// What is found after `damage` was done to a good one.
fn found(damage: impl FnOnce(&Utf8Path)) -> Vec<String> {
    let (_dir, dist) = folder();
    good(&dist);
    damage(&dist);
    problems(&dist)
}

fn renamed(from: &str, to: &str) -> Vec<String> {
    found(|dist| fs::rename(dist.join(from), dist.join(to)).expect("renamed"))
}

fn added(jar: &str) -> Vec<String> {
    found(|dist| class(&dist.join(jar), "example/A.class"))
}

#[test]
fn nothing_is_wrong_with_a_good_one() {
    assert_eq!(found(|_| {}), Vec::<String>::new());
}

#[test]
fn release_names_both_versions() {
    let release = |text: &'static str| found(|dist| file(&dist.join("RELEASE"), text, 0o644));
    let expected = "RELEASE: expected `Spark 4.1.0 built for Hadoop 3.4.2`, found ";
    for line in ["Spark 4.1.1 built for Hadoop 3.4.2", "Spark 4.1.0 built for Hadoop 3.4.1", ""] {
        assert_eq!(release(line), [format!("{expected}`{line}`")]);
    }
    assert_eq!(release("Spark 4.1.0 built for Hadoop 3.4.2\n"), Vec::<String>::new());
    assert_eq!(found(|dist| fs::remove_file(dist.join("RELEASE")).unwrap()), [format!("{expected}no such file")]);
}

#[test]
fn sparks_modules_are_there_in_one_version() {
    let missing = found(|dist| fs::remove_file(dist.join("jars/spark-connect_2.13-4.1.0.jar")).unwrap());
    assert_eq!(missing, ["jars/spark-connect_2.13-4.1.0.jar: expected this jar, found none"]);
    let other = renamed("jars/spark-core_2.13-4.1.0.jar", "jars/spark-core_2.13-4.1.1.jar");
    assert_eq!(
        other,
        [
            "jars/spark-core_2.13-4.1.0.jar: expected this jar, found none",
            "jars/spark-core_2.13-4.1.1.jar: expected a name that ends in _2.13-4.1.0.jar, found spark-core_2.13-4.1.1.jar",
        ]
    );
    let hive = found(|dist| fs::remove_file(dist.join("jars/hive-exec-2.3.10-core.jar")).unwrap());
    assert_eq!(hive, ["jars/hive-exec-*.jar: expected this jar, found none"]);
}

#[test]
fn no_other_scala() {
    assert_eq!(
        added("jars/json4s-ast_2.12-4.0.7.jar"),
        ["jars/json4s-ast_2.12-4.0.7.jar: expected Scala 2.13, found Scala 2.12"]
    );
    let library = renamed("jars/scala-library-2.13.17.jar", "jars/scala-library-2.12.18.jar");
    assert_eq!(library, ["jars/scala-library-2.12.18.jar: expected Scala 2.13, found Scala 2.12"]);
}

#[test]
fn versions_are_those_of_the_table() {
    for (name, right, wrong) in [
        ("hadoop-client-api", "3.4.2", "3.3.4"),
        ("hadoop-aws", "3.4.2", "3.4.1"),
        ("bundle", "2.29.52", "2.30.0"),
        ("kafka-clients", "3.9.1", "3.4.1"),
        ("commons-pool2", "2.12.1", "2.11.1"),
    ] {
        let found = renamed(&format!("jars/{name}-{right}.jar"), &format!("jars/{name}-{wrong}.jar"));
        assert_eq!(
            found,
            [format!("jars: expected {name}-{right}.jar and no other version, found {name}-{wrong}.jar")]
        );
        let two = added(&format!("jars/{name}-{wrong}.jar"));
        let both = if right < wrong { [right, wrong] } else { [wrong, right] };
        let both = both.map(|version| format!("{name}-{version}.jar")).join(", ");
        assert_eq!(two, [format!("jars: expected {name}-{right}.jar and no other version, found {both}")]);
    }
    let proxy = renamed("jars/hadoop-yarn-server-web-proxy-3.4.2.jar", "jars/hadoop-yarn-server-web-proxy-3.3.4.jar");
    assert_eq!(proxy, ["jars/hadoop-yarn-server-web-proxy-3.3.4.jar: expected version 3.4.2, found 3.3.4"]);
    let jackson = found(|dist| fs::remove_dir_all(dist.join("hive-jackson")).unwrap());
    assert_eq!(jackson.len(), 2, "{jackson:?}");
    let py4j = renamed("python/lib/py4j-0.10.9.9-src.zip", "python/lib/py4j-0.10.9.7-src.zip");
    assert_eq!(py4j, ["python/lib: expected py4j-0.10.9.9-src.zip and no other version, found py4j-0.10.9.7-src.zip"]);
    let python = found(|dist| file(&dist.join("python/pyspark/version.py"), "__version__ = '4.1.1'", 0o644));
    assert_eq!(python, ["python/pyspark/version.py: expected 4.1.0.dev0, found 4.1.1"]);
}

#[test]
fn jars_that_are_kept_out_are_found() {
    for name in ["aws-java-sdk-bundle-1.12.262", "hadoop-huaweicloud-3.4.2", "esdk-obs-java-3.20.4.2"] {
        assert_eq!(
            added(&format!("jars/{name}.jar")),
            [format!("jars/{name}.jar: expected no such jar, found {name}.jar")]
        );
    }
    let v1 = found(|dist| class(&dist.join("jars/shaded-1.jar"), "com/amazonaws/auth/AWSCredentials.class"));
    let expected = "jars/shaded-1.jar: expected no class of AWS SDK v1 (com.amazonaws), found com/amazonaws/auth/AWSCredentials.class";
    assert_eq!(v1, [expected]);
    assert_eq!(
        found(|dist| class(&dist.join("jars/shaded-1.jar"), "shaded/com/amazonaws/A.class")),
        Vec::<String>::new()
    );
}

#[test]
fn damaged_jars_are_problems_among_others() {
    let cut = |dist: &Utf8Path| {
        let path = dist.join("jars/chill_2.13-0.10.0.jar");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
        fs::remove_file(dist.join("RELEASE")).unwrap();
    };
    let found = found(cut);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[1].starts_with("jars/chill_2.13-0.10.0.jar: expected a jar, found "), "{found:?}");
}

#[test]
fn kinds_modes_and_links_are_looked_at() {
    let script = found(|dist| file(&dist.join("bin/spark-sql"), "#!/bin/sh\n", 0o644));
    assert_eq!(script, ["bin/spark-sql: expected an executable file, found a file without the executable bits of all"]);
    let entry = found(|dist| file(&dist.join("kubernetes/dockerfiles/spark/entrypoint.sh"), "#!/bin/sh\n", 0o744));
    assert_eq!(entry.len(), 1, "{entry:?}");
    let gone = found(|dist| fs::remove_file(dist.join("bin/spark-submit")).unwrap());
    assert_eq!(gone, ["bin/spark-submit: expected an executable file, found none"]);
    let link = |target: &'static str| found(|dist| unix::fs::symlink(target, dist.join("conf/other")).unwrap());
    for target in ["a.template", "gone", "/"] {
        assert_eq!(link(target), [format!("conf/other: expected a file or a folder, found a link to {target}")]);
    }
    let no_folder = found(|dist| {
        fs::remove_dir_all(dist.join("data")).unwrap();
        file(&dist.join("data"), "", 0o644);
    });
    assert_eq!(no_folder, ["data: expected a folder, found something else"]);
    let socket = found(|dist| drop(unix::net::UnixListener::bind(dist.join("conf/socket")).unwrap()));
    assert_eq!(socket, ["conf/socket: expected a file or a folder, found a device, socket or pipe"]);
    assert!(check(Utf8Path::new("/nowhere"), &expect()).is_err());
}
