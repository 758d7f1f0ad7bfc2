//! Secrets: in the files of all layers, also of those that are hidden, and in what the image says of itself.

use super::Subject;
use crate::{
    finding::{Finding, Place, Rule, Severity},
    image::At,
    secrets::{Scanner, is_secret_variable, password_in_url},
};

pub(super) fn check(subject: &mut Subject<'_>) {
    let image = subject.image;
    for (number, layer) in image.layers.iter().enumerate() {
        for (entry, secret) in &layer.secrets {
            let place = Place { line: Some(secret.line), ..image.place(At { layer: number, entry: *entry }) };
            subject.find(Finding::new(
                Rule::Secret,
                place,
                format!("looks like a secret ({}): `{}…`", secret.kind, secret.hint),
            ));
        }
    }
    let scanner = Scanner::default();
    let variables = image.config.config.env.iter().filter_map(|line| line.split_once('='));
    for (name, value) in variables {
        let message = format!("the variable {name} is set in the image");
        judge(subject, &scanner, &message, value);
        if is_secret_variable(name, value) {
            let finding =
                Finding::new(Rule::Secret, Place::default(), format!("{message}, and is called like a secret"));
            subject.find(finding.at(Severity::Warning));
        }
    }
    for (name, value) in &image.config.config.labels {
        judge(subject, &scanner, &format!("the label {name}"), value);
    }
    for history in &image.config.history {
        let Some(line) = &history.created_by else { continue };
        let word = line.split_whitespace().next().unwrap_or_default();
        judge(subject, &scanner, &format!("the history, in an instruction {word}"), line);
    }
}

/// A text of the configuration: patterns, and addresses with a password.
fn judge(subject: &mut Subject<'_>, scanner: &Scanner, whose: &str, text: &str) {
    for secret in scanner.scan(text.as_bytes()) {
        let message = format!("{whose}: looks like a secret ({}): `{}…`", secret.kind, secret.hint);
        subject.find(Finding::new(Rule::Secret, Place::default(), message));
    }
    if let Some(user) = password_in_url(text) {
        let message = format!("{whose}: an address with the password of {user}");
        subject.find(Finding::new(Rule::Secret, Place::default(), message));
    }
}
