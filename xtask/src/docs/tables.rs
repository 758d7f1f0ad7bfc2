//! Tables of the documents, rendered from the version table, the image files and the flags.

use anyhow::{Result, bail};
use audit::Rule;
use camino::{Utf8Path, Utf8PathBuf};
use catalog::{Catalog, Content, Image, ImageRef};

use super::{Sources, commands};
use crate::report::graph;

/// What can stand in a document. The last three are about the image of the folder that the document lies in.
const NAMES: [&str; 10] =
    ["images", "picture", "layers", "commands", "reference", "versions", "rules", "tags", "artifacts", "shims"];

/// What stands between the markers of this name in this document.
pub(super) fn table(name: &str, path: &Utf8Path, sources: &Sources) -> Result<String> {
    let catalog = &sources.catalog;
    let folder = path.parent().unwrap_or(path);
    let here: Vec<&Image> = catalog.images().iter().filter(|image| image.folder() == folder).collect();
    Ok(match name {
        "images" => images(catalog),
        "picture" => format!("\n```mermaid\n{}```\n\n", graph::kinds(catalog)),
        "layers" => layers(path, sources)?,
        "commands" => commands::table(path),
        "reference" => commands::reference(),
        "versions" => versions(catalog),
        "rules" => rules(),
        "tags" if !here.is_empty() => tags(&here),
        "artifacts" if !here.is_empty() => artifacts(&here),
        "shims" if !here.is_empty() => shims(catalog, &here),
        "tags" | "artifacts" | "shims" => {
            bail!("`{name}` stands in the README of an image, and {folder} has no image.toml")
        }
        _ => bail!("there is no table `{name}`; tables: {}", NAMES.join(", ")),
    })
}

pub(super) fn markdown(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let header: Vec<String> = header.iter().map(ToString::to_string).collect();
    let rule = format!("|{}\n", "---|".repeat(header.len()));
    rows.into_iter().fold(line(&header) + &rule, |text, row| text + &line(&row))
}

pub(super) fn code(text: impl std::fmt::Display) -> String {
    format!("`{text}`")
}

fn names(image: &Image) -> String {
    image.references().map(code).collect::<Vec<_>>().join(", ")
}

fn images(catalog: &Catalog) -> String {
    let rows = catalog
        .images()
        .iter()
        .map(|image| vec![names(image), image.about.clone(), image.group.as_deref().map(code).unwrap_or_default()]);
    markdown(&["image", "content", "group"], rows)
}

/// The folders of what stands above the custom image, each with the first sentence of its README.
fn layers(path: &Utf8Path, sources: &Sources) -> Result<String> {
    let images = sources.catalog.images();
    let mut folders: Vec<(&str, Vec<&str>)> = Vec::new();
    for image in images {
        let above = |parent: &ImageRef| images.iter().any(|other| other.reference == *parent && other.spark.is_some());
        if !image.parents.values().any(above) {
            continue;
        }
        let place = folders.iter().position(|(folder, _)| *folder == image.folder()).unwrap_or_else(|| {
            folders.push((image.folder(), Vec::new()));
            folders.len() - 1
        });
        let variants = &mut folders[place].1;
        variants.extend(image.variant.as_deref().filter(|variant| !variants.contains(variant)));
    }
    folders.sort_unstable();
    let row = |(folder, variants): (&str, Vec<&str>)| {
        let readme = Utf8Path::new(folder).join("README.md");
        let Some(text) = sources.texts.get(&readme) else {
            bail!("{folder} has no README.md that says what it is for")
        };
        let link = format!("[{}]({})", code(folder), relative(path, &readme));
        Ok(vec![link, first_sentence(text), variants.into_iter().map(code).collect::<Vec<_>>().join(", ")])
    };
    Ok(markdown(&["folder", "what it is", "variants"], folders.into_iter().map(row).collect::<Result<Vec<_>>>()?))
}

/// The first sentence below the title.
fn first_sentence(text: &str) -> String {
    let lines = text.lines().skip_while(|line| line.starts_with('#') || line.is_empty());
    let paragraph = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    paragraph.split(". ").next().unwrap_or_default().trim_end_matches(['.', ':']).to_owned()
}

/// How a document names another file.
pub(super) fn relative(from: &Utf8Path, to: &Utf8Path) -> Utf8PathBuf {
    let folder = from.parent().unwrap_or(from);
    let common = folder.components().zip(to.components()).take_while(|(one, other)| one == other).count();
    let up = folder.components().skip(common).map(|_| "..");
    up.chain(to.components().skip(common).map(|part| part.as_str())).collect()
}

fn versions(catalog: &Catalog) -> String {
    let table = &catalog.table;
    let supported = table.sparks.values().map(|spark| {
        let why = format!("Scala {}, origin {} unless told otherwise", spark.scala, table.origin);
        vec![spark.version.clone(), "supported".to_owned(), why]
    });
    let unsupported = table
        .unsupported
        .iter()
        .map(|(version, why)| vec![version.clone(), "not supported".to_owned(), why.reason.clone()]);
    markdown(&["Spark", "state", "why"], supported.chain(unsupported))
}

/// The rules of `audit`.
fn rules() -> String {
    let rows = Rule::ALL.map(|rule| {
        let places = [(rule.is_for_images(), "images"), (rule.is_for_trees(), "trees")];
        let places: Vec<&str> = places.into_iter().filter(|(is, _)| *is).map(|(_, place)| place).collect();
        let title = rule.title().to_owned();
        vec![code(rule.id()), rule.severity().to_string(), places.join(", "), title, rule.help().to_owned()]
    });
    markdown(&["rule", "severity", "in", "what is wrong", "what to do"], rows)
}

fn tags(images: &[&Image]) -> String {
    let rows = images.iter().map(|image| {
        let parents = image.parents.values().map(code).collect::<Vec<_>>().join(", ");
        vec![names(image), parents, image.group.as_deref().map(code).unwrap_or_default()]
    });
    markdown(&["image", "made from", "group"], rows)
}

/// What the stages bring, each artifact once with the images that have it.
fn artifacts(images: &[&Image]) -> String {
    let mut rows: Vec<(String, String, Vec<String>)> = Vec::new();
    let mut add = |what: String, note: String, image: &Image| {
        let name = image.reference.tag.clone();
        match rows.iter_mut().find(|(other, ..)| *other == what) {
            Some((_, _, tags)) if tags.contains(&name) => {}
            Some((_, _, tags)) => tags.push(name),
            None => rows.push((what, note, vec![name])),
        }
    };
    for image in images {
        for stage in &image.stages {
            let origin = stage.origin.map(|origin| format!("origin {origin}"));
            let only = origin.into_iter().chain(stage.platforms.iter().map(ToString::to_string));
            let only = only.collect::<Vec<_>>().join(", ");
            match &stage.content {
                Content::Maven(jars) => {
                    for jar in jars {
                        let instead = jar.instead_of.as_ref();
                        let note = instead.map(|(asked, reason)| format!("in place of {}: {reason}", asked.version));
                        add(code(&jar.maven), note.unwrap_or_else(|| only.clone()), image);
                    }
                }
                Content::Python(set) => {
                    set.requirements.iter().for_each(|line| add(code(line), "Python".to_owned(), image));
                }
                Content::Debian { packages, .. } => {
                    packages
                        .iter()
                        .for_each(|package| add(code(package), "Debian, with what it needs".to_owned(), image));
                }
                Content::File(path) => add(code(path), "a file of our own".to_owned(), image),
                Content::Folder(_) | Content::Spark { .. } | Content::Links(_) | Content::Texts(_) => {}
            }
        }
    }
    markdown(&["artifact", "note", "in"], rows.into_iter().map(|(what, note, tags)| vec![what, note, tags.join(", ")]))
}

/// Which shim each plugin of these images takes, and why.
fn shims(catalog: &Catalog, images: &[&Image]) -> String {
    let mut rows = Vec::new();
    for image in images {
        let Some(spark) = image.spark.as_ref().and_then(|version| catalog.table.sparks.get(version)) else { continue };
        let jars = image.stages.iter().filter_map(|stage| match &stage.content {
            Content::Maven(jars) => Some(jars),
            _ => None,
        });
        for jar in jars.flatten() {
            let Some(shims) = &jar.shims else { continue };
            let version = [spark.version.clone(), format!("{} {}", shims.plugin, jar.maven.version)];
            let (shim, why) = match spark.shims.get(&shims.plugin) {
                None => ("its own".to_owned(), String::new()),
                Some(forced) => (format!("{}, forced", code(&forced.take)), forced.reason.clone()),
            };
            let row: Vec<String> = version.into_iter().chain([shim, why]).collect();
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
    markdown(&["Spark", "plugin", "shim", "why"], rows)
}
