//! Paths: what a package calls a file, and where it lies in a system with merged /usr.

use std::collections::BTreeSet;

/// Directories of the root that are links into /usr (<https://wiki.debian.org/UsrMerge>). dpkg's database keeps the
/// packages' own names; the files lie behind the link.
const MERGED: [&str; 6] = ["bin", "lib", "lib32", "lib64", "libx32", "sbin"];

/// The link that `path` is or leads through, if it is one of the root's links into /usr.
pub(super) fn merged(path: &str) -> Option<&'static str> {
    let top = path.split_once('/').map_or(path, |(top, _)| top);
    MERGED.into_iter().find(|name| *name == top)
}

/// `path` as a package or a recipe writes it (`./bin/sh`, `/bin/sh`, `usr/`), relative to the root and without
/// decoration. None if it is empty behind that, or leads out of the root.
pub(super) fn relative(path: &str) -> Option<&str> {
    let path = path.strip_prefix("./").unwrap_or(path).trim_start_matches('/').trim_end_matches('/');
    let proper = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.split('/').all(proper).then_some(path)
}

/// Where a path lies in a system with merged /usr: `bin/sh` is `usr/bin/sh`.
pub(super) fn placed(path: &str) -> String {
    match merged(path) {
        Some(_) => format!("usr/{path}"),
        None => path.to_owned(),
    }
}

/// Where the symbolic link at `path` leads, relative to the root, which no link leaves.
pub(super) fn target_of(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = match target.starts_with('/') {
        true => Vec::new(),
        false => path.split('/').collect(),
    };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    placed(&parts.join("/"))
}

/// dpkg's path filter: what is left out of a package (`--path-exclude` and `--path-include` in
/// <https://manpages.debian.org/stable/dpkg/dpkg.1.en.html>, with all inclusions behind the exclusions).
pub(super) struct Filter {
    exclude: Vec<Rule>,
    include: Vec<Rule>,
}

/// A pattern, and what it begins with before its first wildcard.
struct Rule {
    prefix: String,
    pattern: glob::Pattern,
}

impl Rule {
    fn matches(&self, path: &str) -> bool {
        // Most paths do not even begin so, and looking is cheaper than matching.
        path.starts_with(&self.prefix) && self.pattern.matches(path)
    }
}

impl Filter {
    /// The filter of these patterns of absolute paths, or those that are no patterns.
    pub(super) fn new(exclude: &[String], include: &[String]) -> Result<Self, BTreeSet<String>> {
        let mut wrong = BTreeSet::new();
        let mut rules = |texts: &[String]| {
            let mut rules = Vec::new();
            for text in texts {
                match glob::Pattern::new(text) {
                    Ok(pattern) if text.starts_with('/') => {
                        let prefix = text.split(['*', '?', '[']).next().unwrap_or_default().to_owned();
                        rules.push(Rule { prefix, pattern });
                    }
                    _ => drop(wrong.insert(text.clone())),
                }
            }
            rules
        };
        let filter = Self { exclude: rules(exclude), include: rules(include) };
        if wrong.is_empty() { Ok(filter) } else { Err(wrong) }
    }

    /// Whether `path`, as the package calls it and relative to the root, is left out. Of directories and links those
    /// stay beneath which an inclusion could hold, as with dpkg.
    pub(super) fn leaves_out(&self, path: &str, is_file: bool) -> bool {
        let path = format!("/{path}");
        let stays =
            |rule: &Rule| rule.matches(&path) || (!is_file && path.starts_with(rule.prefix.trim_end_matches('/')));
        self.exclude.iter().any(|rule| rule.matches(&path)) && !self.include.iter().any(stays)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_placed_behind_the_links_of_merged_usr() {
        for (path, placed_at) in
            [("bin/sh", "usr/bin/sh"), ("lib64/ld.so", "usr/lib64/ld.so"), ("binary/x", "binary/x")]
        {
            assert_eq!(placed(path), placed_at);
        }
        assert_eq!(relative("./usr/bin/"), Some("usr/bin"));
        assert_eq!(relative("/etc/x"), Some("etc/x"));
        for wrong in ["./", "/", "a/../b", "../a", "a//b", "./."] {
            assert_eq!(relative(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn link_targets_are_followed_within_the_root() {
        for (path, target, to) in [
            ("usr/bin/awk", "/etc/alternatives/awk", "etc/alternatives/awk"),
            ("usr/lib/x/a", "../y/b", "usr/lib/y/b"),
            ("etc/alternatives/pager", "/bin/more", "usr/bin/more"),
            ("a", "../b", "b"),
        ] {
            assert_eq!(target_of(path, target), to, "{path} -> {target}");
        }
    }

    #[test]
    fn a_star_of_a_filter_crosses_directories_and_includes_win() {
        let filter = Filter::new(
            &["/usr/share/doc/*".into(), "/usr/share/man/*".into()],
            &["/usr/share/doc/*/copyright".into()],
        )
        .ok()
        .unwrap();
        for (path, is_file, left_out) in [
            ("usr/share/doc/a/examples/x", true, true),
            ("usr/share/doc/a/copyright", true, false),
            ("usr/share/doc/a", false, false),
            ("usr/share/doc", false, false),
            ("usr/share/man/man1", false, true),
            ("usr/share/man", false, false),
        ] {
            assert_eq!(filter.leaves_out(path, is_file), left_out, "{path}");
        }
        assert!(Filter::new(&["relative".into(), "/a[".into()], &[]).is_err_and(|wrong| wrong.len() == 2));
    }
}
