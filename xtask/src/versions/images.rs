//! What belongs to one Spark version beside the table: Dockerfiles, folders, patches, and lists in image files.

use anyhow::{Context as _, Result};
use camino::{Utf8Path, Utf8PathBuf};
use checkout::inputs::PATCHES;
use toml_edit::{DocumentMut, Item};

use super::{
    lists, table,
    version::{Version, replaced},
};
use crate::change::{Content, Draft};

/// The neighbour, the version that is added, and its Scala; without one it is an open question.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) old: Version,
    pub(super) new: Version,
    pub(super) scala: Option<&'a str>,
}

/// An image file of the draft.
struct ImageFile {
    path: Utf8PathBuf,
    document: DocumentMut,
}

impl ImageFile {
    fn folder(&self) -> &Utf8Path {
        self.path.parent().unwrap_or(Utf8Path::new(""))
    }

    /// Files and folders whose names follow from the version, beside the image file.
    fn named_by_version(&self, version: Version) -> Vec<Utf8PathBuf> {
        let root = self.document.get("dockerfile").and_then(Item::as_str);
        let stages = self.document.get("stage").and_then(Item::as_array_of_tables).into_iter().flatten();
        let own = stages.flat_map(|stage| ["folder", "file"].into_iter().filter_map(|key| stage.get(key)?.as_str()));
        let templates = root.into_iter().chain(own).filter(|template| template.contains("{spark}"));
        templates.map(|template| self.folder().join(template.replace("{spark}", &version.to_string()))).collect()
    }

    /// Whether all of its images are of one version.
    fn is_of(&self, version: Version) -> bool {
        lists::of(self.document.as_table()).is_some_and(|list| list.len() == 1 && lists::has(list, version))
    }
}

fn image_files(draft: &Draft, paths: &[Utf8PathBuf]) -> Result<Vec<ImageFile>> {
    let read = |path: &Utf8PathBuf| {
        let text = draft.read(path)?.with_context(|| format!("{path} is gone"))?;
        Ok(ImageFile { path: path.clone(), document: table::parse(&text, path.as_str())? })
    };
    paths.iter().map(read).collect()
}

fn write(draft: &Draft, file: &ImageFile) -> Result<()> {
    draft.write_text(&file.path, &file.document.to_string())
}

/// Gives the new version what its neighbour has. `paths` are the image files.
///
/// # Errors
/// A file cannot be read or written.
pub(super) fn add(draft: &Draft, paths: &[Utf8PathBuf], pair: Pair<'_>) -> Result<()> {
    for mut file in image_files(draft, paths)? {
        if file.is_of(pair.old) && copy(draft, file.folder(), pair)? {
            continue;
        }
        for path in file.named_by_version(pair.old) {
            copy(draft, &path, pair)?;
        }
        let mut changed = false;
        if let Some(list) = file.document.get_mut("spark").and_then(Item::as_array_mut) {
            changed |= join(list, pair, None);
        }
        for part in lists::parts(&mut file.document) {
            let literal = ["folder", "file"].into_iter().filter_map(|key| part.get(key)?.as_str());
            let own = literal.map(str::to_owned).find(|name| replaced(name, pair.old, pair.new) != *name);
            let Some(list) = part.get_mut("spark").and_then(Item::as_array_mut) else { continue };
            changed |= join(list, pair, own.map(|name| format!("`{name}` is of Spark {} alone", pair.old)));
        }
        if changed {
            write(draft, &file)?;
        }
    }
    let patches = Utf8Path::new(PATCHES);
    for (path, content) in draft.files(&patches.join(pair.old.to_string()))? {
        draft.write(&Utf8PathBuf::from(replaced(path.as_str(), pair.old, pair.new)), &content)?;
    }
    Ok(())
}

/// Puts the new version where its neighbour is; a question, if it is of another line or `doubt` says so. Whether it did.
fn join(list: &mut toml_edit::Array, pair: Pair<'_>, doubt: Option<String>) -> bool {
    if !lists::has(list, pair.old) || lists::has(list, pair.new) {
        return false;
    }
    let other_line = || format!("Spark {} is of another line", pair.old);
    let doubt = doubt.or_else(|| (!pair.old.is_of_line(pair.new)).then(other_line));
    let entry = doubt.map_or_else(|| pair.new.to_string(), |doubt| format!("? {}: {doubt}", pair.new));
    lists::insert(list, pair.new, &entry);
    true
}

/// A plugin that says in its jar which versions of Spark it knows.
pub(super) struct Plugin {
    pub(super) name: String,
    /// Its coordinate, a template.
    pub(super) jar: String,
    /// The path that names a version: see [`catalog::Shims`].
    pub(super) files: String,
}

/// The plugins of image files, each once.
///
/// # Errors
/// A file cannot be read.
pub(super) fn plugins(draft: &Draft, paths: &[Utf8PathBuf]) -> Result<Vec<Plugin>> {
    let mut plugins: Vec<Plugin> = Vec::new();
    for mut file in image_files(draft, paths)? {
        let found = lists::parts(&mut file.document).filter_map(|part| {
            let shims = part.get("shims")?.as_table_like()?;
            let text = |key: &str| Some(shims.get(key)?.as_str()?.to_owned());
            let jar = part.get("maven")?.as_array()?.get(0)?.as_str()?.to_owned();
            Some(Plugin { name: text("plugin")?, jar, files: text("files")? })
        });
        plugins.extend(found);
    }
    plugins.dedup_by(|one, other| one.name == other.name);
    Ok(plugins)
}

/// Copies a file, or a folder with all in it, with the new version in names and texts; whether there is a place for it.
fn copy(draft: &Draft, path: &Utf8Path, pair: Pair<'_>) -> Result<bool> {
    if replaced(path.as_str(), pair.old, pair.new) == path.as_str() {
        return Ok(false);
    }
    for (path, content) in draft.files(path)? {
        let (path, content) = derived(&path, &content, pair.old, pair.new);
        draft.write(&path, &content)?;
    }
    Ok(true)
}

/// A file of one version as it is copied for another.
pub(super) fn derived(path: &Utf8Path, content: &Content, old: Version, new: Version) -> (Utf8PathBuf, Content) {
    let mut content = content.clone();
    if let (false, Ok(text)) = (path.starts_with(PATCHES), std::str::from_utf8(&content.bytes)) {
        content.bytes = replaced(text, old, new).into_bytes();
    }
    (replaced(path.as_str(), old, new).into(), content)
}

/// Takes away what belongs to one version alone.
///
/// # Errors
/// A file cannot be read or written.
pub(super) fn remove(draft: &Draft, paths: &[Utf8PathBuf], version: Version) -> Result<()> {
    for mut file in image_files(draft, paths)? {
        let mut gone = file.named_by_version(version);
        if file.is_of(version) {
            gone = vec![file.folder().to_owned()];
        } else {
            let before = file.document.to_string();
            let own = lists::remove_parts(&mut file.document, version);
            if let Some(list) = file.document.get_mut("spark").and_then(Item::as_array_mut) {
                lists::remove(list, version);
            }
            for part in lists::parts(&mut file.document) {
                if let Some(list) = part.get_mut("spark").and_then(Item::as_array_mut) {
                    lists::remove(list, version);
                }
            }
            let after = file.document.to_string();
            if before != after {
                // What a part that is gone had for itself, and its name says so.
                let unused = own
                    .iter()
                    .filter(|name| !after.contains(&format!("\"{name}\"")) && name.contains(&version.to_string()));
                gone.extend(unused.map(|name| file.folder().join(name)));
                write(draft, &file)?;
            }
        }
        for path in gone {
            remove_all(draft, &path)?;
        }
    }
    remove_all(draft, &Utf8Path::new(PATCHES).join(version.to_string()))
}

fn remove_all(draft: &Draft, path: &Utf8Path) -> Result<()> {
    draft.files(path)?.iter().try_for_each(|(path, _)| draft.remove(path))
}
