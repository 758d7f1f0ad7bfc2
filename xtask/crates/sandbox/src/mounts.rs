//! From a [`Spec`] to a table of mounts (fstab(5)) and the files that they need. Nothing is mounted here.
//!
//! Mount points that the image lacks are made in a lower layer of their own, above the image's: what the command changes
//! is then all that the upper folder holds.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    os::unix::fs::{lchown, symlink},
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    Error, Mount, Network, Spec,
    record::Meta,
    root::Kind,
    scratch::{Scratch, make_folder, set_mode},
    support::Mode,
};

/// Where the changes of a run go.
#[derive(Clone, Copy)]
pub(crate) enum UpperAt<'a> {
    /// Into the scratch folder.
    Scratch,
    /// Into memory, for a disk that overlayfs cannot write to.
    Memory,
    /// Into a folder of the caller.
    Kept(&'a Utf8Path),
}

/// Prepares `scratch` for the setup script. Returns the mounts that it has to make read-only at the end.
pub(crate) fn prepare(
    scratch: &Scratch,
    spec: &Spec,
    mode: Mode,
    upper: UpperAt<'_>,
) -> Result<Vec<Utf8PathBuf>, Error> {
    let mut table = Table {
        spec,
        scratch,
        root: scratch.folder("root", 0o755)?,
        lines: String::new(),
        read_only: Vec::new(),
        above: BTreeMap::new(),
    };
    let sys = scratch.folder("sys", 0o555)?;
    table.overlay(upper)?;
    for target in ["/proc", "/sys", "/dev"] {
        if spec.root.resolve(target.into())? != target {
            return Err(Error::Spec(format!("{target} is a symbolic link in the image")));
        }
    }
    table.add("proc", "/proc", "proc", "nosuid,nodev,noexec", true)?;
    table.add(sys.as_str(), "/sys", "none", "rbind", true)?;
    table.devices()?;
    table.network_files()?;
    for mount in &spec.mounts {
        table.mount(mount)?;
    }
    table.point(&spec.cwd, true)?;
    if spec.read_only_root {
        table.read_only.push(table.root.clone());
    }
    scratch.file("fstab", &table.lines)?;
    table.make_above(mode)?;
    Ok(table.read_only)
}

struct Table<'a> {
    spec: &'a Spec,
    scratch: &'a Scratch,
    /// Where the overlay is mounted.
    root: Utf8PathBuf,
    lines: String,
    read_only: Vec<Utf8PathBuf>,
    /// The topmost lower layer, by path relative to the root of the image.
    above: BTreeMap<Utf8PathBuf, Above>,
}

/// An entry of the topmost lower layer.
enum Above {
    Folder(Meta),
    File,
}

const PLAIN: Meta = Meta { uid: 0, gid: 0, mode: 0o755 };

impl Table<'_> {
    /// The overlay itself. Its options name everything relative to the scratch folder, so that hundreds of layers fit into
    /// the one page that mount options may have.
    fn overlay(&mut self, upper: UpperAt<'_>) -> Result<(), Error> {
        let top = self.spec.root.entry("/".into())?.map_or(PLAIN.mode, |entry| entry.mode);
        let changes = self.scratch.path().join("rw");
        let place = match upper {
            UpperAt::Memory | UpperAt::Scratch => {
                make_folder(&changes, 0o755)?;
                changes
            }
            UpperAt::Kept(folder) => {
                fs::create_dir_all(folder).map_err(Error::io("making", folder))?;
                let mut inside = folder.read_dir_utf8().map_err(Error::io("reading", folder))?;
                if inside.next().is_some() {
                    return Err(Error::Spec(format!("{folder} must be empty to take the changes of a run")));
                }
                let folder = folder.canonicalize_utf8().map_err(Error::io("resolving", folder))?;
                symlink(&folder, &changes).map_err(Error::io("linking", &folder))?;
                folder
            }
        };
        if !matches!(upper, UpperAt::Memory) {
            make_folder(&place.join("upper"), top)?;
            make_folder(&place.join("work"), 0o755)?;
        }
        self.scratch.folder("layers", 0o755)?;
        let mut lower = vec!["above".to_owned()];
        for (n, folder) in self.spec.root.folders().enumerate() {
            let name = format!("layers/{n}");
            symlink(folder, self.scratch.path().join(&name)).map_err(Error::io("linking", folder))?;
            lower.push(name);
        }
        for (path, meta) in self.spec.root.corrections()? {
            self.above.insert(path, Above::Folder(meta));
        }
        let options = format!("userxattr,lowerdir={},upperdir=rw/upper,workdir=rw/work", lower.join(":"));
        let target = self.root.clone();
        self.line("overlay", &target, "overlay", &options);
        Ok(())
    }

    fn line(&mut self, source: &str, target: &Utf8Path, kind: &str, options: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.lines, "{} {} {kind} {options} 0 0", escape(source), escape(target.as_str()));
    }

    /// A mount on `target`, an absolute path of the image.
    fn add(
        &mut self,
        source: &str,
        target: impl AsRef<Utf8Path>,
        kind: &str,
        options: &str,
        is_folder: bool,
    ) -> Result<Utf8PathBuf, Error> {
        let target = self.point(target.as_ref(), is_folder)?;
        if target == "/" {
            return Err(Error::Spec("`/` is the root of the image, not a mount point in it".to_owned()));
        }
        let target = Utf8PathBuf::from(format!("{}{target}", self.root));
        self.line(source, &target, kind, options);
        Ok(target)
    }

    /// Makes sure that `target` exists in the image, and returns it without symbolic links.
    fn point(&mut self, target: &Utf8Path, is_folder: bool) -> Result<Utf8PathBuf, Error> {
        if !target.is_absolute() {
            return Err(Error::Spec(format!(
                "`{target}` is relative; mount points and working folders are absolute paths"
            )));
        }
        let root = &self.spec.root;
        let target = root.resolve(target)?;
        match root.entry(&target)? {
            Some(entry) if (entry.kind == Kind::Folder) == is_folder => return Ok(target),
            Some(_) if is_folder => return Err(Error::Spec(format!("{target} is no folder in the image"))),
            Some(_) => {
                return Err(Error::Spec(format!("{target} is a folder in the image; a file cannot be mounted on it")));
            }
            None => {}
        }
        let relative = |path: &Utf8Path| path.strip_prefix("/").unwrap_or(path).to_owned();
        for folder in target.ancestors().skip(1).filter(|folder| *folder != "/") {
            let meta = match root.entry(folder)? {
                Some(entry) if entry.kind == Kind::Folder => Meta { uid: entry.uid, gid: entry.gid, mode: entry.mode },
                Some(_) => return Err(Error::Spec(format!("{folder} is no folder in the image"))),
                None => PLAIN,
            };
            self.above.insert(relative(folder), Above::Folder(meta));
        }
        let entry = if is_folder { Above::Folder(PLAIN) } else { Above::File };
        self.above.entry(relative(&target)).or_insert(entry);
        Ok(target)
    }

    /// `/dev`: the nodes that every program expects, bound from the host since only its root can make any.
    fn devices(&mut self) -> Result<(), Error> {
        let dev = self.scratch.folder("dev", 0o755)?;
        self.add(dev.as_str(), "/dev", "none", "rbind", true)?;
        let inside = self.root.join("dev");
        for node in ["null", "zero", "full", "random", "urandom", "tty"] {
            self.scratch.file(&format!("dev/{node}"), "")?;
            self.line(&format!("/dev/{node}"), &inside.join(node), "none", "rbind");
        }
        self.scratch.folder("dev/pts", 0o755)?;
        self.line("devpts", &inside.join("pts"), "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620");
        self.scratch.folder("dev/shm", 0o755)?;
        self.line("tmpfs", &inside.join("shm"), "tmpfs", "nosuid,nodev,mode=1777");
        let links = [
            ("pts/ptmx", "ptmx"),
            ("/proc/self/fd", "fd"),
            ("/proc/self/fd/0", "stdin"),
            ("/proc/self/fd/1", "stdout"),
            ("/proc/self/fd/2", "stderr"),
        ];
        for (target, name) in links {
            symlink(target, dev.join(name)).map_err(Error::io("linking", dev.join(name)))?;
        }
        Ok(())
    }

    /// The files by which names of hosts are resolved.
    fn network_files(&mut self) -> Result<(), Error> {
        let name = &self.spec.hostname;
        let more: String = self.spec.names.iter().map(|name| format!(" {name}")).collect();
        let resolver = match self.spec.network {
            Network::None | Network::Of { .. } | Network::OfContainer { .. } => String::new(),
            // Without the file, the resolver of the C library asks the host itself.
            Network::Host => fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
        };
        let files = [
            ("hosts", format!("127.0.0.1\tlocalhost {name}{more}\n::1\tlocalhost\n")),
            ("hostname", format!("{name}\n")),
            ("resolv.conf", resolver),
        ];
        self.scratch.folder("etc", 0o755)?;
        for (file, text) in files {
            let source = self.scratch.file(&format!("etc/{file}"), &text)?;
            self.add(source.as_str(), format!("/etc/{file}"), "none", "rbind", false)?;
        }
        Ok(())
    }

    /// A mount that the caller asked for. A folder below an earlier mount is made in that one.
    fn mount(&mut self, mount: &Mount) -> Result<(), Error> {
        match mount {
            Mount::Bind { source, target, read_only } => {
                let source = source.canonicalize_utf8().map_err(Error::io("looking for the mount source", source))?;
                let is_folder = source.is_dir();
                let options = if is_folder { "rbind,X-mount.mkdir" } else { "rbind" };
                let target = self.add(source.as_str(), target, "none", options, is_folder)?;
                if *read_only {
                    self.read_only.push(target);
                }
            }
            Mount::Tmpfs { target, mode, size } => {
                let size = size.map(|size| format!(",size={size}")).unwrap_or_default();
                let options = format!("nosuid,nodev,X-mount.mkdir,mode={mode:o}{size}");
                self.add("tmpfs", target, "tmpfs", &options, true)?;
            }
        }
        Ok(())
    }

    /// Makes the topmost lower layer. Beside mount points it has the folders whose attributes overlayfs would take from a
    /// layer that only implies them.
    fn make_above(&self, mode: Mode) -> Result<(), Error> {
        let top = self.scratch.folder("above", 0o755)?;
        for (path, entry) in &self.above {
            let path = top.join(path);
            match entry {
                Above::File => fs::write(&path, "").map_err(Error::io("writing", &path))?,
                Above::Folder(meta) => {
                    fs::create_dir_all(&path).map_err(Error::io("making", &path))?;
                    if mode == Mode::Real {
                        lchown(&path, Some(meta.uid), Some(meta.gid)).map_err(Error::io("giving away", &path))?;
                    }
                    set_mode(&path, if mode == Mode::Real { meta.mode } else { meta.mode & 0o1777 | 0o700 })?;
                }
            }
        }
        Ok(())
    }
}

/// A field of fstab(5): white space and backslashes stand as octal numbers.
fn escape(field: &str) -> String {
    let mut escaped = String::new();
    for c in field.chars() {
        match c {
            ' ' | '\t' | '\n' | '\r' | '\\' => {
                let _ = write!(escaped, "\\{:03o}", u32::from(c));
            }
            _ => escaped.push(c),
        }
    }
    escaped
}
