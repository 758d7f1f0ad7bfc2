//! A published POM: its properties, and which versions it depends on. Parents are not looked at.

use std::collections::BTreeMap;

use roxmltree::{Document, Node};

/// What a POM says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pom {
    properties: BTreeMap<String, String>,
    /// By `group:artifact`; of those that stand twice the first.
    dependencies: BTreeMap<String, String>,
}

/// A text that is no POM.
#[derive(Debug, thiserror::Error)]
pub enum PomError {
    /// It is not XML.
    #[error("expected a POM, found no XML: {0}")]
    Xml(#[from] roxmltree::Error),
    /// It is something else.
    #[error("expected <project>, found <{found}>")]
    Root {
        /// The outermost element.
        found: String,
    },
}

/// How often a property may name another one, so that two that name each other come to an end.
const DEEPEST: usize = 8;

impl Pom {
    /// Reads a POM.
    ///
    /// # Errors
    /// The text is no POM.
    pub fn parse(text: &str) -> Result<Self, PomError> {
        let document = Document::parse(text)?;
        let project = document.root_element();
        if project.tag_name().name() != "project" {
            return Err(PomError::Root { found: project.tag_name().name().to_owned() });
        }
        let mut pom = Self::default();
        let own = child(project, "parent").and_then(|parent| child(parent, "version"));
        for version in [own, child(project, "version")].into_iter().flatten() {
            pom.properties.insert("project.version".into(), content(version));
        }
        for property in child(project, "properties").into_iter().flat_map(elements) {
            pom.properties.insert(property.tag_name().name().to_owned(), content(property));
        }
        let managed = child(project, "dependencyManagement");
        let lists = [Some(project), managed].into_iter().flatten().filter_map(|node| child(node, "dependencies"));
        for dependency in lists.flat_map(elements) {
            let text = |name| child(dependency, name).map(content);
            if let (Some(group), Some(artifact), Some(version)) = (text("groupId"), text("artifactId"), text("version"))
            {
                pom.dependencies.entry(format!("{group}:{artifact}")).or_insert(version);
            }
        }
        Ok(pom)
    }

    /// The value of a property, with the properties that it names; nothing if one of them is not of this POM.
    pub fn property(&self, name: &str) -> Option<String> {
        self.resolved(self.properties.get(name)?, DEEPEST)
    }

    /// The version of a dependency, `group:artifact`; nothing if it has none here, or one that another POM defines.
    pub fn dependency(&self, name: &str) -> Option<String> {
        self.resolved(self.dependencies.get(name)?, DEEPEST)
    }

    fn resolved(&self, text: &str, depth: usize) -> Option<String> {
        let Some((before, rest)) = text.split_once("${") else {
            return Some(text.to_owned()).filter(|text| !text.is_empty());
        };
        let (name, after) = rest.split_once('}')?;
        let value = self.resolved(self.properties.get(name)?, depth.checked_sub(1)?)?;
        self.resolved(&format!("{before}{value}{after}"), depth.checked_sub(1)?)
    }
}

fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    elements(node).find(|child| child.tag_name().name() == name)
}

fn content(node: Node<'_, '_>) -> String {
    node.text().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POM: &str = "<?xml version=\"1.0\"?><project xmlns=\"http://maven.apache.org/POM/4.0.0\">\
        <parent><version>3.5.8</version></parent>\
        <properties><a>1</a><b>${a}.2</b><c>${d}</c><d>${c}</d><e>${f}</e><g/></properties>\
        <dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId><version>${b}</version></dependency>\
        <dependency><groupId>x</groupId><artifactId>z</artifactId></dependency></dependencies>\
        <dependencyManagement><dependencies><dependency><groupId>x</groupId><artifactId>z</artifactId>\
        <version>${project.version}</version></dependency></dependencies></dependencyManagement>\
        <profiles><profile><properties><a>9</a></properties></profile></profiles></project>";

    #[test]
    fn what_follows_from_the_pom_alone_is_given() {
        let pom = Pom::parse(POM).unwrap();
        let property = |name| pom.property(name);
        assert_eq!(property("b").as_deref(), Some("1.2"), "a profile's property counted");
        assert_eq!([property("c"), property("e"), property("g"), property("none")], [None, None, None, None]);
        assert_eq!(pom.dependency("x:y").as_deref(), Some("1.2"));
        assert_eq!(pom.dependency("x:z").as_deref(), Some("3.5.8"));
        assert_eq!(pom.dependency("x:none"), None);
    }

    #[test]
    fn what_is_no_pom_is_refused() {
        assert!(Pom::parse("404 not found").unwrap_err().to_string().starts_with("expected a POM, found no XML"));
        assert_eq!(Pom::parse("<html/>").unwrap_err().to_string(), "expected <project>, found <html>");
    }
}
