//! What `update-alternatives` would have made: links, links in `/etc/alternatives`, and its database.
//!
//! Format of the database: <https://manpages.debian.org/stable/dpkg/update-alternatives.1.en.html>, section FILES, and
//! what the tool itself writes.

use std::collections::BTreeMap;

use super::{Alternative, Recipe, layout, tree::Tree, writer::Meta};

/// Adds the links and the database of the recipe's alternatives. `exists` tells whether a path, relative to the root,
/// is there.
pub(super) fn generate(recipe: &Recipe, exists: impl Fn(&str) -> bool, tree: &mut Tree, faults: &mut Vec<String>) {
    let there = |path: &str| layout::relative(path).is_some_and(|path| exists(&layout::placed(path)));
    let mut groups: BTreeMap<&str, Vec<&Alternative>> = BTreeMap::new();
    for alternative in &recipe.alternatives {
        groups.entry(&alternative.name).or_default().push(alternative);
    }
    for (name, mut choices) in groups {
        choices.sort_by(|a, b| a.path.cmp(&b.path));
        for choice in &choices {
            if !there(&choice.path) {
                faults.push(format!("the alternative `{name}` stands for `{}`, which no package holds", choice.path));
            }
            if choice.link != choices[0].link {
                faults.push(format!(
                    "the alternative `{name}` has the links `{}` and `{}`",
                    choices[0].link, choice.link
                ));
            }
        }
        // Of equal priorities the tool keeps the one that it saw first; here that is the first by path.
        let Some(best) = choices.iter().rev().max_by_key(|choice| choice.priority) else { continue };
        tree.link(&best.link, &format!("/etc/alternatives/{name}"), faults);
        tree.link(&format!("etc/alternatives/{name}"), &best.path, faults);
        for slave in best.slaves.iter().filter(|slave| there(&slave.path)) {
            tree.link(&slave.link, &format!("/etc/alternatives/{}", slave.name), faults);
            tree.link(&format!("etc/alternatives/{}", slave.name), &slave.path, faults);
        }
        let path = format!("var/lib/dpkg/alternatives/{name}");
        tree.file(&path, Meta::root(0o644), database(&best.link, &choices), faults);
    }
}

/// The database file of one name.
fn database(link: &str, choices: &[&Alternative]) -> String {
    let slaves: BTreeMap<&str, &str> = choices
        .iter()
        .flat_map(|choice| &choice.slaves)
        .map(|slave| (slave.name.as_str(), slave.link.as_str()))
        .collect();
    let mut lines = vec!["auto".to_owned(), link.to_owned()];
    for (name, link) in &slaves {
        lines.extend([(*name).to_owned(), (*link).to_owned()]);
    }
    lines.push(String::new());
    for choice in choices {
        lines.extend([choice.path.clone(), choice.priority.to_string()]);
        for name in slaves.keys() {
            let slave = choice.slaves.iter().find(|slave| slave.name == *name);
            lines.push(slave.map(|slave| slave.path.clone()).unwrap_or_default());
        }
    }
    lines.push(String::new());
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::Slave;

    fn awk(path: &str, priority: i32) -> Alternative {
        let slave = Slave { name: "nawk".into(), link: "/usr/bin/nawk".into(), path: path.into() };
        let (name, link) = ("awk".into(), "/usr/bin/awk".into());
        Alternative { name, link, path: path.into(), priority, slaves: vec![slave] }
    }

    #[test]
    fn the_highest_priority_wins_and_the_database_knows_all() {
        let alternatives = vec![awk("/usr/bin/mawk", 5), awk("/usr/bin/gawk", 10)];
        let (mut tree, mut faults) = (Tree::default(), Vec::new());
        generate(&Recipe { alternatives, ..Recipe::default() }, |_| true, &mut tree, &mut faults);
        assert_eq!(faults, Vec::<String>::new());
        assert!(tree.contains("usr/bin/awk") && tree.contains("etc/alternatives/nawk"));
        assert_eq!(
            tree.text("var/lib/dpkg/alternatives/awk"),
            Some(
                "auto\n/usr/bin/awk\nnawk\n/usr/bin/nawk\n\n\
                 /usr/bin/gawk\n10\n/usr/bin/gawk\n/usr/bin/mawk\n5\n/usr/bin/mawk\n\n"
            )
        );
    }

    #[test]
    fn a_choice_that_is_not_there_is_a_fault() {
        let recipe = Recipe { alternatives: vec![awk("/usr/bin/mawk", 5)], ..Recipe::default() };
        let mut faults = Vec::new();
        generate(&recipe, |_| false, &mut Tree::default(), &mut faults);
        assert!(faults[0].contains("/usr/bin/mawk"), "{faults:?}");
    }
}
