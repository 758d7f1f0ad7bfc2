//! One class in two jars of Spark's class path: which of the two is loaded depends on an order that nobody wrote down.

use std::collections::BTreeMap;

use super::Subject;
use crate::{
    finding::{Finding, Rule, Severity},
    image::At,
    jar::Jar,
};

/// Classes that a finding names.
const NAMED: usize = 3;

/// What two jars share.
#[derive(Default)]
struct Shared {
    classes: Vec<u32>,
    different: usize,
}

pub(super) fn check(subject: &mut Subject<'_>) {
    let jars = class_path(subject);
    subject.exceptions.see_jars(jars.iter().map(|(name, ..)| *name));
    let mut first: Vec<Option<(usize, u32)>> = vec![None; subject.names.count()];
    let mut shared: BTreeMap<(usize, usize), Shared> = BTreeMap::new();
    for (number, (_, _, jar)) in jars.iter().enumerate() {
        for class in &jar.classes {
            match first[class.name as usize] {
                None => first[class.name as usize] = Some((number, class.crc)),
                Some((other, crc)) => {
                    let shared = shared.entry((other, number)).or_default();
                    shared.classes.push(class.name);
                    shared.different += usize::from(crc != class.crc);
                }
            }
        }
    }
    for ((a, b), shared) in shared {
        // Whoever came last is the one to ask why.
        let (first, second) = if jars[a].1.layer > jars[b].1.layer { (b, a) } else { (a, b) };
        report(subject, jars[first].0, (jars[second].0, jars[second].1), &shared);
    }
}

/// The jars of `$SPARK_HOME/jars`: what Spark's launcher puts on the class path. By name.
fn class_path<'s>(subject: &Subject<'s>) -> Vec<(&'s str, At, &'s Jar)> {
    let folder = format!("{}/jars", subject.spark_home());
    let direct = |path: &str| !path[folder.len() + 1..].contains('/') && path.ends_with(".jar");
    let jars = subject.files.below(&folder).filter(|(path, _)| direct(path)).filter_map(|(path, _)| {
        let at = subject.files.file(path)?;
        Some((path.rsplit('/').next()?, at, subject.files.jar(at)?.as_ref().ok()?))
    });
    jars.collect()
}

fn report(subject: &mut Subject<'_>, first: &str, (second, at): (&str, At), shared: &Shared) {
    let names = shared.classes.iter().map(|class| subject.names.name(*class));
    let left: Vec<String> = names.filter(|name| !subject.exceptions.excuse_class([first, second], name)).collect();
    if left.is_empty() {
        return;
    }
    let named = left.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if left.len() > NAMED { ", …" } else { "" };
    let (severity, how) = match shared.different {
        0 => (Severity::Warning, "the same bytes".to_owned()),
        different => (Severity::Error, format!("{different} of them with other bytes")),
    };
    let classes = if left.len() == 1 { "class" } else { "classes" };
    let message = format!("{} {classes} of {first} again, {how}: {named}{more}", left.len());
    subject.find(Finding::new(Rule::DuplicateClass, subject.image.place(at), message).at(severity));
}
