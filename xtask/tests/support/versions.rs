//! A repository in git with what a Spark version has in the real one, and registries that know more versions.

use std::{fs, io::Write as _, process::Command};

use super::{Repository, Run};

const TABLE: &str = include_str!("versions.toml");

/// The folders of POMs, by what they say of a Spark version.
pub struct Upstream<'a> {
    pub scala: &'a str,
    pub kafka: &'a str,
    pub hive: &'a str,
}

pub const UNCHANGED: Upstream<'static> = Upstream { scala: "2.12", kafka: "3.4.1", hive: "2.3.9" };

pub struct Versions {
    pub repository: Repository,
}

impl Versions {
    /// Spark 3.5.7 is supported and locked, 3.5.8 is not; the registries know both, and the commit holds all of it.
    pub fn new() -> Self {
        let versions = Self { repository: Repository::new() };
        let here = &versions.repository;
        here.write("docker/versions.toml", TABLE);
        here.write(".gitignore", "target/\n");
        here.write("README.md", "# Images\n\n<!-- table:versions -->\n<!-- /table -->\n\nSpark 3.5.7 is here: `cargo xtask plan --spark 3.5.7`\n\nSpark 3.5.7 is here.\n\n<!-- table:images -->\n<!-- /table -->\n");
        here.write(
            "docker/custom/image.toml",
            "# All of Spark.\nname = \"custom\"\nabout = \"Spark {spark}\"\nper = \"spark\"\ntags = [\"{spark}\"]\ndockerfile = \"Dockerfile.{spark}\"\n\
             \n[parents]\nPARENT = \"base\"\n\
             \n[[stage]]\ninto = \"spark/\"\nspark-home = true\n\
             \n# The release lacks it.\n[[stage]]\ninto = \"jars/\"\nspark = [\"3.5.7\"]      # and not later\nmaven = [\"org.example:connector_{scala}:{spark}\"]\n\
             \n[[stage]]\ninto = \"kafka/\"\nmaven = [\"org.example:kafka:{kafka}\"]\n",
        );
        here.write("docker/custom/Dockerfile.3.5.7", "# Spark 3.5.7\nARG PARENT\nFROM ${PARENT}\n");
        fs::remove_file(here.path("docker/custom/Dockerfile")).unwrap();
        here.write("docker/spark-custom/patches/3.5.7/0001-a.patch", "--- 3.5.7\n");
        here.write(
            "docker/wrapper-3.5.7/image.toml",
            "id = \"wrapper\"\nname = \"wrapper-3.5.7\"\nabout = \"a\"\nper = \"spark\"\nspark = [\"3.5.7\"]\ntags = [\"{spark}\"]\n\n[parents]\nPARENT = \"custom\"\n",
        );
        here.write("docker/wrapper-3.5.7/Dockerfile", "ARG PARENT\nFROM ${PARENT}\n");
        here.write("docker/wrapper-3.5.7/README.md", "# Spark 3.5.7\n\n<!-- table:tags -->\n<!-- /table -->\n");
        here.write(
            "docker/runtime/image.toml",
            "name = \"runtime\"\nabout = \"a\"\nper = \"spark\"\ntags = [\"{line}-{spark}\"]\n\n[parents]\nPARENT = \"wrapper\"\n\
             \n[[stage]]\ninto = \"jars/\"\nmaven = [\"org.example:plugin_{scala}:{plugin}\"]\n\
             shims = { plugin = \"plugin\", files = \"spark*/shim\" }\n\
             \n[[stage]]\ninto = \"conf/\"\nshim = \"forced\"\ntexts = { \"plugin.conf\" = \"shim={plugin-shim}\" }\n",
        );
        let files = &here.registry.files;
        for jar in ["connector_2.12:3.5.7", "connector_2.12:3.5.8", "kafka:3.4.1", "kafka:3.9.1"] {
            let (name, version) = jar.split_once(':').unwrap();
            files.put(&format!("/maven/org/example/{name}/{version}/{name}-{version}.jar"), jar);
        }
        versions.publish("3.5.7", &UNCHANGED);
        versions.publish("3.5.8", &UNCHANGED);
        versions.index(&["3.5.7", "3.5.8"]);
        versions.plugin(&["spark356/shim", "spark358/shim"]);
        here.ok(&["lock"]);
        here.ok(&["docs"]);
        for args in
            [&["init", "-q"][..], &["add", "-A"], &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]]
        {
            versions.git(args);
        }
        versions
    }

    /// Puts the POM of a version into the registry.
    pub fn publish(&self, version: &str, upstream: &Upstream<'_>) {
        let silent = format!("/maven/org/example/silent/{version}/silent-{version}.pom");
        self.repository.registry.files.put(&silent, "<project/>");
        let Upstream { scala, kafka, hive } = upstream;
        let pom = format!(
            "<project><version>{version}</version><properties><scala.binary.version>{scala}</scala.binary.version>\
             <kafka.version>{kafka}</kafka.version><hive.version>{hive}</hive.version></properties></project>"
        );
        self.repository
            .registry
            .files
            .put(&format!("/maven/org/example/parent_{scala}/{version}/parent_{scala}-{version}.pom"), pom);
    }

    /// Puts the source distributions of some versions into the index: none of them is ever unpacked.
    pub fn index(&self, versions: &[&str]) {
        let page = versions.iter().map(|version| {
            let file = format!("pyspark-{version}.tar.gz");
            self.repository.registry.files.put(&format!("/files/{file}"), version.as_bytes());
            format!("<a href=\"../../files/{file}\">{file}</a>")
        });
        self.repository.registry.files.put("/simple/pyspark/", page.collect::<String>());
    }

    /// Puts the plugin into the registry: a jar with these files.
    pub fn plugin(&self, files: &[&str]) {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for file in files {
            zip.start_file(*file, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(b"a").unwrap();
        }
        let jar = zip.finish().unwrap().into_inner();
        self.repository.registry.files.put("/maven/org/example/plugin_2.12/1/plugin_2.12-1.jar", jar);
    }

    #[expect(clippy::disallowed_methods, reason = "tests make the checkout that they test")]
    pub fn git(&self, args: &[&str]) -> Run {
        let output = Command::new("git").args(args).current_dir(self.repository.path("")).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
        Run::of(&output)
    }

    /// What differs from the commit.
    pub fn status(&self) -> String {
        self.git(&["status", "--porcelain", "--untracked-files=all"]).stdout
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.repository.path(path)).unwrap()
    }
}
