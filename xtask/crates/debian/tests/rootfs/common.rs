//! Real `.deb` files, made on the spot, and the entries of a tar.

use std::{collections::BTreeMap, io::Read as _};

use blob::Digest;
use camino::Utf8PathBuf;
use debian::deb::Deb;

/// A package to be made.
#[derive(Clone)]
pub(crate) struct Package {
    stanza: String,
    control: Vec<(String, u32, String)>,
    data: Vec<(tar::Header, String, String, String)>,
}

impl Package {
    pub(crate) fn new(name: &str, version: &str) -> Self {
        Self::for_architecture(name, version, "amd64")
    }

    pub(crate) fn for_architecture(name: &str, version: &str, architecture: &str) -> Self {
        let stanza = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n\
             Maintainer: Nobody <nobody@registry.example>\nDescription: made for a test\n"
        );
        Self { stanza, control: Vec::new(), data: Vec::new() }.directory("./", 0o755)
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.stanza += &format!("{name}: {value}\n");
        self
    }

    pub(crate) fn without_field(mut self, name: &str) -> Self {
        let kept = self.stanza.lines().filter(|line| !line.starts_with(&format!("{name}:")));
        self.stanza = kept.map(|line| line.to_owned() + "\n").collect();
        self
    }

    pub(crate) fn control(mut self, name: &str, mode: u32, content: &str) -> Self {
        self.control.push((name.to_owned(), mode, content.to_owned()));
        self
    }

    pub(crate) fn directory(self, path: &str, mode: u32) -> Self {
        self.entry(tar::EntryType::Directory, path, mode, "", "")
    }

    pub(crate) fn file(self, path: &str, mode: u32, content: &str) -> Self {
        self.entry(tar::EntryType::Regular, path, mode, "", content)
    }

    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        self.entry(tar::EntryType::Symlink, path, 0o777, target, "")
    }

    pub(crate) fn hard_link(self, path: &str, target: &str, mode: u32) -> Self {
        self.entry(tar::EntryType::Link, path, mode, target, "")
    }

    pub(crate) fn pipe(self, path: &str) -> Self {
        self.entry(tar::EntryType::Fifo, path, 0o644, "", "")
    }

    fn entry(mut self, kind: tar::EntryType, path: &str, mode: u32, target: &str, content: &str) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        header.set_size(content.len() as u64);
        self.data.push((header, path.to_owned(), target.to_owned(), content.to_owned()));
        self
    }

    /// The bytes of the package: its control files as .gz, its data as .xz.
    pub(crate) fn build(&self) -> Vec<u8> {
        let control_files =
            [("control".to_owned(), 0o644, self.stanza.clone())].into_iter().chain(self.control.clone());
        let control = Self { stanza: String::new(), control: Vec::new(), data: Vec::new() };
        let control =
            control_files.fold(control, |all, (name, mode, content)| all.file(&format!("./{name}"), mode, &content));
        let gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
        let members = [
            ("debian-binary", b"2.0\n".to_vec()),
            ("control.tar.gz", control.archive(gz).finish().unwrap()),
            ("data.tar.xz", self.archive(xz).finish().unwrap()),
        ];
        let mut deb = ar::Builder::new(Vec::new());
        for (name, bytes) in members {
            let header = ar::Header::new(name.into(), bytes.len() as u64);
            deb.append(&header, bytes.as_slice()).unwrap();
        }
        deb.into_inner().unwrap()
    }

    fn archive<W: std::io::Write>(&self, out: W) -> W {
        let mut archive = tar::Builder::new(out);
        for (header, path, target, content) in &self.data {
            let mut header = header.clone();
            // The paths of packages begin with `./` and may be bad on purpose, so they are written as they are.
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.as_gnu_mut().unwrap().linkname[..target.len()].copy_from_slice(target.as_bytes());
            header.set_cksum();
            archive.append(&header, content.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap()
    }
}

/// Writes the packages to a folder that lives as long as the first value.
pub(crate) fn packages(packages: &[Package]) -> (tempfile::TempDir, Vec<Deb>) {
    let folder = tempfile::tempdir().unwrap();
    let debs = packages.iter().enumerate().map(|(at, package)| {
        let path = Utf8PathBuf::try_from(folder.path().join(format!("{at}.deb"))).unwrap();
        let bytes = package.build();
        std::fs::write(&path, &bytes).unwrap();
        Deb { path, digest: Digest::of(&bytes) }
    });
    let debs = debs.collect();
    (folder, debs)
}

/// An entry of a tar.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) mode: u32,
    pub(crate) owner: (u64, u64),
    pub(crate) mtime: u64,
    pub(crate) names_no_owner: bool,
    pub(crate) target: String,
    pub(crate) bytes: Vec<u8>,
}

impl Entry {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }
}

/// The entries of a tar in its order.
pub(crate) fn entries(tar: &[u8]) -> Vec<(String, Entry)> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let path = entry.path().unwrap().to_str().unwrap().trim_end_matches('/').to_owned();
        let target = entry.link_name().unwrap().map(|target| target.to_str().unwrap().to_owned()).unwrap_or_default();
        let entry = Entry {
            mode: header.mode().unwrap(),
            owner: (header.uid().unwrap(), header.gid().unwrap()),
            mtime: header.mtime().unwrap(),
            names_no_owner: header.username_bytes().is_none_or(<[u8]>::is_empty),
            target,
            bytes,
        };
        (path, entry)
    });
    entries.collect()
}

/// The entries of a tar by path.
pub(crate) fn read(tar: &[u8]) -> BTreeMap<String, Entry> {
    entries(tar).into_iter().collect()
}
