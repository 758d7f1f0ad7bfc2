//! A tree with the shape of the one that this repository replaced, and the command on it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The old tree, in git, beside a folder that is none of its business.
pub struct Old {
    pub folder: tempfile::TempDir,
}

/// What goes, with a word of the line in each.
pub const LEGACY: [(&str, &str); 16] = [
    (
        "Makefile",
        "all:\n\tbash build-all.sh\niceberg: all\n\tbash docker/docker-intermediate/jars-iceberg/build-3.5.7.sh\n",
    ),
    ("build-all.sh", "for d in docker/docker-intermediate/*; do (cd $d && ./build.sh); done\n"),
    ("test-images.sh", "docker/docker-intermediate/test-jars.sh\n"),
    ("docker/docker-base/spark-core/Dockerfile", "FROM debian\n"),
    ("docker/docker-base/spark-core/build.sh", "docker build .\n"),
    ("docker/docker-base/spark-core/conf/spark.conf", "a\n"),
    ("docker/docker-intermediate/python-deps/build.sh", "docker build -t spark-k8s-python-deps:latest .\n"),
    ("docker/docker-intermediate/jdbc-drivers/build.sh", "docker build -t spark-k8s-jdbc-drivers:latest .\n"),
    ("docker/docker-intermediate/jars-iceberg/build-3.5.7.sh", "docker build .\n"),
    ("docker/docker-intermediate/jars-iceberg/build-4.1.0.sh", "docker build .\n"),
    ("docker/docker-intermediate/jars-rapids/build.sh", "docker build .\n"),
    ("docker/docker-intermediate/test-jars.sh", "docker run --rm x ls\n"),
    ("docker/runtime/spark/build-3.5.sh", "docker build .\n"),
    ("docker/runtime/spark/build-4.1.sh", "docker build .\n"),
    ("docker/spark-custom/3.5.7/Makefile", "image:\n\tdocker build .\n"),
    ("docker/spark-custom/3.5.7/build.sh", "docker build .\n"),
];

/// What stays, and names nothing of that.
pub const OTHERS: [(&str, &str); 12] = [
    ("test.sh", "docker-compose ps\n"),
    ("build-site.sh", "mkdocs build\n"),
    ("test-mine.sh", "cargo xtask smoke # what lies in docker/docker-intermediate\n"),
    ("ci/build.sh", "docker build .\n"),
    ("ci/test-all.sh", "docker run x\n"),
    ("charts/Makefile", "all:\n\thelm package .\n"),
    ("docker/docker-base/jdk-17/Dockerfile", "FROM debian\n"),
    ("docker/docker-base/jdk-17/test.sh", "docker run x\n"),
    ("docker/docker-intermediate/jars-iceberg/Dockerfile", "FROM spark-core_2.12\n"),
    ("docker/runtime/jupyter/build-3.5.sh", "docker build .\n"),
    ("docker/smoke/jobs/builder.sh", "docker build .\n"),
    ("README.md", "Call `make -C charts all`, and make all of it yours. See charts/Makefile.\n"),
];

/// What names some of it, with the lines that do.
pub const NAMES: [(&str, &str, &[usize]); 5] = [
    (
        ".github/workflows/images.yml",
        "jobs:\n  a:\n    steps:\n      - run: make iceberg\n      - run: ./build.sh\n        \
         working-directory: docker/docker-intermediate/jdbc-drivers\n      - run: ci/build.sh\n",
        &[4, 5],
    ),
    (
        "docs/images.md",
        "# Images\nSee [core](../docker/docker-base/spark-core/Dockerfile).\nThe spark-core.tar is another.\n",
        &[2],
    ),
    ("docker/docker-intermediate/jars-iceberg/README.md", "Run\n\n    ./build-3.5.7.sh\n    build-9.9.9.sh\n", &[3]),
    (
        "ci/all.sh",
        "for s in docker/docker-intermediate/*/build.sh; do $s; done\n$ROOT/docker/runtime/spark/build-3.5.sh\n",
        &[1, 2],
    ),
    ("k8s/pod.yaml", "image: spark-k8s-jdbc-drivers:latest\n", &[]),
];

impl Old {
    pub fn new() -> Self {
        let old = Self { folder: tempfile::tempdir().unwrap() };
        old.write("../outside/precious", "precious");
        let all = LEGACY.iter().chain(&OTHERS).copied().chain(NAMES.iter().map(|(path, text, _)| (*path, *text)));
        for (path, text) in all {
            old.write(path, text);
        }
        old.git(&["init", "-q"]);
        old.commit();
        old
    }

    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join("old").join(path)
    }

    pub fn write(&self, path: impl AsRef<Path>, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "tests make the checkout that they test")]
    pub fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"]).args(args);
        let output = git.current_dir(self.path("")).env("HOME", self.folder.path()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn commit(&self) {
        self.git(&["add", "-A", "-f"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "the old tree"]);
    }

    #[expect(clippy::disallowed_methods, reason = "tests start the program that they test")]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .arg("cleanup-legacy")
            .arg("--root")
            .arg(self.path(""))
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        Ended::of(&self.command(args).output().unwrap())
    }

    /// Every file and link below the checkout, but git's own; a folder without any counts as well.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        fn walk(folder: &Path, root: &Path, files: &mut BTreeSet<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.symlink_metadata().unwrap().is_dir() && path != root.join(".git") {
                    files.insert(path.strip_prefix(root).unwrap().to_owned());
                    walk(&path, root, files);
                } else {
                    files.insert(path.strip_prefix(root).unwrap().to_owned());
                }
            }
        }
        let mut files = BTreeSet::new();
        walk(&self.path(""), &self.path(""), &mut files);
        files
    }

    /// Nothing outside of the checkout was touched.
    #[track_caller]
    pub fn outside_is_well(&self) {
        assert_eq!(fs::read_to_string(self.path("../outside/precious")).unwrap(), "precious");
    }

    /// What is legacy is gone, and all else is there.
    #[track_caller]
    pub fn is_clean(&self) {
        let files = self.files();
        let gone: BTreeSet<PathBuf> = LEGACY.iter().map(|(path, _)| path.into()).collect();
        assert_eq!(files.intersection(&gone).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
        assert!(!files.contains(Path::new("docker/docker-base/spark-core")), "{files:#?}");
        assert!(!files.contains(Path::new("docker/spark-custom")), "an empty folder is left: {files:#?}");
        for path in OTHERS.iter().map(|(path, _)| path).chain(NAMES.iter().map(|(path, ..)| path)) {
            assert!(files.contains(Path::new(path)), "{path} is gone");
        }
        self.outside_is_well();
    }
}

pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    pub fn all(&self) -> String {
        format!("code {:?}\n{}\n{}", self.code, self.stdout, self.stderr)
    }

    #[track_caller]
    pub fn says(&self, words: &str) -> &Self {
        assert!(self.stdout.contains(words) || self.stderr.contains(words), "expected {words:?}, found {}", self.all());
        self
    }

    #[track_caller]
    pub fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.all());
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {}", self.all()))
    }

    /// `file:line` of what still names something.
    pub fn still_named(&self) -> BTreeSet<String> {
        let lines = self.json()["still_named"].as_array().unwrap().clone();
        lines.iter().map(|line| format!("{}:{}", line["file"].as_str().unwrap(), line["line"])).collect()
    }
}

pub fn named() -> BTreeSet<String> {
    let lines = NAMES.iter().flat_map(|(path, _, lines)| lines.iter().map(move |line| format!("{path}:{line}")));
    lines.collect()
}
