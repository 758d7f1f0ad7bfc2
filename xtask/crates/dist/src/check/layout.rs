//! Files other than jars: kinds, modes, RELEASE, Python.

use std::fs;

use camino::Utf8Path;

use super::Checked;
use crate::{Error, tree::Kind};

/// Scripts that others source. Spark's source has them without the executable bit.
const SOURCED: &[&str] = &["load-spark-env.sh", "spark-config.sh"];

pub(super) fn check(checked: &mut Checked<'_>) -> Result<(), Error> {
    kinds(checked);
    executables(checked);
    release(checked)?;
    python(checked)
}

/// Folders are folders, and all else is files: what keeps a distribution keeps no link.
fn kinds(checked: &mut Checked<'_>) {
    for folder in ["bin", "conf", "data", "examples", "jars", "licenses", "python", "sbin"] {
        match checked.kind(folder) {
            Some(Kind::Folder) => {}
            None => checked.problem(folder, "a folder", "nothing"),
            Some(_) => checked.problem(folder, "a folder", "something else"),
        }
    }
    for entry in checked.entries.clone() {
        match entry.kind {
            Kind::Other => checked.problem(entry.path, "a file or a folder", "a device, socket or pipe"),
            Kind::Link { target } => {
                checked.problem(entry.path, "a file or a folder", format!("a link to {target}"));
            }
            Kind::File { size: 0, .. } if matches!(entry.path.extension(), Some("jar" | "zip")) => {
                checked.problem(entry.path, "an archive", "an empty file");
            }
            Kind::File { .. } | Kind::Folder => {}
        }
    }
}

fn executables(checked: &mut Checked<'_>) {
    for needed in ["bin/pyspark", "bin/spark-class", "bin/spark-shell", "bin/spark-submit", "sbin/spark-daemon.sh"] {
        if !matches!(checked.kind(needed), Some(Kind::File { .. })) {
            checked.problem(needed, "an executable file", "none");
        }
    }
    for entry in checked.entries.clone() {
        let Kind::File { executable: false, .. } = entry.kind else { continue };
        if is_program(&entry.path) {
            checked.problem(entry.path, "an executable file", "a file without the executable bits of all");
        }
    }
}

/// Whether the file at this path of a distribution is one that is run, by its name.
pub fn is_program(path: &Utf8Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let runs = match path.parent().map_or("", Utf8Path::as_str) {
        "bin" => !name.contains('.') || name.ends_with(".sh"),
        "sbin" | "kubernetes/dockerfiles/spark" => name.ends_with(".sh"),
        _ => false,
    };
    runs && !SOURCED.contains(&name)
}

/// `Spark 3.5.7 (git revision abc) built for Hadoop 3.4.2`, as `make-distribution.sh` writes it.
fn release(checked: &mut Checked<'_>) -> Result<(), Error> {
    let expected = format!("`Spark {} built for Hadoop {}`", checked.expect.spark, checked.expect.hadoop);
    if !matches!(checked.kind("RELEASE"), Some(Kind::File { .. })) {
        checked.problem("RELEASE", expected, "no such file");
        return Ok(());
    }
    let path = checked.folder.join("RELEASE");
    let text = fs::read(&path).map_err(Error::reading(&path))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().next().unwrap_or_default();
    let named = line.strip_prefix("Spark ").and_then(|rest| rest.split_once(" built for Hadoop "));
    let spark = named.map(|(spark, _)| spark.split_once(" (git revision ").map_or(spark, |(spark, _)| spark));
    if spark != Some(&checked.expect.spark) || named.map(|(_, hadoop)| hadoop) != Some(&checked.expect.hadoop) {
        checked.problem("RELEASE", expected, format!("`{line}`"));
    }
    Ok(())
}

fn python(checked: &mut Checked<'_>) -> Result<(), Error> {
    checked.exactly("python/lib", "py4j-", &checked.expect.py4j.clone(), "-src.zip");
    if !matches!(checked.kind("python/lib/pyspark.zip"), Some(Kind::File { .. })) {
        checked.problem("python/lib/pyspark.zip", "PySpark as a zip file", "no such file");
    }
    let version = "python/pyspark/version.py";
    if !matches!(checked.kind(version), Some(Kind::File { .. })) {
        checked.problem(version, "PySpark", "no such file");
        return Ok(());
    }
    let path = checked.folder.join(version);
    let text = fs::read(&path).map_err(Error::reading(&path))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let found = text.lines().find_map(|line| line.strip_prefix("__version__"));
    let found = found.map_or("", |rest| rest.trim_start_matches([':', ' ', 's', 't', 'r', '=']));
    let found = found.trim().trim_matches(['"', '\'']);
    if found != checked.expect.pyspark {
        checked.problem(version, checked.expect.pyspark.clone(), found);
    }
    Ok(())
}
