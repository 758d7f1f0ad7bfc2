//! Reads a TOML table key by key and remembers where everything stood.
//!
//! serde stops at the first thing it does not like. People who edit a table want to hear of all that is wrong at once,
//! so the files are read through a [`Section`]: each accessor notes its own problem and goes on, and
//! [`Section::finish`] reports the keys that nobody asked for.

use std::{cell::RefCell, collections::BTreeSet, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::problem::{Collector, Source, nearest};

/// A value and the bytes of the file it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) path: String,
    pub(crate) span: Range<usize>,
}

impl<T> At<T> {
    pub(crate) fn map<U>(&self, value: U) -> At<U> {
        At { value, path: self.path.clone(), span: self.span.clone() }
    }
}

/// The problems found so far; shared by all sections of all files.
pub(crate) type Sink = RefCell<Collector>;

/// One table of a TOML file.
pub(crate) struct Section<'a> {
    path: &'a str,
    /// How a person would name this section, for messages.
    name: String,
    span: Range<usize>,
    table: Option<&'a DeTable<'a>>,
    asked: RefCell<BTreeSet<String>>,
    sink: &'a Sink,
}

/// Parses `source`; syntax errors, a byte order mark and an empty file are noted in `sink`.
pub(crate) fn parse<'a>(source: &'a Source, sink: &Sink) -> Option<Spanned<DeTable<'a>>> {
    let note = |span: Range<usize>, message: String, help: &str| {
        sink.borrow_mut().add(&source.path, span, message).help(help);
    };
    if source.text.starts_with('\u{feff}') {
        note(0..3, "the file begins with a byte order mark".into(), "save it as UTF-8 without a byte order mark");
        return None;
    }
    if source.text.trim().is_empty() {
        note(0..0, "the file is empty".into(), "restore it with `git checkout`, or see docs/adding-a-version.md");
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        note(span, format!("this is not TOML: {}", error.message()), "see https://toml.io/en/v1.0.0");
    }
    errors.is_empty().then_some(table)
}

impl<'a> Section<'a> {
    pub(crate) fn root(path: &'a str, table: &'a Spanned<DeTable<'a>>, sink: &'a Sink) -> Self {
        Self {
            path,
            name: "the top level".into(),
            span: 0..0,
            table: Some(table.get_ref()),
            asked: RefCell::default(),
            sink,
        }
    }

    fn child(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Self {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, value, "a table");
        }
        let name = match self.name.as_str() {
            "the top level" => format!("[{key}]"),
            name => format!("{}.{key}]", name.trim_end_matches(']')),
        };
        Self { path: self.path, name, span: value.span(), table, asked: RefCell::default(), sink: self.sink }
    }

    pub(crate) fn note(&self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.sink.borrow_mut().add(self.path, span, message).help(help);
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let found = value.get_ref().type_str();
        let message = format!("`{key}` in {} is {found}, expected {expected}", self.name);
        self.sink.borrow_mut().add(self.path, value.span(), message);
    }

    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.table?.get(key)
    }

    /// Where the section stands.
    pub(crate) fn at<T>(&self, value: T) -> At<T> {
        At { value, path: self.path.to_owned(), span: self.span.clone() }
    }

    /// The bytes of the file that the section takes up.
    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    fn as_string(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<At<String>> {
        match value.get_ref() {
            DeValue::String(text) => {
                Some(At { value: text.to_string(), path: self.path.to_owned(), span: value.span() })
            }
            _ => {
                self.wrong_type(key, value, "a string");
                None
            }
        }
    }

    pub(crate) fn string(&self, key: &str) -> Option<At<String>> {
        self.get(key).and_then(|value| self.as_string(key, value))
    }

    /// A string that must be there. `example` is shown to whoever left it out.
    pub(crate) fn required(&self, key: &str, example: &str) -> At<String> {
        if !self.has(key) && self.table.is_some() {
            self.note(
                self.span.clone(),
                format!("`{key}` is missing in {}", self.name),
                format!("add `{key} = {example}`"),
            );
        }
        self.string(key).unwrap_or_else(|| self.at(String::new()))
    }

    /// A point in time, written as a TOML date-time in UTC: seconds since 1970.
    pub(crate) fn seconds(&self, key: &str) -> Option<i64> {
        let value = self.get(key)?;
        let seconds = value.get_ref().as_datetime().and_then(unix_seconds);
        if seconds.is_none() {
            self.wrong_type(key, value, "a date and time in UTC such as 2026-01-31T00:00:00Z");
        }
        seconds
    }

    /// A whole number above 0 that must be there. `example` is shown to whoever left it out.
    pub(crate) fn number(&self, key: &str, example: &str) -> u64 {
        let Some(value) = self.get(key) else {
            if self.table.is_some() {
                let message = format!("`{key}` is missing in {}", self.name);
                self.note(self.span.clone(), message, format!("add `{key} = {example}`"));
            }
            return 1;
        };
        let integer = value.get_ref().as_integer();
        let number = integer.and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok());
        number.filter(|number| *number > 0).unwrap_or_else(|| {
            self.wrong_type(key, value, "a whole number above 0");
            1
        })
    }

    pub(crate) fn bool(&self, key: &str) -> bool {
        match self.get(key) {
            None => false,
            Some(value) => value.get_ref().as_bool().unwrap_or_else(|| {
                self.wrong_type(key, value, "true or false");
                false
            }),
        }
    }

    pub(crate) fn strings(&self, key: &str) -> Vec<At<String>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(array) => array.iter().filter_map(|item| self.as_string(key, item)).collect(),
            _ => {
                self.wrong_type(key, value, "a list of strings");
                Vec::new()
            }
        }
    }

    /// A table of strings, in the order of its keys.
    pub(crate) fn string_map(&self, key: &str) -> Vec<(String, At<String>)> {
        let Some(section) = self.section(key) else { return Vec::new() };
        section.keys().into_iter().filter_map(|key| section.string(&key).map(|value| (key, value))).collect()
    }

    pub(crate) fn section(&self, key: &str) -> Option<Section<'a>> {
        self.get(key).map(|value| self.child(key, value))
    }

    /// Reports `at` as a question that somebody has to answer, where it is one: a string that begins with `?`, and says why
    /// behind it. Whether it is.
    pub(crate) fn question(&self, at: &At<String>, about: &str, answer: &str) -> bool {
        let Some(why) = at.value.strip_prefix('?').map(str::trim) else { return false };
        let mut sink = self.sink.borrow_mut();
        let problem = sink.add(&at.path, at.span.clone(), format!("{about} is an open question"));
        problem.is_question = true;
        problem.help(if why.is_empty() { answer.to_owned() } else { format!("{why}\n{answer}") });
        true
    }

    /// All tables below this one, by key.
    pub(crate) fn sections(&self) -> Vec<(At<String>, Section<'a>)> {
        let Some(table) = self.table else { return Vec::new() };
        table
            .iter()
            .map(|(key, value)| {
                self.asked.borrow_mut().insert(key.get_ref().to_string());
                let name = At { value: key.get_ref().to_string(), path: self.path.to_owned(), span: key.span() };
                (name, self.child(key.get_ref(), value))
            })
            .collect()
    }

    /// An array of tables: `[[key]]`.
    pub(crate) fn list(&self, key: &str) -> Vec<Section<'a>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(array) => array.iter().map(|item| self.child(key, item)).collect(),
            _ => {
                self.wrong_type(key, value, "a list of tables");
                Vec::new()
            }
        }
    }

    /// Whether `key` is a list.
    pub(crate) fn is_list(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.get_ref().is_array())
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.table.iter().flat_map(|table| table.keys()).map(|key| key.get_ref().to_string()).collect()
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(self) {
        let Some(table) = self.table else { return };
        let asked = self.asked.borrow();
        for key in table.keys().filter(|key| !asked.contains(key.get_ref().as_ref())) {
            let help = match nearest(key.get_ref(), asked.iter().map(String::as_str)) {
                Some(known) => format!("did you mean `{known}`?"),
                None => {
                    format!("known keys: {}", asked.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "))
                }
            };
            self.note(key.span(), format!("unknown key `{}` in {}", key.get_ref(), self.name), help);
        }
    }
}

/// Seconds since 1970 of a date-time in UTC; nothing for a local one or one with another offset.
fn unix_seconds(at: &toml::value::Datetime) -> Option<i64> {
    let (date, time) = (at.date?, at.time?);
    if at.offset? != toml::value::Offset::Z {
        return None;
    }
    // Days since 1970 in the proleptic Gregorian calendar, counted in years that begin in March.
    let (year, month, day) = (i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    let seconds = i64::from(time.hour) * 3600 + i64::from(time.minute) * 60;
    Some(days * 86_400 + seconds + i64::from(time.second.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn utc_times_become_seconds() {
        let seconds = |text: &str| super::unix_seconds(&text.parse().unwrap());
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2000-02-29T12:00:00Z"), Some(951_825_600));
        assert_eq!(seconds("2026-11-23T01:02:03Z"), Some(1_795_395_723));
        assert_eq!(seconds("2026-11-23T01:02:03+01:00"), None);
        assert_eq!(seconds("2026-11-23"), None);
    }
}
