//! What the tests work on: archives made entry by entry, and an image whose programs are the host's.

use std::{collections::BTreeMap, env, fs};

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use sandbox::{Cancel, Error, Layers, Mount, Outcome, Root, Sandbox, Spec};
use tar::{Builder, EntryType, Header};

/// A layer in the making.
pub(crate) struct Archive(Builder<Vec<u8>>);

impl Archive {
    pub(crate) fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn add(mut self, kind: EntryType, path: &str, mode: u32, owner: (u64, u64), link: &str, bytes: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(owner.0);
        header.set_gid(owner.1);
        header.set_mtime(1_000_000_000);
        header.set_size(bytes.len() as u64);
        // The builder refuses names that a hostile archive may well have.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.append(&header, bytes).unwrap();
        self
    }

    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        self.owned_file(path, 0o644, (0, 0), text)
    }

    pub(crate) fn owned_file(self, path: &str, mode: u32, owner: (u64, u64), text: &str) -> Self {
        self.add(EntryType::Regular, path, mode, owner, "", text.as_bytes())
    }

    pub(crate) fn folder(self, path: &str, mode: u32, owner: (u64, u64)) -> Self {
        self.add(EntryType::Directory, path, mode, owner, "", b"")
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.add(EntryType::Symlink, path, 0o777, (0, 0), target, b"")
    }

    pub(crate) fn hard_link(self, path: &str, target: &str) -> Self {
        self.add(EntryType::Link, path, 0o644, (0, 0), target, b"")
    }

    pub(crate) fn other(self, kind: EntryType, path: &str) -> Self {
        self.add(kind, path, 0o644, (0, 0), "", b"")
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// A folder with layers and a sandbox.
pub(crate) struct Bench {
    _dir: tempfile::TempDir,
    pub(crate) path: Utf8PathBuf,
    pub(crate) layers: Layers,
    sandbox: Option<Sandbox>,
}

/// Set where it is known that the machine can run a sandbox: then none of its tests is skipped.
const REQUIRED: &str = "SANDBOX_REQUIRED";

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        let (layers, sandbox) = match Sandbox::open(&path) {
            Ok(sandbox) => (sandbox.layers().unwrap(), Some(sandbox)),
            Err(Error::Unsupported(reason)) => {
                assert!(env::var_os(REQUIRED).is_none(), "{reason}");
                eprintln!("what needs a sandbox is skipped: {reason}");
                (Layers::open(&path, false).unwrap(), None)
            }
            Err(error) => panic!("{error}"),
        };
        Self { _dir: dir, path, layers, sandbox }
    }

    /// The sandbox, if this machine can run one.
    pub(crate) fn sandbox(&self) -> Option<Sandbox> {
        self.sandbox.clone()
    }

    /// Whether files have their true owners.
    pub(crate) fn owned(&self) -> bool {
        self.sandbox.as_ref().is_some_and(|sandbox| !sandbox.support().uid_emulated)
    }

    pub(crate) fn tar(&self, archive: Archive) -> (Digest, Utf8PathBuf) {
        let bytes = archive.bytes();
        let digest = Digest::of(&bytes);
        let path = self.path.join(format!("{}.tar", digest.hex()));
        fs::write(&path, bytes).unwrap();
        (digest, path)
    }

    pub(crate) fn unpack(&self, archive: Archive) -> Result<Digest, Error> {
        let (digest, tar) = self.tar(archive);
        self.layers.unpack(digest, &tar).map(|_| digest)
    }

    pub(crate) fn root(&self, archives: impl IntoIterator<Item = Archive>) -> Root {
        let digests: Vec<Digest> = archives.into_iter().map(|archive| self.unpack(archive).unwrap()).collect();
        self.layers.root(&digests).unwrap()
    }

    /// A command in an image that holds `archives` over a base whose programs are the host's.
    pub(crate) fn spec(&self, archives: impl IntoIterator<Item = Archive>, argv: &[&str]) -> Spec {
        let mut base = Archive::new()
            .folder("./", 0o755, (0, 0))
            .folder("etc", 0o755, (0, 0))
            .folder("tmp", 0o1777, (0, 0))
            .file("etc/passwd", "root:x:0:0::/root:/bin/sh\nspark:x:185:185::/home/spark:/bin/sh\n")
            .file("etc/group", "root:x:0:\nspark:x:185:\nextra:x:700:spark\n");
        let mut mounts = Vec::new();
        for folder in ["bin", "sbin", "lib", "lib32", "lib64", "usr"] {
            let host = Utf8Path::new("/").join(folder);
            match host.read_link_utf8() {
                Ok(target) => base = base.symlink(folder, target.as_str()),
                Err(_) if host.is_dir() => {
                    mounts.push(Mount::Bind { source: host.clone(), target: host, read_only: true });
                }
                Err(_) => {}
            }
        }
        let root = self.root([base].into_iter().chain(archives));
        let mut spec = Spec::new(root, argv.iter().copied());
        spec.mounts = mounts;
        spec.env = BTreeMap::from([("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned())]);
        spec
    }
}

pub(crate) fn run(sandbox: &Sandbox, spec: Spec) -> Outcome {
    sandbox.run(spec, &Cancel::new()).unwrap()
}

/// Standard output of a script, which must end well.
pub(crate) fn says(sandbox: &Sandbox, spec: Spec) -> String {
    let outcome = run(sandbox, spec);
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success(), "{:?}: {stderr}", outcome.status);
    String::from_utf8(outcome.stdout).unwrap()
}
