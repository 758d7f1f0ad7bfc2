//! Links between documents: what they name exists, down to the heading.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{Documents, line};

/// What a document links to, and what can be linked to in it.
#[derive(Default)]
struct Page {
    /// Line and target of each link.
    links: Vec<(usize, String)>,
    anchors: BTreeSet<String>,
}

/// Each link that leads nowhere, as `FILE:LINE: PROBLEM`.
pub(super) fn problems(documents: &Documents, root: &Utf8Path) -> Vec<String> {
    let pages: BTreeMap<&Utf8Path, Page> =
        documents.all.iter().map(|(path, document)| (path.as_path(), read(&document.rendered))).collect();
    let mut problems = Vec::new();
    for (path, page) in &pages {
        for (line, link) in &page.links {
            if let Some(problem) = problem(path, link, &pages, root) {
                problems.push(format!("{path}:{line}: {problem}"));
            }
        }
    }
    problems
}

fn problem(path: &Utf8Path, link: &str, pages: &BTreeMap<&Utf8Path, Page>, root: &Utf8Path) -> Option<String> {
    // An address with a scheme is somebody else's: asking for it would need a network.
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let Some(target) = resolve(path, file) else { return Some(format!("`{link}` leads out of the repository")) };
    if !root.join(&target).exists() {
        return Some(format!("`{link}`: there is no {target}"));
    }
    match (anchor, pages.get(target.as_path())) {
        (Some(anchor), Some(page)) if !page.anchors.contains(anchor) => {
            Some(format!("`{link}`: {target} has no heading `#{anchor}`"))
        }
        _ => None,
    }
}

/// The path that a link means, relative to the repository; nothing if it leads out of that.
fn resolve(from: &Utf8Path, link: &str) -> Option<Utf8PathBuf> {
    if link.is_empty() {
        return Some(from.to_owned());
    }
    let mut path = from.parent()?.to_owned();
    for part in Utf8Path::new(link).components() {
        match part {
            Utf8Component::Normal(name) => path.push(name),
            Utf8Component::ParentDir => path = if path.pop() { path } else { return None },
            Utf8Component::CurDir => {}
            Utf8Component::RootDir | Utf8Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

fn read(text: &str) -> Page {
    let mut page = Page::default();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut heading: Option<String> = None;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push((line(text, range.start), dest_url.to_string()));
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(part) | Event::Code(part) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&part);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let slug = slug(&heading.take().unwrap_or_default());
                let count = seen.entry(slug.clone()).or_default();
                page.anchors.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
                *count += 1;
            }
            _ => {}
        }
    }
    page
}

/// What GitHub makes of a heading: small letters, hyphens for spaces, nothing else that is no letter, digit, `-` or `_`.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::Document;

    fn documents(texts: &[(&str, &str)]) -> Documents {
        let document = |text: &str| Document { text: String::new(), rendered: text.to_owned() };
        let all = texts.iter().map(|(path, text)| ((*path).into(), document(text))).collect();
        Documents { all, workflows: Default::default() }
    }

    #[test]
    fn what_a_link_names_is_there_down_to_the_heading() {
        let root = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(root.path()).unwrap();
        std::fs::create_dir_all(root.join("docs/more")).unwrap();
        for file in ["README.md", "docs/a.md", "LICENSE"] {
            std::fs::write(root.join(file), "").unwrap();
        }
        let readme = "# One `two`, three!\n[a](docs/a.md) [b](docs/b.md)\n[l](LICENSE) [x](https://example.com/x)\n\
                      \n    [code](nowhere)\n`[code](nowhere)`\n\n[d](docs/more) [ref]\n\n[ref]: docs/a.md#same-1\n";
        let a = "## Same\n## Same\n[up](../README.md#one-two-three) [no](../README.md#one)\n[out](../../x) [root](/etc)\n[here](#same)\n![p](p.svg)\n";
        assert_eq!(
            problems(&documents(&[("README.md", readme), ("docs/a.md", a)]), root),
            [
                "README.md:2: `docs/b.md`: there is no docs/b.md",
                "docs/a.md:3: `../README.md#one`: README.md has no heading `#one`",
                "docs/a.md:4: `../../x` leads out of the repository",
                "docs/a.md:4: `/etc` leads out of the repository",
                "docs/a.md:6: `p.svg`: there is no docs/p.svg",
            ]
        );
    }
}
