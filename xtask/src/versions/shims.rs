//! Whether plugins know the Spark version that is added: asked of their jars. What to take where one does not is a question.

use std::fmt;

use anyhow::Result;
use catalog::{Catalog, digits};
use toml_edit::{InlineTable, Item, Table, TableLike};

use super::{
    images::{Pair, Plugin},
    upstream::{Release, Upstream},
};

/// What is written for one plugin, and why.
pub(super) struct Decision {
    plugin: String,
    /// Why it must be said which shim the plugin takes; nothing where it must not.
    question: Option<String>,
    why: String,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}: {}", self.plugin, self.question.as_ref().unwrap_or(&self.why))
    }
}

/// Asks the jar of each plugin. One that nobody can look into does as with the neighbour; if it is told there what to take,
/// that is a question.
///
/// # Errors
/// A registry does not answer.
pub(super) fn decide(
    catalog: &Catalog,
    plugins: Vec<Plugin>,
    pair: Pair<'_>,
    upstream: Option<&Upstream<'_>>,
) -> Result<Vec<Decision>> {
    let old = catalog.table.sparks.get(&pair.old.to_string());
    let decide = |plugin: Plugin| {
        let (jar, known) = match (upstream, pair.scala) {
            (Some(upstream), Some(scala)) => {
                let release = Release { version: pair.new, scala };
                let (maven, known) = upstream.shims(&plugin.jar, &plugin.files, release)?;
                (maven.to_string(), known)
            }
            _ => (plugin.jar, None),
        };
        let own = digits(&pair.new.to_string());
        let is_forced = old.is_some_and(|old| old.shims.contains_key(&plugin.name));
        let (question, why) = match known {
            Some(known) if known.contains(&own) => (None, format!("{jar} knows {}", pair.new)),
            Some(known) => {
                let list = known.into_iter().collect::<Vec<_>>().join(", ");
                (Some(format!("{jar} does not know {}; it knows {list}", pair.new)), String::new())
            }
            None if is_forced => (Some(format!("{jar} could not be looked into")), String::new()),
            None => (None, format!("as for {}: {jar} could not be looked into", pair.old)),
        };
        Ok(Decision { plugin: plugin.name, question, why })
    };
    plugins.into_iter().map(decide).collect()
}

/// Writes them into the entry of the new version, which was copied from its neighbour's.
pub(super) fn write(entry: &mut dyn TableLike, decisions: &[Decision]) {
    for Decision { plugin, question, .. } in decisions {
        match question {
            Some(question) => {
                let shims = entry.entry("shims").or_insert_with(|| {
                    let mut table = Table::new();
                    table.decor_mut().set_prefix("\n");
                    Item::Table(table)
                });
                let mut forced = InlineTable::new();
                forced.insert("take", format!("? {question}").into());
                forced.insert("reason", "why, and what is done about it".into());
                if let Some(shims) = shims.as_table_like_mut() {
                    shims.insert(plugin, Item::Value(forced.into()));
                }
            }
            None => {
                let shims = entry.get_mut("shims").and_then(Item::as_table_like_mut);
                let is_empty = shims.is_some_and(|shims| shims.remove(plugin).is_some() && shims.is_empty());
                if is_empty {
                    entry.remove("shims");
                }
            }
        }
    }
}
