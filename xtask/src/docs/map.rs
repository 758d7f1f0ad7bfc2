//! The project map: every path that it names is there, and every folder that it should name is named.
//!
//! The map is the first block of code of its file. A line begins with a path, or names more of the folder that the line
//! above began with. What has a slash, or ends as a file does, is a path: relative to the repository or to that folder.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result};
use camino::{Utf8Path, Utf8PathBuf};

use super::Documents;

const MAP: &str = "docs/PROJECT_MAP.md";
/// Folders whose own folders are all named.
const WHOLE: [&str; 3] = ["docker", "xtask/crates", "ci"];
/// What Python leaves beside its scripts.
const MADE: &str = "__pycache__";

/// What the map says that is not so, and what it does not say, as `FILE:LINE: PROBLEM`.
pub(super) fn problems(documents: &Documents, root: &Utf8Path) -> Result<Vec<String>> {
    let Some(document) = documents.all.get(Utf8Path::new(MAP)) else {
        return Ok(Vec::new());
    };
    let mut problems = Vec::new();
    let mut named: BTreeSet<Utf8PathBuf> = BTreeSet::new();
    let mut base = Utf8PathBuf::new();
    let lines = document.rendered.lines().enumerate().skip_while(|(_, line)| !line.starts_with("```"));
    for (at, line) in lines.skip(1).take_while(|(_, line)| !line.starts_with("```")) {
        let words = line.split_whitespace().map(|word| word.trim_matches([',', ';', ':', '`', '(', ')']));
        for (place, word) in words.filter(|word| is_path(word)).enumerate() {
            if place == 0 && !line.starts_with(' ') {
                base = word.trim_end_matches('/').into();
            }
            match [Utf8PathBuf::from(word), base.join(word)].into_iter().find(|path| root.join(path).exists()) {
                Some(path) => drop(named.insert(path)),
                None => problems.push(format!("{MAP}:{}: there is no {word}", at + 1)),
            }
        }
    }
    for folder in WHOLE {
        let path = root.join(folder);
        let entries = path.read_dir_utf8().with_context(|| format!("reading {path}"))?;
        let mut missing: Vec<Utf8PathBuf> = Vec::new();
        for entry in entries {
            let entry = entry.with_context(|| format!("reading {path}"))?;
            let below = Utf8Path::new(folder).join(entry.file_name());
            let is_folder = fs::symlink_metadata(entry.path()).is_ok_and(|meta| meta.is_dir());
            if is_folder && entry.file_name() != MADE && !named.iter().any(|path| path.starts_with(&below)) {
                missing.push(below);
            }
        }
        missing.sort();
        problems.extend(missing.into_iter().map(|folder| format!("{MAP}: {folder}/ is not named")));
    }
    Ok(problems)
}

fn is_path(word: &str) -> bool {
    word.contains('/') || [".md", ".toml", ".lock", ".rs", ".sh", ".py"].iter().any(|end| word.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::Document;

    #[test]
    fn a_map_names_what_is_there_and_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        for path in ["docker/base", "docker/run/time", "xtask/crates/one", "xtask/src", "ci/__pycache__", "docs"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        fs::write(root.join("docs/a.md"), "").unwrap();
        let problems = |map: &str| {
            let document = Document { text: String::new(), rendered: map.to_owned() };
            problems(&Documents { all: [(MAP.into(), document)].into(), workflows: Default::default() }, root).unwrap()
        };
        let good = "# Map\n\n```\nxtask/   src has `code`, one/crates are\n  crates/one\ndocker/base/  the base   docker/run/time/  more\nci/  what\ndocs/  a.md\n```\nno/path\n";
        let good = good.replace("src has `code`, one/crates are", "src has code");
        assert_eq!(problems(&good), Vec::<String>::new());
        let bad = good.replace("crates/one", "crates/two").replace("a.md", "b.md").replace("docker/run/time/", "");
        assert_eq!(
            problems(&bad),
            [
                "docs/PROJECT_MAP.md:5: there is no crates/two",
                "docs/PROJECT_MAP.md:8: there is no b.md",
                "docs/PROJECT_MAP.md: docker/run/ is not named",
                "docs/PROJECT_MAP.md: xtask/crates/one/ is not named",
            ]
        );
    }
}
