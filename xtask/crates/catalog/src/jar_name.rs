//! What the file name of a jar says: `artifact-version.jar`, the artifact perhaps ending in `_` and Scala's binary version.

/// `hadoop-client-api-3.4.2.jar` as name and version. The version begins behind the suffix of Scala or, without one, with
/// the first digit after a dash.
pub fn split(file: &str) -> Option<(&str, &str)> {
    let stem = file.strip_suffix(".jar")?;
    let dash = match suffix(stem) {
        Some((_, end)) => end,
        None => stem.match_indices('-').find(|(at, _)| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()))?.0,
    };
    Some((&stem[..dash], &stem[dash + 1..]))
}

/// The Scala binary version in an artifact's name, as in `chill_2.12-0.10.0.jar`.
pub fn scala(file: &str) -> Option<&str> {
    Some(suffix(file.strip_suffix(".jar")?)?.0)
}

/// The suffix of Scala, and where the dash behind it stands.
fn suffix(stem: &str) -> Option<(&str, usize)> {
    stem.match_indices('_').find_map(|(at, _)| {
        let version = stem[at + 1..].split('-').next()?;
        let end = at + 1 + version.len();
        let known = version == "3" || version.strip_prefix("2.").is_some_and(|minor| minor.parse::<u8>().is_ok());
        (known && stem.as_bytes().get(end) == Some(&b'-')).then_some((version, end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_versions_and_scala_are_told_apart() {
        assert_eq!(split("hadoop-client-api-3.4.2.jar"), Some(("hadoop-client-api", "3.4.2")));
        assert_eq!(split("spark-sql-kafka-0-10_2.12-3.5.7.jar"), Some(("spark-sql-kafka-0-10_2.12", "3.5.7")));
        assert_eq!(split("bundle.jar"), None);
        assert_eq!(split("bundle_2.12.jar"), None);
        assert_eq!(scala("chill_2.12-0.10.0.jar"), Some("2.12"));
        assert_eq!(scala("spark-sql-kafka-0-10_2.13-4.1.0.jar"), Some("2.13"));
        assert_eq!(scala("iceberg-spark-runtime-3.5_2.12-1.11.0.jar"), Some("2.12"));
        assert_eq!(scala("json4s-core_2.13-4.0.7.jar"), Some("2.13"));
        assert_eq!(scala("cats_3-2.1.jar"), Some("3"));
        assert_eq!(scala("arpack_combined_all-0.1.jar"), None);
        assert_eq!(scala("netty-transport-native-epoll-4.1.96.Final-linux-x86_64.jar"), None);
        assert_eq!(scala("hadoop-shaded-protobuf_3_25-1.4.0.jar"), None);
    }
}
