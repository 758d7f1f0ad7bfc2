//! Whether a line names something: paths as people and scripts write them, targets of `make`, images.
//!
//! A path is recognised in full, from the folder of the file that names it, behind a variable, and by two or more of its
//! last parts, wildcards among them. A bare name counts in the same folder, for a file at the top, and in a file that names
//! the folder it lies in. A Makefile is named by `make` with one of its targets. What points to a file that stays is about
//! that file.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use super::{names::Gone, tree::Tree};

/// The targets of a Makefile.
pub(super) fn targets(makefile: &str) -> Vec<String> {
    let rules = makefile.lines().filter_map(|line| {
        let (names, rest) = line.split_once(':')?;
        let is_rule = !rest.starts_with('=') && !rest.starts_with(":=") && !names.starts_with([' ', '\t', '#', '.']);
        is_rule.then_some(names)
    });
    let plain = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || "._-/".contains(c));
    rules.flat_map(|names| names.split_whitespace().filter(plain)).map(str::to_owned).collect()
}

/// A file that names something, perhaps.
pub(super) struct File<'t> {
    folder: PathBuf,
    text: String,
    tree: &'t Tree,
}

impl<'t> File<'t> {
    pub(super) fn read(tree: &'t Tree, file: &Path) -> Self {
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        Self { folder, text: tree.text(file), tree }
    }
}

pub(super) struct Search<'g> {
    gone: &'g [Gone],
    /// What git looks for: the lines that hold one of these are looked at closely.
    pub(super) words: BTreeSet<String>,
}

/// A character that a path is written with, where it is written without quotes.
fn in_path(c: char) -> bool {
    c.is_alphanumeric() || "_.-/*?[]{}$~+@%".contains(c)
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// Whether the text behind a name goes on with it: `spark-core_2.12`, `Makefile.am`; not the dot that ends a sentence.
fn goes_on(rest: &str) -> bool {
    let mut rest = rest.chars();
    match rest.next() {
        Some('.') => rest.next().is_some_and(in_name),
        Some(c) => in_name(c),
        None => false,
    }
}

impl<'g> Search<'g> {
    pub(super) fn new(gone: &'g [Gone]) -> Self {
        let mut words = BTreeSet::new();
        for gone in gone {
            match gone {
                Gone::Image(name) => drop(words.insert(name.clone())),
                Gone::Path { path, targets } => {
                    words.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
                    words.extend((!targets.is_empty()).then(|| "make".to_owned()));
                    // `*/build.sh` stands for it as well as `jars*/build-*.sh` does.
                    words.extend(path.extension().map(|extension| format!("*.{}", extension.to_string_lossy())));
                }
            }
        }
        // A word with a line end in it is never in one line, and to git it would be two words.
        words.retain(|word| !word.contains('\n'));
        Self { gone, words }
    }

    /// Whether a file goes itself.
    pub(super) fn covers(&self, file: &Path) -> bool {
        !self.at(file).is_empty()
    }

    /// What lies at a path or above it.
    pub(super) fn at(&self, file: &Path) -> BTreeSet<usize> {
        let lies = |gone: &Gone| matches!(gone, Gone::Path { path, .. } if file.starts_with(path));
        (0..self.gone.len()).filter(|n| lies(&self.gone[*n])).collect()
    }

    pub(super) fn named(&self, line: &str, file: &File<'_>) -> BTreeSet<usize> {
        let names = |gone: &Gone| match gone {
            Gone::Image(name) => image(line, name),
            Gone::Path { path, targets } => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                line.match_indices(&*name).any(|(at, _)| path_at(line, at, &name, path, file))
                    || wildcard(line, path)
                    || makes(line, path, targets, file)
            }
        };
        (0..self.gone.len()).filter(|n| names(&self.gone[*n])).collect()
    }
}

fn image(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].strip_suffix("localhost/").unwrap_or(&line[..at]);
        !before.ends_with(|c: char| in_name(c) || c == '.' || c == '/') && !goes_on(&line[at + name.len()..])
    })
}

/// Whether the name at this place of a line is that of `path`.
fn path_at(line: &str, at: usize, name: &str, path: &Path, file: &File<'_>) -> bool {
    if goes_on(&line[at + name.len()..]) {
        return false;
    }
    let before = &line[..at];
    // A path with blanks or quotes in it, in full.
    let above =
        path.parent().filter(|above| *above != Path::new("")).map(|above| format!("{}/", above.to_string_lossy()));
    if above.as_ref().is_some_and(|above| before.ends_with(above.as_str())) {
        return true;
    }
    let token = &before[before.char_indices().rev().take_while(|(_, c)| in_path(*c)).last().map_or(at, |(n, _)| n)..];
    // A wildcard is matched as a whole.
    if !(token.is_empty() || token.ends_with('/')) || token.contains('*') {
        return false;
    }
    let written = format!("{token}{name}");
    // What points to something that stays is about that.
    let seen = resolved(&file.folder, Path::new(&written));
    if seen.as_deref() == Some(path) {
        return true;
    }
    let elsewhere = |seen: &Path| !seen.starts_with(path) && file.tree.has(seen);
    if seen.as_deref().is_some_and(elsewhere) {
        return false;
    }
    let last: Vec<&str> = token.rsplit('/').skip(1).take_while(|part| is_plain(part)).collect();
    let parts = path.components().count();
    match last.len() {
        0 if parts == 1 => true,
        0 => above.is_some_and(|above| file.text.contains(above.trim_end_matches('/'))),
        n => parts > 1 && ends_with(&last[..n.min(parts - 1)], name, path),
    }
}

fn is_plain(part: &str) -> bool {
    !part.is_empty() && part != "." && part != ".." && !part.contains(['$', '{', '}', '~', '*', '?'])
}

/// Whether a path ends in these names, the last but one first, and `name`.
fn ends_with(last: &[&str], name: &str, path: &Path) -> bool {
    let mut parts = path.components().rev().map(|part| part.as_os_str().to_string_lossy());
    let same = |part: Option<std::borrow::Cow<'_, str>>, name: &str| part.is_some_and(|part| part == name);
    same(parts.next(), name) && last.iter().all(|name| same(parts.next(), name))
}

/// Whether a word of the line is a pattern of a shell for the path, or for its last parts: two at least.
fn wildcard(line: &str, path: &Path) -> bool {
    let words = line.split(|c: char| !in_path(c)).filter(|word| word.contains('*') && word.contains('/'));
    let path = path.to_string_lossy();
    words.into_iter().any(|word| {
        let word = word.trim_end_matches(['.', '/']).trim_start_matches("./");
        let parts = word.split('/').count();
        let names: Vec<&str> = path.split('/').collect();
        let says_nothing = word.rsplit('/').next().is_none_or(|last| !last.contains(char::is_alphanumeric));
        if parts > names.len() || parts < 2 || says_nothing {
            return false;
        }
        let of = word.split('/').zip(&names[names.len() - parts..]);
        let mut of = of.map(|(part, name)| glob::Pattern::new(part).is_ok_and(|part| part.matches(name)));
        of.all(|matches| matches)
    })
}

/// Whether the line calls `make` with a target of this Makefile, as a command and not in a sentence.
fn makes(line: &str, path: &Path, targets: &[String], file: &File<'_>) -> bool {
    let above = path.parent().unwrap_or(Path::new("")).to_string_lossy();
    line.match_indices("make").any(|(at, _)| {
        let before = line[..at].trim_end();
        let command = !line[..at].ends_with(|c| in_name(c) || "./".contains(c))
            && !before.ends_with(|c: char| c.is_alphanumeric() || ",.)".contains(c));
        let Some(rest) = line[at + 4..].strip_prefix(' ').filter(|_| command) else { return false };
        let words: Vec<&str> = rest.split(|c: char| c.is_whitespace() || "`\"';&|()".contains(c)).collect();
        let folder = words.iter().position(|word| *word == "-C").and_then(|n| words.get(n + 1));
        let calls = words.iter().any(|word| targets.iter().any(|target| target == word));
        let here = match folder {
            Some(folder) => Path::new(folder).ends_with(&*above) && !above.is_empty(),
            None => above.is_empty() || file.folder == Path::new(&*above) || file.text.contains(&*above),
        };
        here && (calls || folder.is_some())
    })
}

/// A path seen from a folder of the checkout; nothing if it leaves the checkout.
pub(super) fn resolved(folder: &Path, path: &Path) -> Option<PathBuf> {
    let mut whole = folder.to_owned();
    for part in path.components() {
        match part {
            Component::Normal(name) => whole.push(name),
            Component::ParentDir => {
                if !whole.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;

    /// Whether a line of a file names a path. `others` are files that are there.
    fn names(path: &str, makefile: &str, others: &[&str], file: &str, text: &str) -> bool {
        let root = tempfile::tempdir().unwrap();
        for (other, text) in others.iter().map(|other| (*other, "")).chain([(file, text)]) {
            let other = root.path().join(other);
            std::fs::create_dir_all(other.parent().unwrap()).unwrap();
            std::fs::write(other, text).unwrap();
        }
        let tree = Tree::open(Utf8Path::from_path(root.path()).unwrap()).unwrap();
        let gone = [Gone::of(path.into(), makefile)];
        let search = Search::new(&gone);
        let file = File::read(&tree, Path::new(file));
        let known = |line: &&str| search.words.iter().any(|word| line.contains(word.as_str()));
        text.lines().filter(known).any(|line| !search.named(line, &file).is_empty())
    }

    #[test]
    fn a_path_is_recognised_however_it_is_written() {
        let script = "docker/docker-intermediate/jars/build-1.sh";
        for (path, file, text, expected) in [
            (script, "README.md", "run `docker/docker-intermediate/jars/build-1.sh`.", true),
            (script, "README.md", "/home/me/repo/docker/docker-intermediate/jars/build-1.sh --all", true),
            (script, "README.md", "https://host.example/docker/docker-intermediate/jars/build-1.sh", true),
            (script, "docs/a.md", "[it](../docker/docker-intermediate/jars/build-1.sh)", true),
            (script, "docker/a.md", "docker-intermediate/jars/build-1.sh", true),
            (script, "a.md", "jars/build-1.sh", true),
            (script, "docker/docker-intermediate/jars/README.md", "./build-1.sh", true),
            (script, "a.sh", "cd docker/docker-intermediate/jars && ./build-1.sh", true),
            (script, "a.sh", "\"$HERE/build-1.sh\" # of docker/docker-intermediate/jars", true),
            (script, "a.sh", "for s in docker/*/jars/*.sh; do", true),
            (script, "a.sh", "*/build-*.sh", true),
            (script, "a.sh", "build-1.sh", false),
            (script, "a.sh", "\"$HERE/build-1.sh\"", false),
            (script, "a.sh", "other/build-1.sh", false),
            (script, "a.sh", "docker/docker-intermediate/jars/prebuild-1.sh", false),
            (script, "a.sh", "docker/docker-intermediate/jars/build-1.sha", false),
            (script, "a.sh", "COPY docker/docker-intermediate/* .", false),
            (script, "a.sh", "charts/*/build-1.sh", false),
            (script, "a.sh", "charts/*/jars/build-1.sh", false),
            ("docker/docker-base/spark-core", "a.md", "org.example:spark-core_2.12 in docker/docker-base", false),
            ("docker/docker-base/spark-core", "a.md", "docker-base/spark-core/conf", true),
            ("docker/docker-base/spark-core", "a.md", "docker/docker-base/spark-core.", true),
            ("docker/a b/build.sh", "a.md", "'docker/a b/build.sh'", true),
            ("build-all.sh", "docs/a.md", "then `build-all.sh`", true),
            ("build-all.sh", "docs/a.md", "../build-all.sh", true),
            ("build-all.sh", "docs/a.md", "sub/build-all.sh", false),
        ] {
            assert_eq!(names(path, "", &[], file, text), expected, "{path} in {file}: {text}");
        }
    }

    #[test]
    fn what_points_to_a_file_that_stays_is_about_that() {
        assert!(!names("build-all.sh", "", &["docs/build-all.sh"], "docs/a.md", "./build-all.sh"));
        assert!(!names("Makefile", "", &["charts/Makefile"], "a.md", "see charts/Makefile"));
        assert!(names("Makefile", "", &["charts/Makefile"], "a.md", "see Makefile"));
    }

    #[test]
    fn a_makefile_is_named_by_its_targets() {
        let makefile = ".PHONY: all\nX := a:b\nall build-3.5.7: base\n\t@echo done: yes\nbase:\n";
        assert_eq!(targets(makefile), ["all", "build-3.5.7", "base"]);
        for (path, file, text, expected) in [
            ("Makefile", "a.yml", "      - run: make all", true),
            ("Makefile", "a.md", "Call `make build-3.5.7`.", true),
            ("Makefile", "a.sh", "cd x && make -j 4 base", true),
            ("Makefile", "a.md", "make sure that", false),
            ("Makefile", "a.md", "we make all of it", false),
            ("Makefile", "a.sh", "cmake all", false),
            ("Makefile", "a.sh", "make -C charts all", false),
            ("docker/x/Makefile", "a.sh", "make -C docker/x", true),
            ("docker/x/Makefile", "a.sh", "cd docker/x; make all", true),
            ("docker/x/Makefile", "docker/x/README.md", "    make all", true),
            ("docker/x/Makefile", "a.sh", "make all", false),
        ] {
            assert_eq!(names(path, makefile, &[], file, text), expected, "{path} in {file}: {text}");
        }
    }

    #[test]
    fn an_image_is_recognised_by_its_whole_name() {
        for (line, expected) in [
            ("image: spark-custom:3.5", true),
            ("localhost/spark-custom:3.5.", true),
            ("spark-custom:3.5.7", false),
            ("registry.example/spark-custom:3.5", false),
            ("my-spark-custom:3.5", false),
        ] {
            assert_eq!(image(line, "spark-custom:3.5"), expected, "{line}");
        }
    }
}
