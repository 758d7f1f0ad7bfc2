//! What each jar is, and whether it belongs there.

use std::collections::BTreeMap;

use assemble::Kind;
use catalog::jar_name;

use super::Subject;
use crate::{
    expect::Spark,
    finding::{Finding, Rule},
    image::At,
    jar::Jar,
};

/// Jars of Hadoop's third-party project, which has versions of its own.
const HADOOP_THIRDPARTY: &str = "hadoop-shaded-";
/// The setting that forces a shim of the RAPIDS plugin.
const OVERRIDE: &str = "spark.rapids.shims-provider-override";

pub(super) fn check(subject: &mut Subject<'_>) {
    sound(subject);
    sdks(subject);
    lock(subject);
    if let Some(spark) = &subject.expect.spark {
        hadoop(subject, spark);
        names(subject, spark);
        rapids(subject, spark);
    }
}

/// All jars that can be read.
fn read<'s>(subject: &Subject<'s>) -> Vec<(&'s str, At, &'s Jar)> {
    subject.files.jars().filter_map(|(path, at, jar)| Some((path, at, jar.as_ref().ok()?))).collect()
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn sound(subject: &mut Subject<'_>) {
    let broken: Vec<(At, String)> = subject
        .files
        .jars()
        .filter_map(|(_, at, jar)| match jar {
            Err(reason) => Some((at, format!("cannot be read: {reason}"))),
            Ok(jar) if !jar.twice.is_empty() => {
                let more =
                    if jar.twice.len() > 1 { format!(" and {} more", jar.twice.len() - 1) } else { String::new() };
                Some((at, format!("has {}{more} twice", jar.twice[0])))
            }
            Ok(_) => None,
        })
        .collect();
    for (at, message) in broken {
        subject.find(Finding::new(Rule::BrokenJar, subject.image.place(at), message));
    }
}

fn sdks(subject: &mut Subject<'_>) {
    let jars = read(subject);
    for (_, at, class) in jars.iter().filter_map(|(path, at, jar)| Some((path, *at, jar.sdk_v1.as_ref()?))) {
        subject.find(Finding::new(Rule::AwsSdkV1, subject.image.place(at), format!("has {class}")));
    }
    let second: Vec<_> = jars.iter().filter(|(_, _, jar)| jar.sdk_v2.is_some()).collect();
    if let [(first, ..), rest @ ..] = second.as_slice()
        && !rest.is_empty()
    {
        for (_, at, jar) in rest {
            let class = jar.sdk_v2.as_deref().unwrap_or_default();
            let message = format!("has {class}, and so has {first}");
            subject.find(Finding::new(Rule::AwsSdkTwice, subject.image.place(*at), message));
        }
    }
}

fn hadoop(subject: &mut Subject<'_>, spark: &Spark) {
    for (path, at, jar) in read(subject) {
        let named = jar_name::split(file_name(path)).filter(|(name, _)| name.starts_with("hadoop-"));
        let named = named.filter(|(name, _)| !name.starts_with(HADOOP_THIRDPARTY)).map(|(_, version)| version);
        let own =
            jar.artifacts.iter().filter(|((group, _), _)| group == "org.apache.hadoop").map(|(_, version)| version);
        let versions = own.chain(&jar.hadoop).map(String::as_str).chain(named);
        let mut wrong: Vec<&str> = versions.filter(|version| *version != spark.hadoop).collect();
        wrong.sort_unstable();
        wrong.dedup();
        if !wrong.is_empty() {
            let message = format!("expected Hadoop {}, found {}", spark.hadoop, wrong.join(" and "));
            subject.find(Finding::new(Rule::HadoopVersion, subject.image.place(at), message));
        }
    }
}

/// What the names of jars say of Scala, of Spark's line, and of what Spark was built with.
fn names(subject: &mut Subject<'_>, spark: &Spark) {
    let home = format!("{}/", subject.spark_home());
    for (path, at, jar) in read(subject) {
        let place = subject.image.place(at);
        let name = file_name(path);
        let library = name.strip_prefix("scala-library-").and_then(|rest| rest.strip_suffix(".jar"));
        let library = library.and_then(|version| version.rsplit_once('.')).map(|(minor, _)| minor);
        // Only what Spark can load must fit its Scala.
        let scala = jar_name::scala(name).or(library).filter(|_| path.starts_with(&home));
        if let Some(scala) = scala.filter(|scala| *scala != spark.scala) {
            let message = format!("expected Scala {}, found {scala}", spark.scala);
            subject.find(Finding::new(Rule::ScalaSuffix, place.clone(), message));
        }
        if let Some(line) = line_of(name).filter(|line| *line != spark.line) {
            let message = format!("expected a jar for Spark {}, found one for {line}", spark.line);
            subject.find(Finding::new(Rule::SparkLine, place.clone(), message));
        }
        for (artifact, expected) in &spark.built_with {
            let named = jar_name::split(name).filter(|(name, _)| name == artifact).map(|(_, version)| version);
            let own = jar.artifacts.iter().find(|((_, own), _)| own == artifact && jar.artifacts.len() == 1);
            if let Some(found) = named.or(own.map(|(_, version)| version.as_str())).filter(|found| found != expected) {
                let message = format!("expected {artifact} {expected}, found {found}");
                subject.find(Finding::new(Rule::VersionOfSpark, place.clone(), message));
            }
        }
    }
    py4j(subject, spark);
}

/// Spark's line in the names of jars that carry it: `iceberg-spark-runtime-3.5_2.12-1.11.0.jar`.
fn line_of(name: &str) -> Option<&str> {
    let (artifact, _) = jar_name::split(name)?;
    let (stem, _) = artifact.rsplit_once('_')?;
    let (before, line) = stem.rsplit_once('-')?;
    let is_line = line.split_once('.').is_some_and(|(a, b)| a.parse::<u8>().is_ok() && b.parse::<u8>().is_ok());
    (is_line && before.contains("spark")).then_some(line)
}

/// Py4J's Python side: the archive in Spark's home, and what PYTHONPATH says of it.
fn py4j(subject: &mut Subject<'_>, spark: &Spark) {
    let Some(expected) = spark.built_with.get("py4j") else { return };
    let archive = format!("py4j-{expected}-src.zip");
    let folder = format!("{}/python/lib", subject.spark_home());
    let archives: Vec<(&str, At)> = subject
        .files
        .below(&folder)
        .filter(|(path, _)| file_name(path).starts_with("py4j-") && path.ends_with("-src.zip"))
        .collect();
    for (path, at) in archives.into_iter().filter(|(path, _)| file_name(path) != archive) {
        let message = format!("expected {archive}, found {}", file_name(path));
        subject.find(Finding::new(Rule::VersionOfSpark, subject.image.place(at), message));
    }
    let paths = subject.image.env("PYTHONPATH").unwrap_or_default();
    let wrong = paths.split(':').find(|path| file_name(path).starts_with("py4j-") && file_name(path) != archive);
    if let Some(wrong) = wrong {
        let message = format!("PYTHONPATH: expected {archive}, found {}", file_name(wrong));
        subject.find(Finding::new(Rule::VersionOfSpark, Default::default(), message));
    }
}

fn rapids(subject: &mut Subject<'_>, spark: &Spark) {
    let wanted = format!("spark{}", spark.version.split(['-', '+']).next().unwrap_or_default().replace('.', ""));
    let forced = forced_shim(subject);
    for (_, at, jar) in read(subject) {
        if jar.shims.is_empty() || jar.shims.contains(&wanted) && forced.is_none() {
            continue;
        }
        let has = jar.shims.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let message = match &forced {
            Some(shim) if jar.shims.contains(shim) => continue,
            Some(shim) => format!("{OVERRIDE} names {shim}, and the plugin has {has}"),
            None => {
                format!("has no shim {wanted} for Spark {}, and no default names another; it has {has}", spark.version)
            }
        };
        subject.find(Finding::new(Rule::RapidsShim, subject.image.place(at), message));
    }
}

/// The shim that the image's defaults force: the word `spark411` in the name of the provider's class.
fn forced_shim(subject: &Subject<'_>) -> Option<String> {
    let home = subject.spark_home();
    let mut files: Vec<String> =
        ["conf", "image-conf"].iter().map(|folder| format!("{home}/{folder}/spark-defaults.conf")).collect();
    let folder = format!("{home}/image-conf/spark-defaults.d");
    files.extend(subject.files.below(&folder).map(|(path, _)| path.to_owned()).filter(|path| path.ends_with(".conf")));
    let value = |text: String| {
        let line = text.lines().map(str::trim).find_map(|line| {
            let rest = line.strip_prefix(OVERRIDE)?;
            rest.starts_with(|c: char| c.is_whitespace() || c == '=')
                .then(|| rest.trim_matches([' ', '\t', '=']).to_owned())
        })?;
        let shim = line
            .split('.')
            .find(|word| word.strip_prefix("spark").is_some_and(|rest| rest.starts_with(char::is_numeric)));
        Some(shim.map_or(line.clone(), str::to_owned))
    };
    files.into_iter().filter_map(|file| value(subject.files.text(&file)?)).next_back()
}

/// Every jar is one that the lock stands for.
fn lock(subject: &mut Subject<'_>) {
    let known = &subject.expect.known;
    let home = format!("{}/", subject.spark_home());
    let mut not_judged: BTreeMap<usize, usize> = BTreeMap::new();
    let jars: Vec<(&str, At)> = subject.files.jars().map(|(path, at, _)| (path, at)).collect();
    for (path, at) in jars {
        let Kind::File { digest, .. } = subject.image.entry(at).kind else { continue };
        if known.digests.contains(&digest) || subject.image.layers.iter().any(|layer| layer.is_packaged(path)) {
            continue;
        }
        if path.starts_with(&home) && known.without_spark.is_some() {
            *not_judged.entry(at.layer).or_default() += 1;
            continue;
        }
        let message = format!("docker/versions.lock names no artifact of {digest}");
        subject.find(Finding::new(Rule::JarNotInLock, subject.image.place(at), message));
    }
    let why = known.without_spark.clone().unwrap_or_default();
    for (layer, count) in not_judged {
        let message = format!("{count} jars of the Spark home could not be compared with the lock: {why}");
        subject.find(Finding::new(Rule::NotJudged, subject.image.layer_place(layer), message));
    }
}
