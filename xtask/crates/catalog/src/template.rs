//! `{name}` in names, tags and coordinates: replaced by what the table says, or reported.

use std::collections::BTreeMap;

use crate::{
    problem::nearest,
    reader::{At, Sink},
};

/// What the placeholders of one image stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scope(BTreeMap<String, String>);

impl Scope {
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// Replaces every `{name}` of `template`. What nobody defined is noted in `sink` and left as it stands.
    pub(crate) fn render(&self, template: &At<String>, sink: &Sink) -> String {
        let mut out = String::new();
        let mut rest = template.value.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let Some((name, tail)) = after.split_once('}') else {
                let mut sink = sink.borrow_mut();
                sink.add(&template.path, template.span.clone(), "a `{` without its `}`")
                    .help("a placeholder is written `{name}`");
                return template.value.clone();
            };
            match self.0.get(name) {
                Some(value) => out.push_str(value),
                None => self.undefined(name, template, sink),
            }
            rest = tail;
        }
        out + rest
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
