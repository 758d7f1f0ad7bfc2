//! Changes the text of a `registries.toml`: the keys that are wished for, and nothing else in it.

use anyhow::{Context as _, Result, bail};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Value};

use super::Wish;

/// What stands above a file that this begins.
const HEADER: &str = "\
# Where packages come from, for this user. Written by `cargo xtask setup`; docs/architecture.md, \"No registry in the
# repository\". No password belongs here: password-env and token-env name the variable that holds it.
";

/// The text with what is wished for.
///
/// # Errors
/// It is no TOML, or a key that is wished for is something else there.
pub(super) fn edit(text: &str, wish: &Wish) -> Result<String> {
    let mut document: DocumentMut = text.parse().context("this is not TOML; correct it, or move the file away")?;
    for (kind, urls) in &wish.registries {
        let mut entries = urls.iter().map(|url| entry(url.as_str(), &wish.keys));
        let value = match (entries.next(), entries.next()) {
            (Some(one), None) => one,
            (one, other) => list(one.into_iter().chain(other).chain(entries)),
        };
        put(&mut document, kind.name(), value)?;
    }
    if !wish.ca.is_empty() {
        let mut paths: Vec<Value> = match document.get("extra-ca") {
            None => Vec::new(),
            Some(Item::Value(Value::Array(paths))) => paths.iter().cloned().collect(),
            Some(Item::Value(path @ Value::String(_))) => vec![path.clone()],
            Some(_) => bail!("`extra-ca`: expected the path of a file, or a list of paths"),
        };
        let known = |path: &str, paths: &[Value]| paths.iter().any(|known| known.as_str() == Some(path));
        for path in wish.ca.iter().map(|path| path.as_str()) {
            if !known(path, &paths) {
                paths.push(path.into());
            }
        }
        for path in &mut paths {
            path.decor_mut().clear();
        }
        let value = if paths.len() == 1 { paths.remove(0) } else { list(paths) };
        put(&mut document, "extra-ca", value)?;
    }
    let header = if text.trim().is_empty() { HEADER } else { "" };
    Ok(format!("{header}{document}"))
}

/// Sets a key; comments above and beside it stay.
fn put(document: &mut DocumentMut, key: &str, mut value: Value) -> Result<()> {
    match document.get_mut(key) {
        Some(Item::Value(old)) => {
            if old.to_string().trim() == value.to_string().trim() {
                return Ok(());
            }
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        Some(Item::None) | None => drop(document.insert(key, Item::Value(value))),
        // `[debian]` or `[[debian]]`: to replace it would take away what this does not know of.
        Some(_) => bail!("`{key}` is a table there\nwrite it as `{key} = {{ url = \"...\" }}`, or take it away"),
    }
    Ok(())
}

/// An address, or a table where more is to be said.
fn entry(url: &str, keys: &[(&'static str, String)]) -> Value {
    if keys.is_empty() {
        return url.into();
    }
    let mut table = InlineTable::new();
    table.insert("url", url.into());
    for (key, value) in keys {
        table.insert(*key, value.into());
    }
    table.into()
}

/// One entry to a line.
fn list(entries: impl IntoIterator<Item = Value>) -> Value {
    let mut array: Array = entries.into_iter().collect();
    for value in array.iter_mut() {
        value.decor_mut().set_prefix("\n    ");
    }
    array.set_trailing("\n");
    array.set_trailing_comma(true);
    array.into()
}

#[cfg(test)]
mod tests {
    use registries::Kind;

    use super::*;

    fn wish(kind: Kind, urls: &[&str]) -> Wish {
        let mut wish = Wish::default();
        urls.iter().for_each(|url| wish.add(kind, url).unwrap());
        wish
    }

    #[test]
    fn a_new_file_says_what_it_is() {
        let text = edit("", &wish(Kind::Maven, &["https://m.example/maven"])).unwrap();
        assert!(text.starts_with("# Where packages come from"), "{text}");
        assert!(text.ends_with("\nmaven = \"https://m.example/maven\"\n"), "{text}");
        assert_eq!(edit(&text, &wish(Kind::Maven, &["https://m.example/maven"])).unwrap(), text);
    }

    #[test]
    fn what_else_stands_there_stays_with_its_comments() {
        let old = "# mine\nmaven = 'https://old.example'  # the old one\n\n# keep\npypi = [\n    \"https://a.example\", # first\n]\n";
        let text = edit(old, &wish(Kind::Maven, &["https://m.example/maven"])).unwrap();
        assert_eq!(text, old.replace("'https://old.example'", "\"https://m.example/maven\""));
        let mut two = wish(Kind::Debian, &["https://d.example/debian", "https://e.example/debian"]);
        two.keys = vec![("username", "ann".to_owned()), ("password-env", "PW".to_owned())];
        let text = edit(old, &two).unwrap();
        let expected = "debian = [\n    { url = \"https://d.example/debian\", username = \"ann\", password-env = \"PW\" },\n    \
                        { url = \"https://e.example/debian\", username = \"ann\", password-env = \"PW\" },\n]\n";
        assert_eq!(text, format!("{old}{expected}"));
    }

    #[test]
    fn authorities_are_added_to_those_that_are_there() {
        let with = |path: &str| Wish { ca: vec![path.into()], ..Wish::default() };
        let one = edit("x-comment = 1\n", &with("/a.pem")).unwrap();
        assert_eq!(one, "x-comment = 1\nextra-ca = \"/a.pem\"\n");
        assert_eq!(edit(&one, &with("/a.pem")).unwrap(), one);
        let two = edit(&one, &with("/b.pem")).unwrap();
        assert_eq!(two, "x-comment = 1\nextra-ca = [\n    \"/a.pem\",\n    \"/b.pem\",\n]\n");
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        let error = |text: &str| format!("{:#}", edit(text, &wish(Kind::Debian, &["https://d.example"])).unwrap_err());
        assert!(error("[debian]\nurl = \"x\"\n").contains("is a table there"));
        assert!(error("debian = ").contains("not TOML"));
    }
}
