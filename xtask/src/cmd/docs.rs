//! `docs`: the tables in the READMEs, rendered from the version table and the flags.
//!
//! A table stands between `<!-- table:NAME -->` and `<!-- /table -->`. What stands there is replaced, nothing else.

use std::{fs, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use camino::Utf8Path;
use catalog::{Catalog, Content, Image};
use clap::CommandFactory as _;

use crate::{
    flags::{Cli, DocsArgs, Global},
    report::text::count,
    workspace::Workspace,
};

const OPEN: &str = "<!-- table:";
const CLOSE: &str = "<!-- /table -->";
/// Where documents lie.
const DOCUMENTS: [&str; 5] = ["README.md", "docs/*.md", "docs/*/*.md", "docker/*/README.md", "docker/*/*/README.md"];

pub(crate) fn run(global: &Global, args: &DocsArgs) -> Result<ExitCode> {
    let workspace = Workspace::of_table(global)?;
    let catalog = workspace.catalog()?;
    let mut changed = 0;
    for path in workspace.glob(&DOCUMENTS)? {
        let old = fs::read_to_string(workspace.path(path.as_str())).with_context(|| format!("reading {path}"))?;
        let new = render(&old, &path, &catalog).with_context(|| format!("rendering {path}"))?;
        if new == old {
            continue;
        }
        changed += 1;
        if args.check {
            print!("{}", diff(&old, &new, &path));
        } else {
            blob::write(&workspace.path(path.as_str()), new.as_bytes()).with_context(|| format!("writing {path}"))?;
            println!("wrote {path}");
        }
    }
    match (changed, args.check) {
        (0, _) => println!("the documents fit the version table"),
        (_, false) => {}
        (n, true) => bail!("{} the version table\nto write them: cargo xtask docs", not_fitting(n)),
    }
    Ok(ExitCode::SUCCESS)
}

fn diff(old: &str, new: &str, path: &Utf8Path) -> String {
    similar::TextDiff::from_lines(old, new).unified_diff().header(path.as_str(), "rendered").to_string()
}

fn not_fitting(n: usize) -> String {
    format!("{} {} not fit", count(n, "document"), if n == 1 { "does" } else { "do" })
}

/// The text of a document with its tables rendered.
fn render(text: &str, path: &Utf8Path, catalog: &Catalog) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let Some((name, after)) = after.split_once(" -->") else { bail!("a table marker has no ` -->`") };
        let Some((_, after)) = after.split_once(CLOSE) else { bail!("the table `{name}` has no `{CLOSE}`") };
        out.push_str(&format!("{before}{OPEN}{name} -->\n{}{CLOSE}", table(name, path, catalog)?));
        rest = after;
    }
    Ok(out + rest)
}

fn table(name: &str, path: &Utf8Path, catalog: &Catalog) -> Result<String> {
    let folder = path.parent().unwrap_or(path);
    let here: Vec<&Image> = catalog.images().iter().filter(|image| image.folder() == folder).collect();
    Ok(match name {
        "images" => images(catalog),
        "commands" => commands(),
        "versions" => versions(catalog),
        "tags" if !here.is_empty() => tags(&here),
        "artifacts" if !here.is_empty() => artifacts(&here),
        "tags" | "artifacts" => bail!("`{name}` stands in the README of an image, and {folder} has no image.toml"),
        _ => bail!("there is no table `{name}`; tables: images, commands, versions, tags, artifacts"),
    })
}

fn markdown(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let header: Vec<String> = header.iter().map(ToString::to_string).collect();
    let rule = format!("|{}\n", "---|".repeat(header.len()));
    rows.into_iter().fold(line(&header) + &rule, |text, row| text + &line(&row))
}

fn code(text: impl std::fmt::Display) -> String {
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

fn commands() -> String {
    let cli = Cli::command();
    let rows = cli.get_subcommands().map(|command| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        vec![code(format!("cargo xtask {}", command.get_name())), about]
    });
    markdown(&["command", "what it does"], rows)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The documents of this repository fit its table; to write them: `cargo xtask docs`.
    #[test]
    fn the_documents_are_up_to_date() {
        let workspace = Workspace::find(&Global::default()).unwrap();
        let catalog = workspace.catalog().unwrap();
        for path in workspace.glob(&DOCUMENTS).unwrap() {
            let text = fs::read_to_string(workspace.path(path.as_str())).unwrap();
            let rendered = render(&text, &path, &catalog).unwrap();
            assert!(rendered == text, "{}to write it: cargo xtask docs", diff(&text, &rendered, &path));
        }
    }

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let workspace = Workspace::find(&Global::default()).unwrap();
        let catalog = workspace.catalog().unwrap();
        let text = "a <!-- table:commands -->old<!-- /table --> b";
        let rendered = render(text, Utf8Path::new("README.md"), &catalog).unwrap();
        assert!(rendered.starts_with("a <!-- table:commands -->\n| command |"), "{rendered}");
        assert!(rendered.ends_with("|\n<!-- /table --> b"), "{rendered}");
        let error = |text| format!("{:#}", render(text, Utf8Path::new("README.md"), &catalog).unwrap_err());
        assert!(error("<!-- table:nothing --><!-- /table -->").contains("there is no table `nothing`"));
        assert!(error("<!-- table:commands -->").contains("has no `<!-- /table -->`"));
        assert!(error("<!-- table:tags --><!-- /table -->").contains("has no image.toml"));
    }
}
