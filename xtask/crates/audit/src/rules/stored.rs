//! Bytes that an image carries twice, and bytes that nobody can read.
//!
//! What lies at one path in two layers was changed by an instruction that changed no byte (`chmod -R`), or was put there
//! twice. Small files that are the same in several places are normal, licences for instance.

use std::collections::{BTreeMap, HashMap};

use assemble::Kind;
use blob::Digest;

use super::Subject;
use crate::{
    finding::{Finding, Rule},
    image::At,
};

/// Copies at another path, and bytes that are hidden, count from this size on.
const LARGE: u64 = 1 << 20;
/// Paths that a finding names.
const NAMED: usize = 3;

/// What two layers have to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    /// The upper one stores the same file at the same path.
    Again,
    /// The upper one stores the same bytes at another path.
    Copied,
    /// The upper one replaces or removes what the lower one brought.
    Hidden,
}

pub(super) fn check(subject: &mut Subject<'_>) {
    let mut pairs: BTreeMap<(usize, usize, How), Vec<(At, u64)>> = BTreeMap::new();
    let mut first: HashMap<Digest, At> = HashMap::new();
    for (layer, files) in subject.image.layers.iter().enumerate() {
        for (entry, file) in files.entries.iter().enumerate() {
            let Kind::File { size, digest, .. } = file.kind else { continue };
            let at = At { layer, entry };
            let before =
                (size >= LARGE).then(|| *first.entry(digest).or_insert(at)).filter(|before| before.layer != layer);
            if let Some(before) = before.filter(|before| subject.image.entry(*before).path != file.path) {
                pairs.entry((before.layer, layer, How::Copied)).or_default().push((at, size));
            }
        }
    }
    for &(lower, by) in &subject.files.hidden {
        let entry = subject.image.entry(lower);
        let Kind::File { size, digest, .. } = entry.kind else { continue };
        let upper = subject.image.layers[by].entries.iter().position(|upper| upper.path == entry.path);
        let same = upper.filter(|&upper| matches!(subject.image.layers[by].entries[upper].kind, Kind::File { digest: other, .. } if other == digest));
        match same {
            Some(upper) => {
                let at = At { layer: by, entry: upper };
                pairs.entry((lower.layer, by, How::Again)).or_default().push((at, size));
            }
            None if size >= LARGE => pairs.entry((lower.layer, by, How::Hidden)).or_default().push((lower, size)),
            None => {}
        }
    }
    for ((lower, upper, how), files) in pairs {
        report(subject, lower, upper, how, files);
    }
}

fn report(subject: &mut Subject<'_>, lower: usize, upper: usize, how: How, mut files: Vec<(At, u64)>) {
    files.retain(|(at, _)| !subject.exceptions.excuse(Rule::StoredTwice, &subject.image.entry(*at).path));
    files.sort_by_key(|(at, size)| (std::cmp::Reverse(*size), *at));
    let bytes: u64 = files.iter().map(|(_, size)| size).sum();
    if files.is_empty() || bytes == 0 {
        return;
    }
    let names: Vec<&str> = files.iter().take(NAMED).map(|(at, _)| subject.image.entry(*at).path.as_str()).collect();
    let more = if files.len() > NAMED { ", …" } else { "" };
    let what = match how {
        How::Again => "stored again at the same path, first by",
        How::Copied => "stored already at another path by",
        How::Hidden => "replaced or removed, and still carried, from",
    };
    let by = match subject.image.instructions[lower].as_str() {
        "" => "an instruction that the history does not name",
        instruction => instruction,
    };
    let number = if files.len() == 1 { "1 file".to_owned() } else { format!("{} files", files.len()) };
    let message = format!("{number}, {bytes} bytes, {what} `{by}`: {}{more}", names.join(", "));
    let mut place = subject.image.layer_place(upper);
    place.path = names[0].to_owned();
    subject.find(Finding::new(Rule::StoredTwice, place, message));
}
