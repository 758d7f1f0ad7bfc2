//! The files of one wheel, each with its place.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Seek},
};

use blob::Digest;
use camino::Utf8PathBuf;

use super::{Content, Layout, SiteError, SiteFile, Wheel, place, place::Scheme, record, scripts};
use crate::{
    name::PackageName,
    wheel::{Archive, ArchiveError, Entry, WheelName},
};

/// Who installed: PEP 627 wants a name here, and no tool may take our files for its own. pip lists, checks and
/// uninstalls whatever the name.
const INSTALLER: &[u8] = b"spark-images\n";

/// Files by path. The key is text, because paths are compared part by part, which costs most of the time of a layout.
pub(super) type Files = BTreeMap<String, SiteFile>;

/// What one wheel adds to the prefix.
#[derive(Debug)]
pub(super) struct Plan {
    /// The wheel's file name.
    pub(super) filename: String,
    /// The project.
    pub(super) project: PackageName,
    /// Its files by path.
    pub(super) files: Files,
}

/// Plans the wheel that `archive` reads.
///
/// # Errors
/// The wheel cannot be read, is unsound or wants a path twice.
pub(super) fn plan<R: Read + Seek>(
    archive: &mut Archive<R>,
    wheel: &Wheel,
    layout: &Layout,
) -> Result<Plan, SiteError> {
    let dist_info = archive.dist_info()?;
    let (spelling, project) = project_of(archive, &dist_info)?;
    check_format(archive, &dist_info)?;
    let claims = record::parse(&archive.read(&format!("{dist_info}/RECORD"))?).map_err(|why| archive.unsound(why))?;
    let launchers = launchers(archive, &dist_info, &project, layout)?;
    // What is written anew, or is true only of another installation.
    let replaced: BTreeSet<String> =
        ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json"].map(|name| format!("{dist_info}/{name}")).into();

    let mut files = Files::new();
    for entry in archive.entries()? {
        let (scheme, path) = place::place(&entry.name, &spelling, layout).map_err(|why| archive.unsound(why))?;
        let is_replaced = path.strip_prefix(&layout.site).is_ok_and(|path| replaced.contains(path.as_str()));
        if is_replaced || launchers.contains_key(path.as_str()) {
            continue;
        }
        let claim = claims.get(&entry.name).copied().unwrap_or_default();
        let file = match scheme {
            Scheme::Scripts => script(archive, wheel, &entry, claim, path, layout)?,
            Scheme::Site | Scheme::Other => file(archive, wheel, &entry, claim, path)?,
        };
        if let Some(twice) = files.insert(file.path.to_string(), file) {
            return Err(archive.unsound(format!("two of its entries are installed as {}", twice.path)).into());
        }
    }
    files.extend(launchers);
    let info = layout.site.join(&dist_info);
    let mut make = |name: &str, bytes: &[u8]| {
        let path = info.join(name);
        files.insert(path.to_string(), made(path, bytes.to_vec(), false));
    };
    make("INSTALLER", INSTALLER);
    if wheel.requested {
        make("REQUESTED", b"");
    }
    let path = info.join("RECORD");
    let rows = files.values().map(|file| (place::recorded(&file.path, layout), Some((file.digest, file.size))));
    let rows = rows.chain([(place::recorded(&path, layout), None)]).collect();
    files.insert(path.to_string(), made(path, record::write(rows), false));
    Ok(Plan { filename: archive.filename().to_owned(), project, files })
}

/// The project's name, as the wheel spells it and in normal form; the file name must agree.
fn project_of<R: Read + Seek>(archive: &Archive<R>, dist_info: &str) -> Result<(String, PackageName), ArchiveError> {
    let unsound = |why: &dyn std::fmt::Display| archive.unsound(why.to_string());
    let wheel: WheelName = archive.filename().parse().map_err(|why| unsound(&why))?;
    let stem = dist_info.strip_suffix(".dist-info").unwrap_or(dist_info);
    let (spelling, _) = stem.split_once('-').unwrap_or((stem, ""));
    match spelling.parse::<PackageName>() {
        Ok(project) if project == wheel.name => Ok((spelling.to_owned(), project)),
        _ => Err(unsound(&format_args!("expected the metadata of {}, found {dist_info}", wheel.name))),
    }
}

/// A wheel of another major version of the format may have to be installed in another way.
fn check_format<R: Read + Seek>(archive: &mut Archive<R>, dist_info: &str) -> Result<(), ArchiveError> {
    let bytes = archive.read(&format!("{dist_info}/WHEEL"))?;
    let text = String::from_utf8_lossy(&bytes);
    let version = text.lines().find_map(|line| line.strip_prefix("Wheel-Version:")).unwrap_or_default().trim();
    if version.starts_with("1.") {
        return Ok(());
    }
    Err(archive.unsound(format!("expected version 1.x of the wheel format, found `{version}`")))
}

/// The scripts made of the wheel's entry points, by path.
fn launchers<R: Read + Seek>(
    archive: &mut Archive<R>,
    dist_info: &str,
    project: &PackageName,
    layout: &Layout,
) -> Result<Files, ArchiveError> {
    let name = format!("{dist_info}/entry_points.txt");
    if !archive.contains(&name) {
        return Ok(Files::new());
    }
    let bytes = archive.read(&name)?;
    let mut scripts = scripts::parse(&String::from_utf8_lossy(&bytes)).map_err(|why| archive.unsound(why))?;
    if project.as_str() == "pip" {
        scripts = scripts::of_pip(scripts, layout);
    }
    let file = |script: &scripts::EntryPoint| {
        let path = layout.scripts.join(&script.name);
        (path.to_string(), made(path, scripts::launcher(script, layout), true))
    };
    Ok(scripts.iter().map(file).collect())
}

/// A script of the wheel: executable always, because some builders forget the bit and none ships one not to be run.
fn script<R: Read + Seek>(
    archive: &mut Archive<R>,
    wheel: &Wheel,
    entry: &Entry,
    claim: record::Claim,
    path: Utf8PathBuf,
    layout: &Layout,
) -> Result<SiteFile, ArchiveError> {
    if archive.starts_with(&entry.name, scripts::PLACEHOLDER)? {
        return Ok(made(path, scripts::with_interpreter(&archive.read(&entry.name)?, layout), true));
    }
    Ok(SiteFile { executable: true, ..file(archive, wheel, entry, claim, path)? })
}

/// An entry as it is. The claim of `RECORD` saves reading it, unless its size shows that it is about other bytes.
fn file<R: Read + Seek>(
    archive: &mut Archive<R>,
    wheel: &Wheel,
    entry: &Entry,
    claim: record::Claim,
    path: Utf8PathBuf,
) -> Result<SiteFile, ArchiveError> {
    let (digest, size) = match claim {
        (Some(digest), Some(size)) if size == entry.size => (digest, size),
        _ => archive.digest(&entry.name)?,
    };
    let content = Content::Zip { wheel: wheel.path.clone(), entry: entry.name.clone() };
    Ok(SiteFile { path, executable: entry.executable, size, digest, content })
}

fn made(path: Utf8PathBuf, bytes: Vec<u8>, executable: bool) -> SiteFile {
    let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
    SiteFile { path, executable, size, digest, content: Content::Bytes(bytes) }
}
