//! The jars: their versions by their names, and what must not be in them.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use catalog::jar_name;

use super::Checked;
use crate::{Error, jar::Archive, parallel, tree};

/// Modules of Spark that this product promises, beside those that every Spark has.
const MODULES: &[&str] = &[
    "core",
    "sql",
    "hadoop-cloud",
    "hive",
    "hive-thriftserver",
    "kubernetes",
    "sql-kafka-0-10",
    "token-provider-kafka-0-10",
];

/// Jars of others without which those modules do nothing.
const OTHERS: &[&str] = &["hive-exec", "hive-metastore", "kubernetes-client", "scala-library"];

/// Jars of Hadoop's third-party project, which has versions of its own.
const HADOOP_THIRDPARTY: &str = "hadoop-shaded-";

pub(super) fn check(checked: &mut Checked<'_>) -> Result<(), Error> {
    let expect = checked.expect.clone();
    spark(checked);
    hadoop(checked);
    checked.exactly("jars", "bundle-", &expect.aws_sdk, ".jar");
    checked.exactly("jars", "kafka-clients-", &expect.kafka_clients, ".jar");
    checked.exactly("jars", "commons-pool2-", &expect.commons_pool2, ".jar");
    if let Some(version) = &expect.hive_jackson {
        checked.exactly("hive-jackson", "jackson-core-asl-", version, ".jar");
        checked.exactly("hive-jackson", "jackson-mapper-asl-", version, ".jar");
    }
    unwanted(checked);
    directories(checked)
}

/// Spark's modules are there, in one version, and nothing is of another Scala.
fn spark(checked: &mut Checked<'_>) {
    let (scala, suffix) =
        (checked.expect.scala.clone(), format!("_{}-{}.jar", checked.expect.scala, checked.expect.spark));
    let there: BTreeSet<String> = checked.files_in("jars").into_iter().collect();
    let connect = checked.expect.connect.then_some("connect");
    for module in MODULES.iter().copied().chain(connect) {
        let file = format!("spark-{module}{suffix}");
        if !there.contains(&file) {
            checked.problem(format!("jars/{file}"), "this jar", "none");
        }
    }
    for name in OTHERS {
        let is = |file: &String| jar_name::split(file).is_some_and(|(found, _)| found == *name);
        if !there.iter().any(is) {
            checked.problem(format!("jars/{name}-*.jar"), "this jar", "none");
        }
    }
    for (path, file) in jars(checked) {
        // The shuffle service for YARN is a jar of its own kind: spark-3.5.7-yarn-shuffle.jar.
        if file.starts_with("spark-") && !file.ends_with(&suffix) && !path.starts_with("yarn") {
            checked.problem(path.clone(), format!("a name that ends in {suffix}"), file.clone());
        }
        let library = file.strip_prefix("scala-library-").and_then(|rest| rest.strip_suffix(".jar"));
        let found =
            jar_name::scala(&file).or(library.and_then(|version| version.rsplit_once('.')).map(|(minor, _)| minor));
        if let Some(found) = found.filter(|found| *found != scala) {
            checked.problem(path, format!("Scala {scala}"), format!("Scala {found}"));
        }
    }
}

/// Everything of Hadoop is of the table's version.
fn hadoop(checked: &mut Checked<'_>) {
    let version = checked.expect.hadoop.clone();
    let needed = ["hadoop-client-api", "hadoop-client-runtime", "hadoop-aws"];
    for name in needed {
        checked.exactly("jars", &format!("{name}-"), &version, ".jar");
    }
    for (path, file) in jars(checked) {
        let Some((name, found)) = jar_name::split(&file) else { continue };
        let known = needed.contains(&name) && path.starts_with("jars");
        if name.starts_with("hadoop-") && !name.starts_with(HADOOP_THIRDPARTY) && !known && found != version {
            checked.problem(path, format!("version {version}"), found);
        }
    }
}

/// Jars that this product keeps out: AWS SDK v1, and Huawei's connector that Spark's hadoop-cloud drags in (SPARK-53590).
fn unwanted(checked: &mut Checked<'_>) {
    for (path, file) in jars(checked) {
        if ["aws-java-sdk", "hadoop-huaweicloud", "esdk-obs"].iter().any(|start| file.starts_with(start)) {
            checked.problem(path, "no such jar", file);
        }
    }
}

/// Reads the directory of every jar: it is one, and has no class of AWS SDK v1 in it.
fn directories(checked: &mut Checked<'_>) -> Result<(), Error> {
    let paths: Vec<Utf8PathBuf> = jars(checked).into_iter().map(|(path, _)| path).collect();
    let folder = checked.folder;
    let found = parallel::map(&paths, |path| match Archive::open(&folder.join(path)) {
        Ok(archive) => {
            let class = archive.names().find(|name| name.starts_with(b"com/amazonaws/") && name.ends_with(b".class"));
            Ok(class.map(|name| ("no class of AWS SDK v1 (com.amazonaws)", String::from_utf8_lossy(name).into_owned())))
        }
        Err(Error::Jar { source, .. }) => Ok(Some(("a jar", source.to_string()))),
        Err(other) => Err(other),
    })?;
    for (path, found) in paths.into_iter().zip(found) {
        if let Some((expected, found)) = found {
            checked.problem(path, expected, found);
        }
    }
    Ok(())
}

/// All jars of the distribution: path and file name.
fn jars(checked: &Checked<'_>) -> Vec<(Utf8PathBuf, String)> {
    let jars = tree::jars(&checked.entries);
    jars.into_iter().map(|(path, _)| (path.to_owned(), path.file_name().unwrap_or_default().to_owned())).collect()
}
