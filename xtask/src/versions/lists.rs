//! Lists of Spark versions in an `image.toml`: `spark = ["3.5.7"]`.

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

use super::version::Version;

/// The list of a table, if it has one.
pub(super) fn of(table: &dyn TableLike) -> Option<&Array> {
    table.get("spark")?.as_array()
}

/// Whether a version is in the list, or a question about it.
pub(super) fn has(array: &Array, version: Version) -> bool {
    array.iter().any(|value| names(value, version))
}

/// Whether an entry names a version or asks about it: `3.5.8`, `? 3.5.8: why`.
fn names(value: &Value, version: Version) -> bool {
    let text = value.as_str().unwrap_or_default();
    let asked = text.strip_prefix('?').map(|question| question.split(':').next().unwrap_or_default().trim());
    asked.unwrap_or(text) == version.to_string()
}

/// Puts a version, or a question about it, into the list, where it belongs in their order.
pub(super) fn insert(array: &mut Array, version: Version, entry: &str) {
    let later =
        |value: &Value| value.as_str().and_then(|text| text.parse().ok()).is_some_and(|known: Version| known > version);
    let at = array.iter().position(later).unwrap_or(array.len());
    let decor = |index: usize| array.get(index).map(|value| value.decor().clone());
    // A line each, or all in one.
    let (first, next) = (decor(0), decor(1));
    let mut value = Value::from(entry);
    match (at, first) {
        (0, Some(first)) => *value.decor_mut() = first,
        (_, Some(first)) => {
            let between = next.unwrap_or(first);
            let prefix = between.prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned();
            value.decor_mut().set_prefix(if prefix.is_empty() { " ".to_owned() } else { prefix });
        }
        (_, None) => {}
    }
    array.insert_formatted(at, value);
    tidy(array);
}

/// Takes a version out of the list.
pub(super) fn remove(array: &mut Array, version: Version) {
    let above = array.get(0).map(|value| value.decor().clone());
    array.retain(|value| !names(value, version));
    if let (Some(first), Some(above)) = (array.get_mut(0), above) {
        first.decor_mut().set_prefix(above.prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default());
    }
    tidy(array);
}

/// In a list in one line, what is not the first begins with a space.
fn tidy(array: &mut Array) {
    for value in array.iter_mut().skip(1) {
        if value.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().is_empty() {
            value.decor_mut().set_prefix(" ");
        }
    }
}

/// The parts of an image file that can be for some versions alone: its stages and smoke jobs.
pub(super) fn parts(document: &mut DocumentMut) -> impl Iterator<Item = &mut Table> {
    let root = document.as_table_mut();
    let lists = root.iter_mut().filter(|(key, _)| ["stage", "smoke"].contains(&key.get()));
    lists.filter_map(|(_, item)| item_tables(item)).flatten()
}

fn item_tables(item: &mut Item) -> Option<impl Iterator<Item = &mut Table>> {
    Some(item.as_array_of_tables_mut()?.iter_mut())
}

/// Takes out the parts that are for one version alone. Their own files are given back: `folder` and `file`.
pub(super) fn remove_parts(document: &mut DocumentMut, version: Version) -> Vec<String> {
    let mut files = Vec::new();
    let alone = |table: &Table| of(table).is_some_and(|list| list.len() == 1 && has(list, version));
    for key in ["stage", "smoke"] {
        let Some(list) = document.get_mut(key).and_then(Item::as_array_of_tables_mut) else { continue };
        for table in list.iter().filter(|table| alone(table)) {
            let own = ["folder", "file"].into_iter().filter_map(|key| table.get(key)?.as_str());
            files.extend(own.map(str::to_owned));
        }
        list.retain(|table| !alone(table));
        if list.is_empty() {
            document.remove(key);
        }
    }
    files
}
