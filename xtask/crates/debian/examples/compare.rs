//! Compares a root file system with a reference, path by path: `compare OURS.tar REFERENCE.tar DIFFERENCES.toml`.
//!
//! Type, mode, owner, link target and content are compared, times are not. A difference that no entry of the list gives
//! a reason for is an error, and so is an entry that holds for no difference: the list says exactly what is different.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs,
    io::{self, BufReader, Read},
    process::ExitCode,
};

use blob::{Digest, hash_reader};
use serde::Deserialize;

/// What is compared of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    kind: &'static str,
    mode: u32,
    owner: (u64, u64),
    target: String,
    content: Option<Content>,
}

/// The content of a file: its digest, and its lines if it is a short text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Content {
    digest: Digest,
    lines: Vec<String>,
}

impl Content {
    /// Files above this are compared by their digest only.
    const SHORT: u64 = 1 << 20;

    fn read(entry: &mut impl Read, size: u64) -> io::Result<Self> {
        if size > Self::SHORT {
            return Ok(Self { digest: hash_reader(entry)?.0, lines: Vec::new() });
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        let lines = std::str::from_utf8(&bytes).unwrap_or_default().lines().map(str::to_owned).collect();
        Ok(Self { digest: Digest::of(&bytes), lines })
    }

    /// How this content differs from that of the reference.
    fn difference(&self, reference: &Self) -> Kind {
        let within = |few: &[String], many: &[String]| {
            let mut many = many.iter();
            !few.is_empty() && few.iter().all(|line| many.any(|other| other == line))
        };
        match (within(&reference.lines, &self.lines), within(&self.lines, &reference.lines)) {
            (true, _) => Kind::AddedLines,
            (_, true) => Kind::RemovedLines,
            _ => Kind::Content,
        }
    }
}

/// How a path can differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// Only in the reference.
    Missing,
    /// Only in ours.
    Extra,
    Type,
    Mode,
    Owner,
    Target,
    /// Ours has lines more, and all of the reference's in their order.
    AddedLines,
    /// Ours has lines less, and none that the reference has not.
    RemovedLines,
    /// The content differs in another way.
    Content,
}

/// The list of differences.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    difference: Vec<Reason>,
}

/// Paths that differ in one way for one reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    kind: Kind,
    /// Shell patterns of absolute paths; `*` also stands for `/`.
    paths: Vec<String>,
    reason: String,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ours, reference, list] = arguments.as_slice() else {
        return Err("usage: compare OURS.tar REFERENCE.tar DIFFERENCES.toml".into());
    };
    let list: List = toml::from_str(&fs::read_to_string(list)?)?;
    let mut patterns = Vec::new();
    for reason in &list.difference {
        if reason.reason.trim().is_empty() {
            return Err(format!("expected a reason for {:?}, found none", reason.paths).into());
        }
        for path in &reason.paths {
            patterns.push((reason.kind, glob::Pattern::new(path)?, path));
        }
    }
    let found = differences(&read(ours)?, &read(reference)?);
    let mut used = BTreeSet::new();
    let mut unexplained = 0;
    for (path, kind, detail) in &found {
        let mut holding = patterns.iter().enumerate();
        match holding.find(|(_, (of_kind, pattern, _))| of_kind == kind && pattern.matches(path)) {
            Some((at, _)) => drop(used.insert(at)),
            None => {
                unexplained += 1;
                println!("{kind:?}: {path} {detail}");
            }
        }
    }
    let unused: Vec<_> = (0..patterns.len()).filter(|at| !used.contains(at)).collect();
    for at in &unused {
        println!("holds for nothing: {:?} {}", patterns[*at].0, patterns[*at].2);
    }
    println!("{} differences, {unexplained} without a reason; {} reasons hold for nothing", found.len(), unused.len());
    Ok(if unexplained + unused.len() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The entries of a tar by absolute path.
fn read(path: &str) -> Result<BTreeMap<String, Entry>, Box<dyn Error>> {
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    for entry in tar::Archive::new(BufReader::with_capacity(1 << 20, fs::File::open(path)?)).entries()? {
        let mut entry = entry?;
        let absolute = absolute(&entry.path()?.to_string_lossy());
        let header = entry.header();
        let target = entry.link_name()?.map(|target| target.to_string_lossy().into_owned()).unwrap_or_default();
        if header.entry_type() == tar::EntryType::Link {
            let linked = entries.get(&self::absolute(&target)).cloned();
            entries.insert(absolute, linked.ok_or_else(|| format!("{path}: a hard link to {target}, not there yet"))?);
            continue;
        }
        let kind = match header.entry_type() {
            tar::EntryType::Directory => "directory",
            tar::EntryType::Symlink => "link",
            tar::EntryType::Regular => "file",
            tar::EntryType::XGlobalHeader => continue,
            _ => "device",
        };
        let (mode, owner) = (header.mode()? & 0o7777, (header.uid()?, header.gid()?));
        let size = entry.size();
        let content = if kind == "file" { Some(Content::read(&mut entry, size)?) } else { None };
        entries.insert(absolute, Entry { kind, mode, owner, target, content });
    }
    if entries.is_empty() {
        return Err(io::Error::other(format!("{path} holds no entry")).into());
    }
    Ok(entries)
}

fn absolute(path: &str) -> String {
    format!("/{}", path.trim_start_matches("./").trim_matches('/'))
}

/// All differences by path.
fn differences(ours: &BTreeMap<String, Entry>, reference: &BTreeMap<String, Entry>) -> Vec<(String, Kind, String)> {
    let mut found = Vec::new();
    let paths: BTreeSet<_> = ours.keys().chain(reference.keys()).filter(|path| *path != "/").collect();
    for path in paths {
        let mut add = |kind, detail: String| found.push((path.clone(), kind, detail));
        match (ours.get(path), reference.get(path)) {
            (Some(_), None) => add(Kind::Extra, String::new()),
            (None, _) => add(Kind::Missing, String::new()),
            (Some(a), Some(b)) if a.kind != b.kind => add(Kind::Type, format!("{} for {}", a.kind, b.kind)),
            (Some(a), Some(b)) => {
                if a.mode != b.mode && a.kind != "link" {
                    add(Kind::Mode, format!("{:o} for {:o}", a.mode, b.mode));
                }
                if a.owner != b.owner {
                    add(Kind::Owner, format!("{:?} for {:?}", a.owner, b.owner));
                }
                if a.target != b.target {
                    add(Kind::Target, format!("{} for {}", a.target, b.target));
                }
                if let (Some(a), Some(b)) = (&a.content, &b.content)
                    && a.digest != b.digest
                {
                    add(a.difference(b), String::new());
                }
            }
        }
    }
    found
}
