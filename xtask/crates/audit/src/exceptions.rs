//! What is found and is as it should be: `docker/audit.toml`, each entry with its reason.

use std::{cell::RefCell, collections::BTreeSet};

use glob::{MatchOptions, Pattern};
use serde::Deserialize;

use crate::{
    Error, Result,
    finding::{Finding, Place, Rule},
};

/// Where exceptions stand, relative to the checkout.
pub const FILE: &str = "docker/audit.toml";

/// `*` stays within one folder, `**` does not.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// What exceptions are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Images: `[[allow]]`.
    Images,
    /// The files of the tree itself: `[[allow-in-tree]]`.
    Tree,
}

/// What may be found.
#[derive(Debug, Default)]
pub struct Exceptions {
    entries: Vec<Entry>,
    /// Entries that have excused something.
    used: RefCell<BTreeSet<usize>>,
    /// Entries of which the jars or paths were seen.
    seen: RefCell<BTreeSet<usize>>,
}

#[derive(Debug)]
struct Entry {
    line: usize,
    rule: Rule,
    paths: Vec<Pattern>,
    jars: Vec<Pattern>,
    classes: Vec<Pattern>,
    /// It is about a Spark that was compiled, and so of no use where none was.
    of_source: bool,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    allow: Vec<toml::Spanned<Raw>>,
    #[serde(default, rename = "allow-in-tree")]
    allow_in_tree: Vec<toml::Spanned<Raw>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    rule: String,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    jars: Vec<String>,
    #[serde(default)]
    classes: Vec<String>,
    origin: Option<String>,
    reason: String,
}

impl Exceptions {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// It is no TOML of this shape; an entry names a rule that there is not, nothing that it is for, or no reason.
    pub fn parse(text: &str, scope: Scope) -> Result<Self> {
        let file: File = toml::from_str(text).map_err(|error| Error::Exceptions(error.to_string()))?;
        let entries = |list: Vec<toml::Spanned<Raw>>| {
            let entry = |raw: toml::Spanned<Raw>| {
                let line = text[..raw.span().start.min(text.len())].matches('\n').count() + 1;
                Entry::new(raw.into_inner(), line).map_err(|reason| Error::Exceptions(format!("line {line}: {reason}")))
            };
            list.into_iter().map(entry).collect::<Result<Vec<_>>>()
        };
        // What is wrong is said, whatever is audited.
        let (images, tree) = (entries(file.allow)?, entries(file.allow_in_tree)?);
        let entries = if scope == Scope::Images { images } else { tree };
        Ok(Self { entries, ..Self::default() })
    }

    /// Whether a finding of this rule at this path is excused.
    pub fn excuse(&self, rule: Rule, path: &str) -> bool {
        let fits = |entry: &Entry| entry.rule == rule && any(&entry.paths, path);
        self.mark(fits)
    }

    /// Whether a class that both jars have is excused.
    pub fn excuse_class(&self, jars: [&str; 2], class: &str) -> bool {
        let fits = |entry: &Entry| {
            entry.rule == Rule::DuplicateClass
                && jars.iter().all(|jar| any(&entry.jars, jar))
                && (entry.classes.is_empty() || any(&entry.classes, class))
        };
        self.mark(fits)
    }

    /// Notes the jars of a class path: an exception for jars that are there, and that excused nothing, is of no use.
    pub fn see_jars<'j>(&self, jars: impl Iterator<Item = &'j str> + Clone) {
        for (place, entry) in self.entries.iter().enumerate() {
            let there = |pattern: &Pattern| jars.clone().any(|jar| pattern.matches_with(jar, OPTIONS));
            if !entry.jars.is_empty() && entry.jars.iter().all(there) {
                self.seen.borrow_mut().insert(place);
            }
        }
    }

    /// Notes the paths of an image, as [`Exceptions::see_jars`] does jars.
    pub fn see_paths<'p>(&self, paths: impl Iterator<Item = &'p str> + Clone) {
        for (place, entry) in self.entries.iter().enumerate() {
            if !self.seen.borrow().contains(&place) && paths.clone().any(|path| any(&entry.paths, path)) {
                self.seen.borrow_mut().insert(place);
            }
        }
    }

    /// Entries that excused nothing. Where `all` images were judged, every such entry, but for those about a compiled
    /// Spark; else those whose jars or paths were there.
    pub fn unused(&self, all: bool) -> Vec<Finding> {
        let (used, seen) = (self.used.borrow(), self.seen.borrow());
        let unused = |(place, entry): &(usize, &Entry)| {
            !used.contains(place) && (all && !entry.of_source || seen.contains(place))
        };
        let finding = |(_, entry): (usize, &Entry)| {
            let place = Place { path: FILE.to_owned(), line: Some(entry.line), ..Place::default() };
            let message = format!("the exception for `{}` excuses nothing: {}", entry.rule.id(), entry.text);
            Finding::new(Rule::UnusedException, place, message)
        };
        self.entries.iter().enumerate().filter(unused).map(finding).collect()
    }

    fn mark(&self, fits: impl Fn(&Entry) -> bool) -> bool {
        let Some(place) = self.entries.iter().position(fits) else { return false };
        self.used.borrow_mut().insert(place);
        true
    }
}

fn any(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches_with(text, OPTIONS))
}

impl Entry {
    fn new(raw: Raw, line: usize) -> Result<Self, String> {
        let rule: Rule = raw.rule.parse()?;
        if raw.reason.trim().is_empty() {
            return Err("`reason` is empty: say why this is as it should be".to_owned());
        }
        let of_class = rule == Rule::DuplicateClass;
        if of_class && (raw.jars.is_empty() || !raw.paths.is_empty()) {
            return Err("an exception for `duplicate-class` names `jars`, by file name, and no `paths`".to_owned());
        }
        if !of_class && (raw.paths.is_empty() || !raw.jars.is_empty() || !raw.classes.is_empty()) {
            return Err(format!("an exception for `{}` names `paths`, and no `jars` or `classes`", rule.id()));
        }
        if raw.origin.as_ref().is_some_and(|origin| origin != "source") {
            return Err("`origin` can be \"source\": the exception is about a Spark that was compiled".to_owned());
        }
        let of_source = raw.origin.is_some();
        let text = [&raw.paths[..], &raw.jars, &raw.classes].concat().join(", ");
        let patterns = |texts: &[String]| texts.iter().map(|text| pattern(text)).collect::<Result<Vec<_>, _>>();
        let (paths, jars, classes) = (patterns(&raw.paths)?, patterns(&raw.jars)?, patterns(&raw.classes)?);
        Ok(Self { line, rule, paths, jars, classes, of_source, text })
    }
}

fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::new(text).map_err(|error| format!("`{text}` is no pattern: {}", error.msg))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_the_file_is_said_with_its_line() {
        let wrong = |text: &str| Exceptions::parse(text, Scope::Images).unwrap_err().to_string();
        let of = |rule: &str, rest: &str| wrong(&format!("\n[[allow]]\nrule = \"{rule}\"\n{rest}\n"));
        assert!(
            of("setiud", "paths = [\"x\"]\nreason = \"r\"").contains("line 2: there is no rule `setiud`; rules: aws-")
        );
        assert!(of("setuid", "paths = [\"x\"]\nreason = \" \"").contains("line 2: `reason` is empty"));
        assert!(of("setuid", "jars = [\"x\"]\nreason = \"r\"").contains("names `paths`"));
        assert!(of("duplicate-class", "paths = [\"x\"]\nreason = \"r\"").contains("names `jars`"));
        assert!(of("setuid", "paths = [\"[\"]\nreason = \"r\"").contains("`[` is no pattern"));
        assert!(of("setuid", "paths = [\"x\"]\norigin = \"release\"\nreason = \"r\"").contains("`origin` can be"));
        assert!(of("setuid", "paths = [\"x\"]").contains("missing field `reason`"));
        assert!(Exceptions::parse("[[allow-in-tree]]\nrule = \"x\"\nreason = \"r\"", Scope::Images).is_err());
        assert!(of("setuid", "path = [\"x\"]\nreason = \"r\"").contains("unknown field `path`"));
    }

    #[test]
    fn an_exception_about_a_compiled_spark_is_no_finding_where_none_was_compiled() {
        let text = "[[allow]]\nrule = \"duplicate-class\"\njars = [\"a.jar\"]\norigin = \"source\"\nreason = \"r\"\n";
        let exceptions = Exceptions::parse(text, Scope::Images).unwrap();
        assert_eq!(exceptions.unused(true).len(), 0);
        exceptions.see_jars(["a.jar"].into_iter());
        assert_eq!(exceptions.unused(true).len(), 1);
        assert!(exceptions.excuse_class(["a.jar", "a.jar"], "A.class"));
        assert_eq!(exceptions.unused(true).len(), 0);
    }

    #[test]
    fn an_exception_excuses_what_it_names_and_is_unused_else() {
        let text = "[[allow]]\nrule = \"setuid\"\npaths = [\"usr/bin/*\"]\nreason = \"r\"\n\
                    [[allow]]\nrule = \"duplicate-class\"\njars = [\"a-*.jar\", \"b.jar\"]\nclasses = [\"org/x/**\"]\nreason = \"r\"\n";
        let exceptions = Exceptions::parse(text, Scope::Images).unwrap();
        assert!(!exceptions.excuse(Rule::Setuid, "usr/bin/deep/su"));
        assert!(!exceptions.excuse(Rule::WorldWritable, "usr/bin/su"));
        assert!(!exceptions.excuse_class(["a-1.jar", "b.jar"], "org/y/A.class"));
        assert!(!exceptions.excuse_class(["a-1.jar", "c.jar"], "org/x/A.class"));
        assert_eq!(exceptions.unused(false).len(), 0, "nothing of them was seen");
        assert_eq!(exceptions.unused(true).len(), 2);
        exceptions.see_jars(["a-1.jar", "b.jar"].into_iter());
        exceptions.see_paths(["usr/bin/su"].into_iter());
        assert_eq!(exceptions.unused(false).len(), 2);
        assert!(exceptions.excuse(Rule::Setuid, "usr/bin/su"));
        assert!(exceptions.excuse_class(["b.jar", "a-1.jar"], "org/x/y/A.class"));
        assert_eq!(exceptions.unused(true), []);
    }
}
