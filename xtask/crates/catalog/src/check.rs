//! Rules that look at more than one entry: what fits together and what does not.

use crate::{
    coordinate::Maven,
    image::{ImageFile, ImageRef},
    reader::{At, Sink},
    table::{Spark, Table},
};

/// Artifacts whose name ends in a Scala version must end in the one that this Spark is built for, and a Hadoop jar must be
/// the table's Hadoop.
pub(crate) fn jar(maven: &Maven, at: &At<String>, spark: Option<&Spark>, table: &Table, sink: &Sink) {
    let note = |message: String, help: String| {
        sink.borrow_mut().add(&at.path, at.span.clone(), message).help(help);
    };
    let suffix = ["2.11", "2.12", "2.13", "3"].into_iter().find(|scala| maven.artifact.ends_with(&format!("_{scala}")));
    if let (Some(suffix), Some(spark)) = (suffix, spark)
        && suffix != spark.scala
    {
        note(
            format!("{maven} is built for Scala {suffix}, Spark {} for Scala {}", spark.version, spark.scala),
            "write `_{scala}` instead of the version".into(),
        );
    }
    let hadoop = table.versions.iter().find(|(name, _)| name == "hadoop").map(|(_, at)| at.value.as_str());
    if let Some(hadoop) = hadoop.filter(|hadoop| maven.group == "org.apache.hadoop" && maven.version != **hadoop) {
        note(
            format!("{maven} is not the table's Hadoop {hadoop}"),
            "write `{hadoop}` as its version: one class path holds one Hadoop".into(),
        );
    }
}

/// Names and tags as registries take them: the grammar of the OCI distribution specification.
pub(crate) fn tag(reference: &ImageRef, file: &ImageFile, sink: &Sink) {
    let note = |at: &At<String>, message: String, help: &str| {
        sink.borrow_mut().add(&at.path, at.span.clone(), message).help(help);
    };
    let name_ok = reference.name.split('/').all(|part| {
        let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(alphanumeric)
            && part.ends_with(alphanumeric)
            && part.chars().all(|c| alphanumeric(c) || "._-".contains(c))
    });
    if !name_ok && !file.name.value.is_empty() {
        let help = "lower-case letters and digits, with single `.`, `_`, `-` between them";
        note(&file.name, format!("`{}` is no image name", reference.name), help);
    }
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let tag_ok = reference.tag.len() <= 128
        && reference.tag.starts_with(word)
        && reference.tag.chars().all(|c| word(c) || ".-".contains(c));
    // A placeholder that nobody defines was noted where it stands.
    if !tag_ok && !reference.tag.contains('{') {
        let at = file.tags.first().unwrap_or(&file.name);
        note(at, format!("`{}` is no tag", reference.tag), "at most 128 letters, digits, `_`, `.` and `-`");
    }
}
