//! What the file name of a jar says.

/// `hadoop-client-api-3.4.2.jar` as name and version: the version begins with the first digit after a dash.
pub(super) fn split(file: &str) -> Option<(&str, &str)> {
    let stem = file.strip_suffix(".jar")?;
    let dash = stem.match_indices('-').find(|(at, _)| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()))?.0;
    Some((&stem[..dash], &stem[dash + 1..]))
}

/// The Scala binary version in an artifact's name, as in `chill_2.12-0.10.0.jar`.
pub(super) fn scala(file: &str) -> Option<&str> {
    let (name, _) = split(file)?;
    let (_, suffix) = name.rsplit_once('_')?;
    let known = suffix == "3" || suffix.strip_prefix("2.").is_some_and(|minor| minor.parse::<u8>().is_ok());
    known.then_some(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_versions_and_scala_are_told_apart() {
        assert_eq!(split("hadoop-client-api-3.4.2.jar"), Some(("hadoop-client-api", "3.4.2")));
        assert_eq!(split("spark-sql-kafka-0-10_2.12-3.5.7.jar"), Some(("spark-sql-kafka", "0-10_2.12-3.5.7")));
        assert_eq!(split("bundle.jar"), None);
        assert_eq!(scala("chill_2.12-0.10.0.jar"), Some("2.12"));
        assert_eq!(scala("json4s-core_2.13-4.0.7.jar"), Some("2.13"));
        assert_eq!(scala("cats_3-2.1.jar"), Some("3"));
        assert_eq!(scala("arpack_combined_all-0.1.jar"), None);
        assert_eq!(scala("netty-transport-native-epoll-4.1.96.Final-linux-x86_64.jar"), None);
        assert_eq!(scala("hadoop-shaded-protobuf_3_25-1.4.0.jar"), None);
    }
}
