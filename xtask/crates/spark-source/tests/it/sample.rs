//! A small source tree: what Spark's has, of each kind one.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, SystemTime},
};

use camino::{Utf8Path, Utf8PathBuf};
use spark_source::{Identity, Tree};
use tempfile::TempDir;

pub(crate) const POM: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <parent>
    <groupId>org.apache</groupId>
    <artifactId>apache</artifactId>
    <version>18</version>
  </parent>
  <groupId>org.apache.spark</groupId>
  <artifactId>spark-parent_2.12</artifactId>
  <version>3.5.7</version>
  <properties>
    <java.version>1.8</java.version>
    <maven.version>3.9.6</maven.version>
    <hadoop.version>3.3.4</hadoop.version>
    <kafka.version>3.4.1</kafka.version>
    <commons-pool2.version>2.11.1</commons-pool2.version>
    <scala.version>2.12.18</scala.version>
    <scala.binary.version>2.12</scala.binary.version>
    <maven.compiler.source>${java.version}</maven.compiler.source>
  </properties>
  <profiles>
    <profile>
      <id>scala-2.13</id>
      <properties>
        <scala.version>2.13.8</scala.version>
      </properties>
    </profile>
  </profiles>
</project>
"#;

/// A tree in a folder that removes itself. The memo lies beside it.
pub(crate) struct Sample {
    _dir: TempDir,
    pub(crate) root: Utf8PathBuf,
    pub(crate) memo: Utf8PathBuf,
}

impl Sample {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(dir.path().canonicalize().unwrap()).unwrap();
        let sample = Self { _dir: dir, root: path.join("spark-3.5.7"), memo: path.join("memo/m") };
        sample.write("pom.xml", POM);
        sample.write("dev/make-distribution.sh", "#!/bin/sh\n");
        sample.write("python/lib/py4j-0.10.9.7-src.zip", "PK");
        sample.write("python/pyspark/version.py", "__version__: str = \"3.5.7.dev0\"\n");
        sample.write("core/src/main/scala/A.scala", "class A\n");
        sample.write("core/src/test/resources/target/expected.txt", "source, whatever its folder is called\n");
        sample.write(".gitignore", "target/\ndist/\n*.log\n");
        fs::set_permissions(sample.root.join("dev/make-distribution.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        sample
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.root.join(path)).unwrap();
    }

    pub(crate) fn link(&self, path: &str, target: &str) {
        std::os::unix::fs::symlink(target, self.root.join(path)).unwrap();
    }

    pub(crate) fn tree(&self) -> Tree {
        Tree::open(&self.root).unwrap()
    }

    /// The identity by a memo in which nothing has settled, by one in which everything has, and without one: the same.
    pub(crate) fn identity(&self) -> Identity {
        let tree = self.tree();
        let found = tree.identity(&self.memo).unwrap();
        assert_eq!(found, self.settled());
        let anew = self.memo.with_extension("anew");
        assert_eq!(found, tree.identity(&anew).unwrap());
        fs::remove_file(anew).unwrap();
        found
    }

    /// The identity by a memo for which every file was left alone long enough. When this returns, whatever is written
    /// has another time.
    pub(crate) fn settled(&self) -> Identity {
        let later = SystemTime::now() + Duration::from_secs(3600);
        let found = self.tree().identity_at(&self.settled_memo(), later).unwrap();
        let clock = self.memo.with_extension("clock");
        let time = || {
            fs::write(&clock, "").unwrap();
            fs::metadata(&clock).unwrap().modified().unwrap()
        };
        let now = time();
        while time() == now {}
        found
    }

    pub(crate) fn settled_memo(&self) -> Utf8PathBuf {
        self.memo.with_extension("settled")
    }

    /// What counts, by the copy.
    pub(crate) fn counted(&self) -> Vec<String> {
        let copy = self.root.parent().unwrap().join("counted");
        let copied = self.tree().copy_to(&copy, &Default::default(), &|_| ()).unwrap();
        assert_eq!(copied, self.identity());
        let files = files_of(&copy);
        fs::remove_dir_all(copy).unwrap();
        files
    }

    /// Gives a file a time in the past. The time of its change remains, which no program can set.
    pub(crate) fn age(&self, path: &str) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
        fs::File::options().write(true).open(self.root.join(path)).unwrap().set_modified(time).unwrap();
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@host.invalid", "-c", "init.defaultBranch=main"];
        let arguments = identity.iter().chain(arguments);
        duct::cmd("git", arguments).dir(&self.root).stdout_null().stderr_null().run().unwrap();
    }
}

/// The files and links below a folder, sorted.
pub(crate) fn files_of(folder: &Utf8Path) -> Vec<String> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(next) = folders.pop() {
        for entry in next.read_dir_utf8().unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.into_path()),
                false => files.push(entry.path().strip_prefix(folder).unwrap().to_string()),
            }
        }
    }
    files.sort();
    files
}
