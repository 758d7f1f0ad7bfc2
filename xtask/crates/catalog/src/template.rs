//! `{name}` in names, tags and coordinates: replaced by what the table says, or reported.

use std::collections::BTreeMap;

use crate::{
    problem::nearest,
    reader::{At, Sink},
};

/// A `{` without its `}`.
#[derive(Debug)]
pub(crate) struct Unclosed;

/// Replaces every `{name}` of `template` by what `value` has for it, by nothing where it has none.
pub(crate) fn fill(template: &str, mut value: impl FnMut(&str) -> Option<String>) -> Result<String, Unclosed> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}').ok_or(Unclosed)?;
        out.push_str(before);
        out.push_str(&value(name).unwrap_or_default());
        rest = tail;
    }
    Ok(out + rest)
}

/// What the placeholders of one image stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scope(BTreeMap<String, String>);

impl Scope {
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// Replaces every `{name}` of `template`. What nobody defined is noted in `sink` and left out.
    pub(crate) fn render(&self, template: &At<String>, sink: &Sink) -> String {
        let value = |name: &str| {
            let known = self.0.get(name).cloned();
            if known.is_none() {
                self.undefined(name, template, sink);
            }
            known
        };
        fill(&template.value, value).unwrap_or_else(|Unclosed| {
            sink.borrow_mut()
                .add(&template.path, template.span.clone(), "a `{` without its `}`")
                .help("a placeholder is written `{name}`");
            template.value.clone()
        })
    }

    fn undefined(&self, name: &str, template: &At<String>, sink: &Sink) {
        let help = match nearest(name, self.0.keys().map(String::as_str)) {
            Some(known) => format!("did you mean `{{{known}}}`?"),
            None => format!("add `{name} = \"…\"` to [versions] in docker/versions.toml"),
        };
        sink.borrow_mut()
            .add(&template.path, template.span.clone(), format!("nobody defines the placeholder `{{{name}}}`"))
            .help(help);
    }
}
