//! What is fetched, by the coordinates in addresses and commands; and jars that lie in the tree.

use blob::Digest;
use catalog::jar_name;

use super::{Subject, TreeExpect, at, lines::Script};
use crate::{
    expect::Spark,
    finding::{Finding, Rule},
    jar::Jar,
};

/// Where AWS SDK v2 comes from, as it is written in addresses.
const SDK: &str = "software/amazon/awssdk/bundle/";
/// What holds a second one, under no other name.
const SECOND: &str = "org/apache/iceberg/iceberg-aws-bundle/";

/// The Spark version that a file is about: what SPARK_VERSION says, the image that it stands on, or its name.
pub(super) fn spark_of<'e>(path: &str, script: &Script, expect: &'e TreeExpect) -> Option<&'e Spark> {
    let value = script.values.get("SPARK_VERSION").map(|value| script.expand(value));
    let from =
        script.commands.iter().filter(|command| command.instruction == "FROM").map(|command| command.text.clone());
    let texts: Vec<String> =
        value.into_iter().chain(from.filter(|from| from.contains("spark"))).chain([path.to_owned()]).collect();
    let exact = |text: &String| expect.sparks.iter().find(|spark| holds(text, &spark.version));
    let of_line = |text: &String| expect.sparks.iter().find(|spark| holds(text, &spark.line));
    texts.iter().find_map(|text| exact(text).or_else(|| of_line(text)))
}

/// Whether a version stands in a text, and not as a part of another number.
fn holds(text: &str, version: &str) -> bool {
    text.match_indices(version).any(|(at, _)| {
        // The dot of `Dockerfile.3.5.7` belongs to no number, that of `13.3.5.7` does.
        let before = text[..at].trim_end_matches('.');
        let after = text[at + version.len()..].chars().next();
        !before.ends_with(|c: char| c.is_ascii_digit()) && !after.is_some_and(|c| c.is_ascii_digit())
    })
}

pub(super) fn check(subject: &mut Subject<'_>) {
    let script = subject.script;
    let hadoop = subject.expect.sparks.first().map(|spark| spark.hadoop.clone()).unwrap_or_default();
    let mut first = None;
    for command in &script.commands {
        let (line, text) = (command.line, command.text.as_str());
        if command.instruction == "LABEL" || command.is_said() {
            continue;
        }
        if let Some(found) =
            between(text, "com/amazonaws/aws-java-sdk", '/').or(between(text, "com.amazonaws:aws-java-sdk", ':'))
        {
            subject.find(Rule::AwsSdkV1, line, format!("fetches aws-java-sdk{found}"));
            second(subject, &mut first, line, "SDK v1");
        }
        if text.contains(SDK) {
            second(subject, &mut first, line, "SDK v2");
        }
        if text.contains(SECOND) {
            let message = "fetches iceberg-aws-bundle, which holds a second AWS SDK beside that of the custom image";
            subject.find(Rule::AwsSdkTwice, line, message);
        }
        let mut wrong = versions_of_hadoop(text);
        wrong.retain(|version| !version.contains('$') && *version != hadoop);
        if let Some(version) = wrong.first() {
            subject.find(Rule::HadoopVersion, line, format!("expected Hadoop {hadoop}, found {version}"));
        }
        official(subject, line, &command.instruction, text, &hadoop);
        of_spark(subject, line, text);
    }
}

/// Notes which SDK a file fetches; two kinds are one too many.
fn second(subject: &mut Subject<'_>, first: &mut Option<(&'static str, usize)>, line: usize, sdk: &'static str) {
    match first {
        None => *first = Some((sdk, line)),
        Some((other, before)) if *other != sdk => {
            let message = format!("fetches {sdk}, and line {before} fetches {other}");
            subject.find(Rule::AwsSdkTwice, line, message);
        }
        Some(_) => {}
    }
}

/// Versions that stand in a command beside an artifact of Hadoop.
fn versions_of_hadoop(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (begin, separator) in [("org/apache/hadoop/hadoop-", '/'), ("org.apache.hadoop:hadoop-", ':')] {
        for (at, _) in text.match_indices(begin) {
            let rest = &text[at + begin.len()..];
            let mut parts = rest.split([separator, ' ', '"', '\'', ',']);
            parts.next();
            found.extend(parts.next().filter(|version| version.starts_with(|c: char| c.is_ascii_digit())));
        }
    }
    found.extend(text.split("-Dhadoop.version=").skip(1).filter_map(|rest| rest.split_whitespace().next()));
    found
}

/// What Apache distributes of Spark 3 holds Hadoop 3.3.
fn official(subject: &mut Subject<'_>, line: usize, instruction: &str, text: &str, hadoop: &str) {
    let distribution = text.find("/spark-3.").is_some_and(|at| text[at..].contains("-bin-hadoop3"));
    let image = instruction == "FROM" && text.contains("apache/spark:3.");
    if distribution || image {
        let what = if image { "image" } else { "distribution" };
        let message = format!("expected Hadoop {hadoop}; the official {what} of Spark 3 holds Hadoop 3.3");
        subject.find(Rule::HadoopVersion, line, message);
    }
}

/// What must fit the Spark that the file is about.
fn of_spark(subject: &mut Subject<'_>, line: usize, text: &str) {
    if let Some(found) = iceberg_line(text) {
        let lines: Vec<&str> = match subject.spark {
            Some(spark) => vec![&spark.line],
            None => subject.expect.sparks.iter().map(|spark| spark.line.as_str()).collect(),
        };
        if !lines.contains(&found) {
            let message = format!("expected a jar for Spark {}, found one for {found}", lines.join(" or "));
            subject.find(Rule::SparkLine, line, message);
        }
    }
    let Some(spark) = subject.spark else { return };
    if let Some(scala) = scala(text).filter(|scala| *scala != spark.scala) {
        subject.find(
            Rule::ScalaSuffix,
            line,
            format!("expected Scala {} for Spark {}, found {scala}", spark.scala, spark.version),
        );
    }
    for (artifact, expected) in &spark.built_with {
        let found = between(text, &format!("/{artifact}/"), '/').or(between(text, &format!(":{artifact}:"), ' '));
        let found = found.or(between(text, &format!("{artifact}-"), '-').filter(|_| artifact == "py4j"));
        if let Some(found) = found.filter(|found| found.starts_with(|c: char| c.is_ascii_digit()) && found != expected)
        {
            let message = format!("expected {artifact} {expected} for Spark {}, found {found}", spark.version);
            subject.find(Rule::VersionOfSpark, line, message);
        }
    }
}

/// What stands behind `begin`, up to `end` or the end of the word.
fn between<'t>(text: &'t str, begin: &str, end: char) -> Option<&'t str> {
    let rest = &text[text.find(begin)? + begin.len()..];
    rest.split([end, ' ', '"', '\'', ',']).next()
}

/// Spark's line in `iceberg-spark-runtime-3.5_2.12`.
fn iceberg_line(text: &str) -> Option<&str> {
    let found = between(text, "iceberg-spark-runtime-", '_')?;
    found.split_once('.').filter(|(a, b)| a.parse::<u8>().is_ok() && b.parse::<u8>().is_ok())?;
    Some(found)
}

/// Scala's binary version at the end of an artifact's name, as in `delta-spark_2.12/3.2.0` and `delta-spark_2.12:3.2.0`.
fn scala(text: &str) -> Option<&str> {
    text.match_indices("_2.").find_map(|(at, _)| {
        let rest = &text[at + 1..];
        let end = 2 + rest[2..].find(|c: char| !c.is_ascii_digit())?;
        let named = text[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        (end > 3 && named && rest[end..].starts_with(['-', '/', ':'])).then_some(&rest[..end])
    })
}

/// A jar that lies in the tree.
pub(super) fn jar(path: &str, digest: Digest, jar: &Result<Jar, String>, expect: &TreeExpect) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |rule, message: String| findings.push(Finding::new(rule, at(path, 1), message));
    if !expect.known.contains(&digest) {
        find(Rule::JarNotInLock, format!("docker/versions.lock names no artifact of {digest}"));
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    if let Some(found) = iceberg_line(name).filter(|found| !expect.sparks.iter().any(|spark| spark.line == *found)) {
        find(Rule::SparkLine, format!("is for Spark {found}, which docker/versions.toml does not have"));
    }
    let hadoop = expect.sparks.first().map(|spark| spark.hadoop.as_str()).unwrap_or_default();
    let named =
        jar_name::split(name).filter(|(name, _)| name.starts_with("hadoop-") && !name.starts_with("hadoop-shaded-"));
    let own = jar.as_ref().ok().and_then(|jar| jar.hadoop.as_deref());
    if let Some(found) = own.or(named.map(|(_, version)| version)).filter(|found| *found != hadoop) {
        find(Rule::HadoopVersion, format!("expected Hadoop {hadoop}, found {found}"));
    }
    match jar {
        Err(reason) => find(Rule::BrokenJar, format!("cannot be read: {reason}")),
        Ok(jar) => {
            if let Some(class) = &jar.sdk_v1 {
                find(Rule::AwsSdkV1, format!("has {class}"));
            }
        }
    }
    findings
}
