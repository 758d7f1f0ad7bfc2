//! Where things lie inside a registry, relative to its address.

/// The path of an artifact in a Maven repository (the default layout: the group's dots are folders).
///
/// `maven_path("org.apache.maven", "apache-maven", "3.9.6", Some("bin"), "tar.gz")` is
/// `org/apache/maven/apache-maven/3.9.6/apache-maven-3.9.6-bin.tar.gz`.
pub fn maven_path(group: &str, artifact: &str, version: &str, classifier: Option<&str>, extension: &str) -> String {
    let group = group.replace('.', "/");
    let classifier = classifier.map(|classifier| format!("-{classifier}")).unwrap_or_default();
    format!("{group}/{artifact}/{version}/{artifact}-{version}{classifier}.{extension}")
}

/// A project's name in the form that a simple index uses: lower case, each run of `-`, `_` and `.` one hyphen
/// (<https://packaging.python.org/en/latest/specifications/name-normalization/>).
pub fn pypi_name(project: &str) -> String {
    let mut name = String::with_capacity(project.len());
    for c in project.chars() {
        match c {
            '-' | '_' | '.' if name.ends_with('-') => {}
            '-' | '_' | '.' => name.push('-'),
            _ => name.extend(c.to_lowercase()),
        }
    }
    name
}

/// The path of a project's page in a simple index. The slash at its end belongs to it: an index answers the form
/// without one by a redirect or not at all.
pub fn pypi_path(project: &str) -> String {
    format!("{}/", pypi_name(project))
}

/// The path of a file of a Debian suite's index: `InRelease`, `main/binary-amd64/Packages.xz`.
pub fn debian_path(suite: &str, file: &str) -> String {
    format!("dists/{suite}/{file}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maven_paths_follow_the_default_layout() {
        assert_eq!(
            maven_path("software.amazon.awssdk", "bundle", "2.29.52", None, "jar"),
            "software/amazon/awssdk/bundle/2.29.52/bundle-2.29.52.jar"
        );
        assert_eq!(
            maven_path("org.apache.maven", "apache-maven", "3.9.6", Some("bin"), "tar.gz"),
            "org/apache/maven/apache-maven/3.9.6/apache-maven-3.9.6-bin.tar.gz"
        );
    }

    #[test]
    fn names_are_normalised_as_the_specification_says() {
        for name in
            ["friendly-bard", "Friendly-Bard", "FRIENDLY-BARD", "friendly.bard", "friendly_bard", "FrIeNdLy-._.-bArD"]
        {
            assert_eq!(pypi_path(name), "friendly-bard/", "{name}");
        }
    }

    #[test]
    fn debian_paths_hold_the_suite() {
        assert_eq!(debian_path("bookworm-security", "InRelease"), "dists/bookworm-security/InRelease");
    }
}
