//! A layout with a base image whose programs are the host's, and images as short listings.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use assemble::{
    Body, Built, Context, Layout, Node, Request, Tree, build,
    context::Entry,
    run::{Network, Runner as _, Running, Secret},
    tree,
};
use camino::{Utf8Path, Utf8PathBuf};
use sandbox::{Mount, Unsupported};

use crate::runner::Runner;

/// 2026-01-01, the time of everything that the tests build.
pub(super) const EPOCH: i64 = 1_767_225_600;

/// The network of a bench that says nothing of it.
const OFF: Network<'static> = Network::Off { allow: "say yes" };

/// Set where it is known that the machine can run a sandbox: then no test is skipped.
const REQUIRED: &str = "SANDBOX_REQUIRED";

pub(super) struct Bench {
    pub(super) layout: Layout,
    pub(super) context: Context,
    pub(super) args: BTreeMap<String, String>,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) network: Network<'static>,
    pub(super) runner: Runner,
    pub(super) emulated: bool,
    pub(super) folder: Utf8PathBuf,
    pub(super) said: Mutex<Vec<String>>,
    /// Whether what commands print is printed.
    pub(super) show: AtomicBool,
    _folder: Option<tempfile::TempDir>,
}

/// An entry of the base image: path, kind as tar's letter, mode, owner, and content or target.
type Line = (&'static str, u8, u32, (u64, u64), &'static str);

const BASE: &[Line] = &[
    ("etc", b'5', 0o755, (0, 0), ""),
    ("etc/group", b'0', 0o644, (0, 0), "root:x:0:\nspark:x:185:\nextra:x:700:spark\n"),
    ("etc/passwd", b'0', 0o644, (0, 0), "root:x:0:0::/root:/bin/sh\nspark:x:185:185::/home/spark:/bin/sh\n"),
    ("old", b'5', 0o755, (185, 185), ""),
    ("old/a", b'0', 0o640, (185, 185), "a\n"),
    ("old/b", b'0', 0o644, (185, 0), "b\n"),
    ("old/link", b'2', 0o777, (185, 185), "a"),
    ("old/sub", b'5', 0o2775, (185, 700), ""),
    ("old/sub/c", b'0', 0o4755, (0, 700), "c\n"),
    ("tmp", b'5', 0o1777, (0, 0), ""),
    ("twin", b'5', 0o755, (0, 0), ""),
    ("twin/1", b'0', 0o644, (185, 185), "twin\n"),
    ("twin/2", b'1', 0o644, (185, 185), "twin/1"),
];

impl Bench {
    /// Nothing where the machine can run no sandbox.
    pub(super) fn new() -> Option<Self> {
        let guard = tempfile::tempdir().unwrap();
        let folder = Utf8PathBuf::from_path_buf(guard.path().to_path_buf()).unwrap();
        Some(Self { _folder: Some(guard), ..Self::at(folder)? })
    }

    /// One in a folder that stays.
    pub(super) fn at(folder: Utf8PathBuf) -> Option<Self> {
        let mut runner = Runner::new(folder.join("sandbox"), catalog::Platform::host().unwrap());
        let emulated = match runner.uid_emulated() {
            Ok(emulated) => emulated,
            Err(error) if error.downcast_ref::<sandbox::Error>().is_some_and(is_unsupported) => {
                assert!(std::env::var_os(REQUIRED).is_none(), "{error}");
                eprintln!("what needs a sandbox is skipped: {error}");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let mut base = tar::Builder::new(Vec::new());
        for (path, kind, mode, owner, content) in BASE {
            append(&mut base, path, *kind, *mode, *owner, content);
        }
        for name in ["bin", "sbin", "lib", "lib32", "lib64", "usr"] {
            let host = Utf8Path::new("/").join(name);
            match host.read_link_utf8() {
                Ok(target) => append(&mut base, name, b'2', 0o777, (0, 0), target.as_str()),
                Err(_) if host.is_dir() => {
                    runner.beside.push(Mount::Bind { source: host.clone(), target: host, read_only: true });
                }
                Err(_) => {}
            }
        }
        let mut bench = Self {
            layout: Layout::create(folder.join("layout")).unwrap(),
            context: Context::new(),
            args: BTreeMap::new(),
            secrets: BTreeMap::new(),
            network: OFF,
            runner,
            emulated,
            folder,
            said: Mutex::default(),
            show: AtomicBool::new(false),
            _folder: None,
        };
        bench.put("base.tar", &base.into_inner().unwrap());
        let image = bench.build("FROM scratch\nADD base.tar /").image;
        bench.layout.tag("base", &image).unwrap();
        Some(bench)
    }

    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) {
        self.context.insert(name, Entry::bytes(false, bytes.to_vec())).unwrap();
    }

    pub(super) fn try_build(&self, dockerfile: &str) -> assemble::Result<Built> {
        let output = |line: &str| {
            if self.show.load(Ordering::Relaxed) {
                println!("{line}");
            }
            self.said.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
        };
        let running = Running {
            runner: &self.runner,
            network: self.network,
            caches: &self.folder.join("caches"),
            secrets: &self.secrets,
            output: &output,
        };
        let (none, images) = (BTreeMap::new(), BTreeMap::new());
        let request = Request {
            dockerfile,
            name: "Dockerfile",
            context: &self.context,
            args: &self.args,
            target: None,
            images: &images,
            labels: &none,
            epoch: EPOCH,
            platform: &"linux/amd64".parse().unwrap(),
            jobs: 2,
            running: Some(&running),
        };
        build(&self.layout, &request)
    }

    pub(super) fn build(&self, dockerfile: &str) -> Built {
        self.try_build(dockerfile)
            .unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string)))
    }

    /// What a build says that cannot be done, with its causes.
    pub(super) fn refuse(&self, dockerfile: &str) -> String {
        match self.try_build(dockerfile) {
            Ok(_) => panic!("was built: {dockerfile}"),
            Err(error) => format!("{:#}", anyhow::Error::new(error)),
        }
    }

    pub(super) fn tree(&self, built: &Built) -> Tree {
        tree(&self.layout, &built.image).unwrap()
    }

    /// What the last layer of an image of these instructions holds, whiteouts and all.
    pub(super) fn layer(&self, instructions: &str) -> Vec<String> {
        let built = self.build(&format!("FROM base\n{instructions}"));
        let layer = built.layers.last().unwrap();
        let mut alone =
            tar::Archive::new(std::fs::File::open(self.layout.blob_path(&layer.descriptor.digest)).unwrap());
        let entries = alone.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let kind = match header.entry_type().as_byte() {
                b'0' => '-',
                b'1' => 'h',
                b'2' => 'l',
                b'5' => 'd',
                b'6' => 'p',
                other => panic!("{other}"),
            };
            assert!(header.mtime().unwrap() <= EPOCH as u64, "{path}");
            let rest = match entry.link_name_bytes() {
                Some(target) => format!(" -> {}", String::from_utf8_lossy(&target)),
                None if kind == '-' => format!(" {}", header.size().unwrap()),
                None => String::new(),
            };
            let (uid, gid) = (header.uid().unwrap(), header.gid().unwrap());
            format!("{kind}{:04o} {uid}:{gid} {}{rest}", header.mode().unwrap(), path.trim_end_matches('/'))
        });
        entries.collect()
    }

    /// The text of a file of an image of these instructions.
    pub(super) fn text(&self, instructions: &str, path: &str) -> String {
        let built = self.build(&format!("FROM base\n{instructions}"));
        text(&self.tree(&built), path)
    }

    pub(super) fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }
}

fn is_unsupported(error: &sandbox::Error) -> bool {
    matches!(error, sandbox::Error::Unsupported(Unsupported { .. }))
}

pub(super) fn text(tree: &Tree, path: &str) -> String {
    match tree.follow(path).map(|node: &Node| &node.body) {
        Some(Body::File(file)) => String::from_utf8(file.bytes(1 << 20).unwrap()).unwrap(),
        other => panic!("{path}: {other:?}"),
    }
}

fn append(tar: &mut tar::Builder<Vec<u8>>, path: &str, kind: u8, mode: u32, owner: (u64, u64), content: &str) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_mode(mode);
    header.set_uid(owner.0);
    header.set_gid(owner.1);
    header.set_mtime(1_000_000_000);
    if matches!(kind, b'1' | b'2') {
        header.set_size(0);
        tar.append_link(&mut header, path, content).unwrap();
    } else {
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
}
