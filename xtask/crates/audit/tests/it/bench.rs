//! Images made of a few small files, and what an audit says of them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::{Cursor, Write as _},
    sync::Arc,
};

use audit::{
    Exceptions, Finding, Scope, Severity, combine,
    expect::{Expect, Known, Spark},
    image::Documents,
    judge,
    layer::LayerReader,
};
use blob::Digest;
use camino::Utf8PathBuf;
use oci::{Descriptor, Layout, media_type};
use tar::{EntryType, Header};
use zip::{ZipWriter, write::SimpleFileOptions};

/// A file system entry.
#[derive(Clone)]
pub(crate) struct Entry {
    path: String,
    kind: EntryType,
    mode: u32,
    bytes: Vec<u8>,
    target: String,
    pax: Option<(String, Vec<u8>)>,
}

pub(crate) fn file(path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> Entry {
    Entry { path: path.into(), kind: EntryType::Regular, mode, bytes: bytes.into(), target: String::new(), pax: None }
}

pub(crate) fn dir(path: &str, mode: u32) -> Entry {
    Entry { kind: EntryType::Directory, ..file(path, mode, "") }
}

pub(crate) fn link(path: &str, target: &str) -> Entry {
    Entry { kind: EntryType::Symlink, target: target.into(), ..file(path, 0o777, "") }
}

/// A file with an extended attribute.
pub(crate) fn capable(path: &str) -> Entry {
    Entry { pax: Some(("SCHILY.xattr.security.capability".into(), vec![1, 0, 0, 2])), ..file(path, 0o755, "x") }
}

/// A jar with these entries.
pub(crate) fn jar(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A jar in Spark's class path.
pub(crate) fn spark_jar(name: &str, entries: &[(&str, &str)]) -> Entry {
    file(&format!("opt/spark/jars/{name}"), 0o644, jar(entries))
}

/// An image, and what is known of it.
pub(crate) struct Bench {
    layers: Vec<(String, Vec<Entry>)>,
    pub(crate) env: Vec<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) history: Vec<String>,
    pub(crate) exceptions: String,
    pub(crate) without_spark: Option<String>,
    /// Whether the lock knows all jars.
    pub(crate) locked: bool,
    pub(crate) spark: &'static str,
    folder: tempfile::TempDir,
}

/// One line for each finding: severity, rule, place, message.
pub(crate) fn lines(findings: &[Finding]) -> Vec<String> {
    let line = |finding: &Finding| {
        let line = finding.place.line.map(|line| format!(":{line}")).unwrap_or_default();
        let (severity, rule, path) = (finding.severity, finding.rule.id(), &finding.place.path);
        format!("{severity} {rule} {path}{line} {}", finding.message)
    };
    findings.iter().map(line).collect()
}

impl Bench {
    /// An image with nothing wrong: a Spark of 4.1.0 for Scala 2.13.
    pub(crate) fn clean() -> Self {
        let hadoop = [("common-version-info.properties", "version=3.4.2\n"), ("org/apache/hadoop/A.class", "a")];
        let kafka = (
            "META-INF/maven/org.apache.kafka/kafka-clients/pom.properties",
            "groupId=org.apache.kafka\nartifactId=kafka-clients\nversion=3.9.1\n",
        );
        let base = vec![
            dir("tmp", 0o1777),
            dir("opt", 0o755),
            file("etc/passwd", 0o644, "root:x:0:0::/root:/bin/sh\n"),
            file("usr/share/java/packaged.jar", 0o644, jar(&[("p/P.class", "p")])),
            file("var/lib/dpkg/info/packaged.list", 0o644, "/usr\n/usr/share/java/packaged.jar\n"),
            link("etc/mtab", "/proc/mounts"),
        ];
        let spark = vec![
            dir("opt/spark/work-dir", 0o2775),
            spark_jar("hadoop-client-api-3.4.2.jar", &hadoop),
            spark_jar("hadoop-shaded-guava-1.4.0.jar", &[("org/apache/hadoop/thirdparty/G.class", "g")]),
            spark_jar("bundle-2.29.52.jar", &[("software/amazon/awssdk/core/SdkClient.class", "s")]),
            spark_jar("spark-core_2.13-4.1.0.jar", &[("org/apache/spark/A.class", "a"), ("module-info.class", "m")]),
            spark_jar("scala-library-2.13.17.jar", &[("scala/A.class", "a"), ("module-info.class", "n")]),
            spark_jar("kafka-clients-3.9.1.jar", &[("org/apache/kafka/A.class", "a"), kafka]),
            spark_jar("commons-pool2-2.12.1.jar", &[("META-INF/versions/11/org/apache/spark/A.class", "b")]),
            spark_jar("py4j-0.10.9.9.jar", &[("py4j/A.class", "a"), ("py4j/package-info.class", "p")]),
            spark_jar("iceberg-spark-runtime-4.1_2.13-1.11.0.jar", &[("org/apache/iceberg/A.class", "a")]),
            link("opt/jdbc/kafka.jar", "/opt/spark/jars/kafka-clients-3.9.1.jar"),
            file("opt/spark/python/lib/py4j-0.10.9.9-src.zip", 0o644, "zip"),
        ];
        let mut bench = Self {
            layers: Vec::new(),
            env: ["SPARK_HOME=/opt/spark", "PYTHONPATH=/opt/spark/python:/opt/spark/python/lib/py4j-0.10.9.9-src.zip"]
                .map(str::to_owned)
                .into(),
            labels: BTreeMap::new(),
            history: Vec::new(),
            exceptions: String::new(),
            without_spark: None,
            locked: true,
            spark: "4.1.0",
            folder: tempfile::tempdir().unwrap(),
        };
        bench.layer("ADD rootfs.tar /", base);
        bench.layer("COPY spark/ /opt/spark/", spark);
        bench
    }

    /// Puts a layer on top.
    pub(crate) fn layer(&mut self, instruction: &str, entries: Vec<Entry>) {
        self.layers.push((instruction.to_owned(), entries));
    }

    /// A clean image with one more layer.
    pub(crate) fn with(entries: Vec<Entry>) -> Self {
        let mut bench = Self::clean();
        bench.layer("COPY more/ /", entries);
        bench
    }

    /// What is found, as lines.
    pub(crate) fn found(&self) -> Vec<String> {
        lines(&self.judge().unwrap())
    }

    /// What is found; exceptions that excuse nothing are among it.
    pub(crate) fn judge(&self) -> audit::Result<Vec<Finding>> {
        let (layout, image) = self.write();
        let documents = Documents::read(&layout, &image)?;
        let reader = LayerReader::default();
        let mut layers = HashMap::new();
        for layer in documents.layers() {
            layers.insert(layer.digest, Arc::new(reader.read(&layout, layer)?));
        }
        let image = documents.image("image:1", &layers)?;
        let exceptions = Exceptions::parse(&self.exceptions, Scope::Images)?;
        let findings = judge(&image, &self.expect(), reader.names(), &exceptions);
        assert!(findings.iter().all(|finding| finding.images == ["image:1"]));
        Ok(combine(findings.into_iter().chain(exceptions.unused(true))))
    }

    fn expect(&self) -> Expect {
        let jars = self.layers.iter().flat_map(|(_, entries)| entries).filter(|entry| entry.path.ends_with(".jar"));
        let jars = jars.filter(|entry| self.locked && !entry.path.ends_with("packaged.jar"));
        let digests: HashSet<Digest> = jars.map(|entry| Digest::of(&entry.bytes)).collect();
        let built_with = [("kafka-clients", "3.9.1"), ("commons-pool2", "2.12.1"), ("py4j", "0.10.9.9")];
        let spark = Spark {
            version: self.spark.to_owned(),
            line: self.spark.rsplit_once('.').unwrap().0.to_owned(),
            scala: "2.13".to_owned(),
            hadoop: "3.4.2".to_owned(),
            built_with: built_with.map(|(name, version)| (name.to_owned(), version.to_owned())).into(),
        };
        Expect { spark: Some(spark), known: Known { digests, without_spark: self.without_spark.clone() } }
    }

    /// Writes the image into a layout.
    pub(crate) fn write(&self) -> (Layout, Descriptor) {
        let root = Utf8PathBuf::try_from(self.folder.path().to_owned()).unwrap();
        let layout = Layout::create(root.join("layout")).unwrap();
        let (mut layers, mut history) = (Vec::new(), Vec::new());
        for (instruction, entries) in &self.layers {
            layers.push(put_layer(&layout, &tar(entries)));
            history.push(serde_json::json!({ "created_by": instruction }));
        }
        for line in &self.history {
            history.push(serde_json::json!({ "created_by": line, "empty_layer": true }));
        }
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| layer.digest).collect();
        let config = serde_json::json!({
            "architecture": "amd64", "os": "linux", "history": history,
            "config": { "Env": self.env, "Labels": self.labels },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = layout.put(media_type::CONFIG, &config).unwrap();
        let manifest = serde_json::json!({ "schemaVersion": 2, "mediaType": media_type::MANIFEST, "config": config, "layers": layers });
        let image = layout.put(media_type::MANIFEST, &manifest).unwrap();
        (layout, image)
    }
}

/// Stores these bytes as a layer.
pub(crate) fn put_layer(layout: &Layout, bytes: &[u8]) -> Descriptor {
    let mut pending = layout.pending().unwrap();
    pending.write_all(bytes).unwrap();
    let (digest, size) = layout.adopt(pending).unwrap();
    Descriptor::new(media_type::LAYER, digest, size)
}

fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        if let Some((key, value)) = &entry.pax {
            builder.append_pax_extensions([(key.as_str(), value.as_slice())]).unwrap();
        }
        let mut header = Header::new_gnu();
        header.set_entry_type(entry.kind);
        header.set_mode(entry.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(entry.bytes.len() as u64);
        if !entry.target.is_empty() {
            header.set_link_name(&entry.target).unwrap();
        }
        // `append_data` refuses paths with `..`, which is what a hostile layer has.
        header.as_mut_bytes()[..entry.path.len()].copy_from_slice(entry.path.as_bytes());
        header.set_cksum();
        builder.append(&header, entry.bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// How many findings there are of each severity.
pub(crate) fn worst(findings: &[Finding]) -> Option<Severity> {
    findings.iter().map(|finding| finding.severity).max()
}
