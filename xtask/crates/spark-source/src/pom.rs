//! What a Spark source tree says of itself in its `pom.xml`.

use std::{collections::BTreeMap, fs};

use camino::Utf8Path;
use roxmltree::{Document, Node};

use crate::Error;

/// Versions that a source tree names. They are the tree's defaults; a build may give Maven others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pom {
    /// Spark's version, such as `3.5.7` or `4.2.0-SNAPSHOT`.
    pub version: String,
    /// `scala.binary.version`, such as `2.12`.
    pub scala_binary: String,
    /// `scala.version`, such as `2.12.18`.
    pub scala: String,
    /// `hadoop.version`.
    pub hadoop: String,
    /// `maven.version`: the oldest Maven that compiles the tree.
    pub maven: String,
    /// `java.version`: the oldest Java that it is compiled for, such as `1.8` or `17`.
    pub java: String,
    /// `kafka.version`.
    pub kafka: String,
    /// `commons-pool2.version`.
    pub commons_pool2: String,
    /// The version that PySpark gives itself in `python/pyspark/version.py`: `3.5.8.dev0` where the pom says
    /// `3.5.8-SNAPSHOT`.
    pub pyspark: String,
    /// py4j's version, from the name of the archive in `python/lib`.
    pub py4j: String,
    /// All properties of the project, unresolved.
    pub properties: BTreeMap<String, String>,
}

impl Pom {
    /// None for the pom.xml of another project than Spark's parent.
    pub(crate) fn read(root: &Utf8Path) -> Result<Option<Self>, Error> {
        let path = root.join("pom.xml");
        let text = fs::read_to_string(&path).map_err(Error::io("reading", &path))?;
        let document = Document::parse(&text).map_err(|error| Error::Xml { path: path.clone(), error })?;
        let project = document.root_element();
        let is_parent = |artifact| content(artifact).starts_with("spark-parent_");
        if !named_child(project, "artifactId").is_some_and(is_parent) {
            return Ok(None);
        }
        let reader = Reader { path: &path, document: &document };
        let properties = reader.child(project, "properties")?;
        let property = |name| reader.literal(reader.child(properties, name)?);
        let elements = properties.children().filter(Node::is_element);
        Ok(Some(Self {
            version: reader.literal(reader.child(project, "version")?)?,
            scala_binary: property("scala.binary.version")?,
            scala: property("scala.version")?,
            hadoop: property("hadoop.version")?,
            maven: property("maven.version")?,
            java: property("java.version")?,
            kafka: property("kafka.version")?,
            commons_pool2: property("commons-pool2.version")?,
            pyspark: pyspark(&root.join("python/pyspark/version.py"))?,
            py4j: py4j(&root.join("python/lib"))?,
            properties: elements.map(|it| (it.tag_name().name().to_owned(), content(it).to_owned())).collect(),
        }))
    }
}

fn named_child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

fn content<'a>(node: Node<'a, '_>) -> &'a str {
    node.text().unwrap_or_default().trim()
}

/// Reads elements that must be there.
struct Reader<'a, 'i> {
    path: &'a Utf8Path,
    document: &'a Document<'i>,
}

impl<'a, 'i> Reader<'a, 'i> {
    fn child(&self, node: Node<'a, 'i>, name: &str) -> Result<Node<'a, 'i>, Error> {
        named_child(node, name)
            .ok_or_else(|| self.error(node, format!("<{name}> in <{}>", node.tag_name().name()), "none".to_owned()))
    }

    fn literal(&self, node: Node<'a, 'i>) -> Result<String, Error> {
        let text = content(node);
        if text.is_empty() || text.contains("${") || text.contains(char::is_whitespace) {
            let expected = format!("a version in <{}>", node.tag_name().name());
            return Err(self.error(node, expected, format!("`{text}`")));
        }
        Ok(text.to_owned())
    }

    fn error(&self, node: Node<'a, 'i>, expected: String, found: String) -> Error {
        let line = self.document.text_pos_at(node.range().start).row;
        Error::Pom { path: self.path.to_owned(), line, expected, found }
    }
}

/// What `__version__` is set to, with or without a type.
fn pyspark(path: &Utf8Path) -> Result<String, Error> {
    let text = fs::read_to_string(path).map_err(Error::io("reading", path))?;
    let value = text.lines().find_map(|line| line.strip_prefix("__version__")?.split_once('='));
    let version = value.map_or("", |(_, value)| value.trim().trim_matches(['"', '\'']));
    if version.is_empty() {
        return Err(Error::PySpark { path: path.to_owned() });
    }
    Ok(version.to_owned())
}

/// The version in the name of the one `py4j-*-src.zip`.
fn py4j(folder: &Utf8Path) -> Result<String, Error> {
    let mut versions = Vec::new();
    for entry in folder.read_dir_utf8().map_err(Error::io("reading", folder))? {
        let entry = entry.map_err(Error::io("reading", folder))?;
        let version = entry.file_name().strip_prefix("py4j-").and_then(|rest| rest.strip_suffix("-src.zip"));
        versions.extend(version.map(str::to_owned));
    }
    versions.sort();
    match versions.as_slice() {
        [version] => Ok(version.clone()),
        [] => Err(Error::Py4j { folder: folder.to_owned(), found: "none".into() }),
        several => Err(Error::Py4j { folder: folder.to_owned(), found: format!("those of {}", several.join(", ")) }),
    }
}
