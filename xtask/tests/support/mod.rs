#![allow(unreachable_pub, dead_code, reason = "a module that the test files share")]
//! A small repository of our own and a registry on loopback, for tests of whole commands.

pub mod stand_ins;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

#[path = "versions.rs"]
pub mod versions;

/// What a registry has, by path. Shared with the thread that serves it.
#[derive(Clone, Default)]
pub struct Files(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Files {
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.0.lock().unwrap().insert(path.to_owned(), bytes.into());
    }

    pub fn remove(&self, path: &str) {
        self.0.lock().unwrap().remove(path);
    }

    pub fn get(&self, path: &str) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(path).cloned()
    }
}

/// What `docker/audit.toml` says of the images of a `Repository`, whose jars are none.
pub const EXCEPTION: &str =
    "[[allow]]\nrule = \"broken-jar\"\npaths = [\"opt/spark/jars/*.jar\"]\nreason = \"a test\"\n";

/// A registry on a port that the system gives. It answers GET and HEAD with a file, a range of it, or 404.
pub struct Registry {
    pub files: Files,
    address: String,
    /// Paths that are answered with a header and then with silence, until the client goes away.
    pub stalls: Files,
}

impl Registry {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Self {
            files: Files::default(),
            address: listener.local_addr().unwrap().to_string(),
            stalls: Files::default(),
        };
        let (files, stalls) = (registry.files.clone(), registry.stalls.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (files, stalls) = (files.clone(), stalls.clone());
                // A client that goes away is no matter of the server's.
                thread::spawn(move || drop(answer(&stream, &files, &stalls)));
            }
        });
        registry
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn variable(&self) -> String {
        format!("maven=http://{0}/maven pypi=http://{0}/simple", self.address)
    }
}

fn answer(stream: &TcpStream, files: &Files, stalls: &Files) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("").to_owned());
        let mut range = None;
        while line.trim() != "" {
            line.clear();
            reader.read_line(&mut line)?;
            range = range.or_else(|| range_of(&line));
        }
        let mut out = stream;
        if let Some(bytes) = stalls.get(&path) {
            write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len())?;
            // Nothing more comes; reading ends when the client closes the connection.
            return reader.read(&mut [0]).map(drop);
        }
        match files.get(&path) {
            Some(bytes) if range.is_some_and(|(_, end)| end < bytes.len()) => {
                let part = range.map_or(&bytes[..], |(start, end)| &bytes[start..=end]);
                write!(out, "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n\r\n", part.len())?;
                out.write_all(part)?;
            }
            Some(bytes) => {
                write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len())?;
                if method != "HEAD" {
                    out.write_all(&bytes)?;
                }
            }
            None => write!(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?,
        }
    }
}

/// First and last byte of the one range that a header asks for.
fn range_of(header: &str) -> Option<(usize, usize)> {
    let header = header.to_lowercase();
    let (start, end) = header.strip_prefix("range: bytes=")?.trim().split_once('-')?;
    Some((start.parse().ok()?, end.parse().ok()?))
}

/// A repository with a base, one image on it for one Spark version and a runtime on that, and a registry that has all
/// they need.
pub struct Repository {
    folder: tempfile::TempDir,
    pub registry: Arc<Registry>,
    store: Arc<tempfile::TempDir>,
}

const TABLE: &str = r#"
epoch = 2026-01-31T00:00:00Z
origin = "release"
platforms = ["linux/amd64"]
[versions]
hadoop = "3.4.2"
library = "1.0"
[debian]
suites = ["bookworm"]
components = ["main"]
python = "3.11"
glibc = "2.36"
[release.take]
"deps/jars" = "jars"
[spark."3.5.7"]
scala = "2.12"
[unsupported."3.5.8"]
reason = "nobody tried"
"#;

pub const LIBRARY: &str = "/maven/org/example/library/1.0/library-1.0.jar";

impl Repository {
    pub fn new() -> Self {
        let registry = Registry::start();
        registry.files.put(LIBRARY, "a jar");
        registry.files.put("/files/pyspark-3.5.7.tar.gz", sdist());
        let page = "<a href=\"../../files/pyspark-3.5.7.tar.gz\">pyspark-3.5.7.tar.gz</a>";
        registry.files.put("/simple/pyspark/", page);
        Self::beside(&Arc::new(registry), &Arc::new(tempfile::tempdir().unwrap()))
    }

    /// Another checkout on the same machine, with the same store.
    pub fn another(&self) -> Self {
        Self::beside(&self.registry, &self.store)
    }

    /// Another checkout with a store of its own.
    pub fn elsewhere(&self) -> Self {
        Self::beside(&self.registry, &Arc::new(tempfile::tempdir().unwrap()))
    }

    fn beside(registry: &Arc<Registry>, store: &Arc<tempfile::TempDir>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Self { folder, registry: Arc::clone(registry), store: Arc::clone(store) };
        repository.write("docker/versions.toml", TABLE);
        repository.write(
            "docker/base/image.toml",
            "name = \"base\"\nabout = \"a\"\ntags = [\"1\"]\n[[stage]]\ninto = \"rootfs/\"\nfolder = \"rootfs\"\n",
        );
        repository.write("docker/base/Dockerfile", "FROM scratch\nCOPY rootfs/ /\n");
        repository.write("docker/base/rootfs/etc/base.conf", "base");
        repository.write(
            "docker/custom/image.toml",
            "name = \"custom\"\nabout = \"a\"\nper = \"spark\"\ntags = [\"{spark}\"]\n[parents]\nPARENT = \"base\"\n\
             [[stage]]\ninto = \"spark/\"\nspark-home = true\n\
             [[stage]]\ninto = \"jars/\"\nmaven = [\"org.example:library:{library}\"]\n",
        );
        repository.write(
            "docker/custom/Dockerfile",
            "ARG PARENT\nFROM ${PARENT}\nCOPY spark/ /opt/spark/\nCOPY jars/ /opt/spark/jars/\nENV SPARK_HOME=/opt/spark\n",
        );
        repository.write(
            "docker/runtime/image.toml",
            "name = \"runtime\"\nabout = \"a\"\nper = \"spark\"\ntags = [\"{line}-{spark}\", \"{line}\"]\n[parents]\nPARENT = \"custom\"\n\
             [[stage]]\ninto = \"rootfs/\"\nfolder = \"rootfs\"\n",
        );
        repository.write("docker/runtime/Dockerfile", "ARG PARENT\nFROM ${PARENT}\nCOPY rootfs/ /\n");
        repository.write("docker/runtime/rootfs/run", "run");
        repository
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub fn store(&self) -> &Path {
        self.store.path()
    }

    pub fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn replace(&self, relative: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(relative)).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        self.write(relative, &text.replace(from, to));
    }

    /// The command line, with an environment that holds nothing of this machine's clients.
    #[expect(clippy::disallowed_methods, reason = "tests start the program that they test")]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("SPARK_IMAGES_CACHE", self.store.path())
            .env("SPARK_IMAGES_REGISTRIES", self.registry.variable())
            .stdin(Stdio::null())
            // A signal for the child must not reach the tests.
            .process_group(0);
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        Run::of(&self.command(args).output().unwrap())
    }

    pub fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs a command that must succeed.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, Some(0), "{args:?}\n{}\n{}", run.stdout, run.stderr);
        run
    }

    /// Digest of each built image, by name.
    pub fn digests(&self) -> BTreeMap<String, String> {
        let list: serde_json::Value = serde_json::from_str(&self.ok(&["list", "--json"]).stdout).unwrap();
        let images = list.as_array().unwrap().iter();
        images.map(|image| (image["image"].to_string(), image["digest"].to_string())).collect()
    }

    /// `name: state` of each image of the plan.
    pub fn plan(&self) -> Vec<String> {
        let plan: serde_json::Value = serde_json::from_str(&self.ok(&["plan", "--json"]).stdout).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let images = plan.as_array().unwrap().iter();
        images.map(|image| format!("{}: {}", text(&image["image"]), text(&image["state"]))).collect()
    }
}

/// What a command said.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    #[track_caller]
    pub fn says(&self, words: &str) {
        assert!(
            self.stdout.contains(words) || self.stderr.contains(words),
            "expected {words:?}, found (code {:?})\n{}\n{}",
            self.code,
            self.stdout,
            self.stderr
        );
    }
}

/// A source distribution with two jars, one of half a megabyte.
fn sdist() -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(gzip);
    let noise: Vec<u8> = (0..500_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (path, bytes) in [("pyspark-3.5.7/deps/jars/a.jar", b"a".as_slice()), ("pyspark-3.5.7/deps/jars/b.jar", &noise)]
    {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, bytes).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}
