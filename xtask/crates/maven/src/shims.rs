//! What a plugin's jar says of the versions of Spark that it knows: one folder for each, with a part of its own (a shim).

use std::collections::BTreeSet;

/// What the `*` in `files` stands for in the names of what lies in a jar: with `spark*/META-INF/x`, `411` for
/// `spark411/META-INF/x`. A `*` stands for one or more characters of one name.
pub fn known<'a>(names: impl IntoIterator<Item = &'a str>, files: &str) -> BTreeSet<String> {
    let Some((before, behind)) = files.split_once('*') else { return BTreeSet::new() };
    let version = |name: &'a str| name.strip_prefix(before)?.strip_suffix(behind);
    let versions = names.into_iter().filter_map(version);
    versions.filter(|version| !version.is_empty() && !version.contains('/')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_is_a_folder_with_the_file() {
        let names = [
            "META-INF/a",
            "spark411/META-INF/a",
            "spark400db173/META-INF/a",
            "spark410/META-INF/b",
            "spark/META-INF/a",
            "spark-shared/x/META-INF/a",
            "ai/spark411/META-INF/a",
        ];
        assert_eq!(known(names, "spark*/META-INF/a"), BTreeSet::from(["400db173".to_owned(), "411".to_owned()]));
    }
}
