//! `maven-metadata.xml`: which versions of an artifact a repository has.
//!
//! <https://maven.apache.org/repositories/metadata.html>. Repositories that only pass files through may have none, or an
//! old one.

/// The path of an artifact's metadata in a repository.
pub fn path(group: &str, artifact: &str) -> String {
    format!("{}/{artifact}/maven-metadata.xml", group.replace('.', "/"))
}

/// The versions that metadata lists, in its order.
///
/// # Errors
/// It is not XML: the page of a proxy, for instance.
pub fn versions(text: &str) -> Result<Vec<String>, roxmltree::Error> {
    let document = roxmltree::Document::parse(text)?;
    let list = document.descendants().find(|node| node.has_tag_name("versions"));
    let versions = list.into_iter().flat_map(|list| list.children()).filter(|node| node.has_tag_name("version"));
    Ok(versions.filter_map(|node| Some(node.text()?.trim().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_those_of_the_list() {
        let text = "<metadata><groupId>g</groupId><versioning><latest>3</latest><versions><version>1</version>\
                    <version> 2.0 </version></versions></versioning></metadata>";
        assert_eq!(versions(text).unwrap(), ["1", "2.0"]);
        assert!(versions("<metadata/>").unwrap().is_empty());
        assert!(versions("please log in").is_err());
        assert_eq!(path("org.example.a", "b"), "org/example/a/b/maven-metadata.xml");
    }
}
