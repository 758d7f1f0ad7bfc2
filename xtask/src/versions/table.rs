//! Entries of `docker/versions.toml`, written and taken out without touching anything else of the file.

use anyhow::{Context as _, Result};
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::{
    decide::Decision,
    shims,
    version::{Version, replaced},
};

/// The table's path in the repository.
pub(super) const PATH: &str = "docker/versions.toml";

/// The table as a text that can be edited.
pub(super) fn parse(text: &str, path: &str) -> Result<DocumentMut> {
    text.parse().with_context(|| format!("reading {path}"))
}

/// The placeholders that a version has of its own, in their order.
pub(super) fn own_versions(document: &DocumentMut, version: Version) -> Vec<(String, String)> {
    let versions = at(document, &["spark", &version.to_string(), "versions"]).and_then(Item::as_table_like);
    let texts = versions.into_iter().flat_map(TableLike::iter);
    texts.filter_map(|(name, value)| Some((name.to_owned(), value.as_str()?.to_owned()))).collect()
}

/// The versions that are supported.
pub(super) fn versions(document: &DocumentMut) -> Vec<Version> {
    let sparks = document.get("spark").and_then(Item::as_table_like).into_iter().flat_map(TableLike::iter);
    sparks.filter_map(|(key, _)| key.parse().ok()).collect()
}

fn at<'a>(document: &'a DocumentMut, path: &[&str]) -> Option<&'a Item> {
    path.iter().try_fold(document.as_item(), |item, key| item.get(key))
}

/// Writes the entry of `new` after the one that it follows, with the tables and comments of `old`.
pub(super) fn add(
    document: &mut DocumentMut,
    old: Version,
    new: Version,
    decisions: &[Decision],
    shims: &[shims::Decision],
) -> Result<()> {
    let mut entry = copy(document, old, new)?;
    for decision in decisions {
        let target = match decision.name.as_str() {
            "scala" => entry.get_mut("scala"),
            name => entry.get_mut("versions").and_then(|versions| versions.get_mut(name)),
        };
        let target = target.with_context(|| format!("[spark.\"{old}\"] has no `{}`", decision.name))?;
        set(target, &decision.value);
    }
    if let Some(entry) = entry.as_table_like_mut() {
        shims::write(entry, shims);
    }
    // It is the digest of another archive; the one of this lies beside it, and is compared when it is fetched.
    if let Some(source) = entry.get_mut("source").and_then(Item::as_table_like_mut) {
        source.remove("sha512");
    }
    let sparks = document["spark"].as_table_mut().context("[spark] is no table")?;
    let known = sparks.iter().filter_map(|(key, _)| key.parse::<Version>().ok());
    let before = known.filter(|known| *known < new).max();
    let place = match before.and_then(|before| last_position(sparks.get(&before.to_string())?)) {
        Some(place) => place,
        // Before all others: where the table above the first of them stands.
        None => sparks.iter().filter_map(|(_, item)| item.as_table()?.position()).min().unwrap_or(1) - 1,
    };
    set_position(&mut entry, place);
    // What stands above an entry is about that one, or about all of them.
    if let Some(table) = entry.as_table_mut() {
        table.decor_mut().set_prefix("\n");
    }
    sparks.insert(&new.to_string(), entry);
    Ok(())
}

/// The entry of `old` as it would be written for `new`, comments included.
fn copy(document: &DocumentMut, old: Version, new: Version) -> Result<Item> {
    let (old_key, new_key) = (old.to_string(), new.to_string());
    let entry = at(document, &["spark", &old_key]).with_context(|| format!("{PATH} has no [spark.\"{old}\"]"))?;
    let mut alone = DocumentMut::new();
    alone.insert("spark", Item::Table(Table::new()));
    let sparks = alone["spark"].as_table_mut().context("a table that was just made")?;
    sparks.set_implicit(true);
    sparks.insert(&old_key, entry.clone());
    let mut alone = parse(&replaced(&alone.to_string(), old, new), PATH)?;
    alone["spark"]
        .as_table_like_mut()
        .and_then(|sparks| sparks.remove(&new_key))
        .context("an entry that was just copied")
}

/// Gives a value another text; what stands around it stays.
fn set(item: &mut Item, text: &str) {
    if item.as_str() == Some(text) {
        return;
    }
    let decor = item.as_value().map(|value| value.decor().clone());
    *item = value(text);
    if let (Some(value), Some(decor)) = (item.as_value_mut(), decor) {
        *value.decor_mut() = decor;
    }
}

/// Where the last table of an entry stands among all tables of the file.
fn last_position(item: &Item) -> Option<isize> {
    let table = item.as_table()?;
    let below = table.iter().filter_map(|(_, item)| last_position(item)).max();
    table.position().max(below)
}

/// Puts an entry where another one ends: of tables with the same position the one that was read first stands first.
fn set_position(item: &mut Item, position: isize) {
    if let Some(table) = item.as_table_mut() {
        table.set_position(Some(position));
        table.iter_mut().for_each(|(_, item)| set_position(item, position));
    }
}

/// Takes the entry of a version out.
pub(super) fn remove(document: &mut DocumentMut, version: Version) {
    if let Some(sparks) = document["spark"].as_table_like_mut() {
        sparks.remove(&version.to_string());
    }
}

/// Takes the [unsupported] entry of a version out; its reason.
pub(super) fn support(document: &mut DocumentMut, version: Version) -> Option<String> {
    let entries = document.get_mut("unsupported")?.as_table_like_mut()?;
    let entry = entries.remove(&version.to_string())?;
    let empty = entries.is_empty();
    if empty {
        document.remove("unsupported");
    }
    Some(entry.get("reason")?.as_str()?.to_owned())
}

/// The [unsupported] entry of a version, with its comments.
pub(super) fn unsupported(document: &DocumentMut, version: Version) -> Option<Table> {
    at(document, &["unsupported", &version.to_string()])?.as_table().cloned()
}

/// An [unsupported] entry with this reason.
pub(super) fn not_supported(reason: &str) -> Table {
    let mut entry = Table::new();
    entry.decor_mut().set_prefix("\n");
    entry.insert("reason", value(reason));
    entry
}

/// Writes an [unsupported] entry, after the one that it follows or after the last Spark version.
pub(super) fn unsupport(document: &mut DocumentMut, version: Version, entry: Table) -> Result<()> {
    let sparks = document["spark"].as_table().context("[spark] is no table")?;
    let after_sparks = sparks.iter().filter_map(|(_, item)| last_position(item)).max().unwrap_or_default();
    let entries = document.entry("unsupported").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let entries = entries.as_table_mut().context("[unsupported] is no table")?;
    let before = entries.iter().filter(|(key, _)| key.parse().is_ok_and(|known: Version| known < version));
    let place = before.filter_map(|(_, item)| last_position(item)).max().unwrap_or(after_sparks);
    let mut entry = Item::Table(entry);
    set_position(&mut entry, place);
    entries.insert(&version.to_string(), entry);
    Ok(())
}

/// A [[substitute]] entry.
pub(super) struct Substitute {
    pub(super) artifact: String,
    pub(super) version: String,
    pub(super) reason: String,
}

/// Writes [[substitute]] entries, behind those that are there.
pub(super) fn substitute(document: &mut DocumentMut, entries: &[Substitute]) -> Result<()> {
    let end = document.iter().filter_map(|(_, item)| last_position(item)).max().unwrap_or_default();
    let list = document.entry("substitute").or_insert_with(|| Item::ArrayOfTables(toml_edit::ArrayOfTables::new()));
    let list = list.as_array_of_tables_mut().context("[[substitute]] is no list of tables")?;
    let end = list.iter().filter_map(Table::position).max().unwrap_or(end);
    for entry in entries {
        let mut table = Table::new();
        table.decor_mut().set_prefix("\n");
        table.set_position(Some(end));
        table.insert("artifact", value(&entry.artifact));
        table.insert("version", value(&entry.version));
        table.insert("reason", value(&entry.reason));
        list.push(table);
    }
    Ok(())
}

/// Takes the [[substitute]] entries for artifacts of a version out. What stands above the first of all stays.
pub(super) fn unsubstitute(document: &mut DocumentMut, version: Version) {
    let Some(list) = document.get_mut("substitute").and_then(Item::as_array_of_tables_mut) else { return };
    let suffix = format!(":{version}");
    let above = list.get(0).and_then(|first| first.decor().prefix().cloned());
    list.retain(|entry| !entry.get("artifact").and_then(Item::as_str).is_some_and(|text| text.ends_with(&suffix)));
    if let (Some(first), Some(above)) = (list.get_mut(0), above) {
        first.decor_mut().set_prefix(above);
    }
    if list.is_empty() {
        document.remove("substitute");
    }
}
