//! What is a tree, what is none, and what a tree says of itself.

use std::fs;

use spark_source::Tree;

use crate::sample::{POM, Sample};

fn refusal(sample: &Sample, path: &str) -> String {
    Tree::open(&sample.root.join(path)).unwrap_err().to_string()
}

#[test]
fn the_versions_are_those_of_the_project_itself() {
    let tree = Sample::new().tree();
    let pom = tree.pom();
    assert_eq!((pom.version.as_str(), pom.scala_binary.as_str(), pom.scala.as_str()), ("3.5.7", "2.12", "2.12.18"));
    assert_eq!((pom.hadoop.as_str(), pom.maven.as_str(), pom.java.as_str()), ("3.3.4", "3.9.6", "1.8"));
    let rest = (pom.kafka.as_str(), pom.commons_pool2.as_str(), pom.py4j.as_str());
    assert_eq!(pom.pyspark, "3.5.7.dev0");
    assert_eq!(rest, ("3.4.1", "2.11.1", "0.10.9.7"));
    assert_eq!(pom.properties["maven.compiler.source"], "${java.version}");
}

#[test]
fn an_error_in_the_pom_names_file_and_line() {
    let sample = Sample::new();
    let error = |text: String| {
        sample.write("pom.xml", &text);
        let error = refusal(&sample, "");
        error.strip_prefix(sample.root.as_str()).unwrap().to_owned()
    };
    let without = POM.replace("    <kafka.version>3.4.1</kafka.version>\n", "");
    assert_eq!(error(without), "/pom.xml:12: expected <kafka.version> in <properties>, found none");
    let computed = POM.replace(">3.9.6<", ">${x}<");
    assert_eq!(error(computed), "/pom.xml:14: expected a version in <maven.version>, found `${x}`");
    assert_eq!(error(POM.replace(">3.3.4<", "><")), "/pom.xml:15: expected a version in <hadoop.version>, found ``");
    sample.write("pom.xml", "<project>\n<oh");
    assert!(refusal(&sample, "").ends_with("/pom.xml"));
}

#[test]
fn there_is_one_py4j() {
    let sample = Sample::new();
    sample.write("python/lib/py4j-0.10.9.9-src.zip", "PK");
    let error = refusal(&sample, "");
    assert!(error.ends_with("/python/lib, found those of 0.10.9.7, 0.10.9.9"), "{error}");
    sample.remove("python/lib/py4j-0.10.9.9-src.zip");
    sample.remove("python/lib/py4j-0.10.9.7-src.zip");
    let error = refusal(&sample, "");
    assert!(error.ends_with("/python/lib, found none"), "{error}");
}

#[test]
fn what_is_no_tree_is_called_by_its_name() {
    let sample = Sample::new();
    let root = &sample.root;
    assert!(refusal(&sample, "..").ends_with(&format!("found one below it: {root}")));
    assert!(refusal(&sample, "core/src").ends_with(&format!("found a part of one: {root}")));
    assert!(refusal(&sample, "pom.xml").ends_with("found a file: unpack it if it is an archive"));
    assert!(refusal(&sample, "gone").starts_with("reading "));
    let other = |files: &[&str]| {
        let folder = root.parent().unwrap().join("other/x");
        for file in files {
            fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            fs::write(folder.join(file), "<project><artifactId>other</artifactId></project>").unwrap();
        }
        let error = Tree::open(&folder).unwrap_err().to_string();
        fs::remove_dir_all(folder).unwrap();
        error
    };
    let binary = other(&["jars/a.jar", "bin/spark-submit", "RELEASE"]);
    assert!(binary.ends_with("found a binary distribution, which is compiled already"), "{binary}");
    assert!(
        other(&["setup.py", "pyspark/a.py"]).ends_with("found a Python source distribution, which is compiled already")
    );
    assert!(other(&["pom.xml"]).ends_with("found another Maven project"));
    assert!(other(&["x"]).ends_with("found neither"));
    assert!(
        other(&["pom.xml", "dev/make-distribution.sh"]).ends_with("found a pom.xml that is not that of spark-parent")
    );
}
