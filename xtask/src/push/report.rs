//! What a push did, for people and for programs.

use serde_json::json;

use super::{Done, Item, Push};
use crate::report::text::{bytes, count, duration, table};

/// One row for each image.
pub(crate) fn print(push: &Push<'_>, items: &[Item<'_>], done: &Done) {
    let row = |(item, pushed): (&Item<'_>, &super::Pushed)| {
        let repository = push.registry.repository(&item.image.reference.name);
        let digest = pushed.digest.map_or_else(|| "-".to_owned(), |digest| digest.to_string());
        let moved = pushed.tags.iter().filter(|tag| tag.before != pushed.named || pushed.named.is_none());
        let moved: Vec<&str> = moved.map(|tag| tag.name.as_str()).collect();
        let state = match (pushed.was_there, push.dry_run) {
            (true, _) if moved.is_empty() => "unchanged",
            (true, true) => "to tag",
            (true, false) => "tagged",
            (false, true) => "to push",
            (false, false) => "pushed",
        };
        let tags: Vec<&str> = pushed.tags.iter().map(|tag| tag.name.as_str()).collect();
        let platform = &item.config.architecture;
        vec![state.to_owned(), repository.full_name(), tags.join(", "), platform.clone(), digest]
    };
    let rows: Vec<Vec<String>> = items.iter().zip(&done.images).map(row).collect();
    print!("{}", table(&["STATE", "REPOSITORY", "TAGS", "FOR", "DIGEST"], &rows, &[]));
    let traffic = &done.traffic;
    let elapsed = duration(std::time::Duration::from_secs_f64(done.seconds));
    if push.dry_run {
        let missing = count(traffic.missing, "layer");
        println!("nothing was changed: {missing} to send, mount or compress, {} there; {elapsed}", traffic.there);
        return;
    }
    let mut parts = vec![format!("{} sent, {}", count(traffic.sent, "layer"), bytes(traffic.bytes))];
    let mut add = |n: usize, what: &str| {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    };
    add(traffic.mounted, "mounted");
    add(traffic.there, "there");
    add(traffic.compressed, "compressed now");
    if traffic.resumed > 0 {
        parts.push(format!("{} were sent by an earlier run", bytes(traffic.resumed)));
    }
    println!("{}; {elapsed}", parts.join(", "));
}

/// The result as a JSON document.
pub(crate) fn json(push: &Push<'_>, items: &[Item<'_>], done: &Done) -> serde_json::Value {
    let image = |(item, pushed): (&Item<'_>, &super::Pushed)| {
        let repository = push.registry.repository(&item.image.reference.name).full_name();
        let tags: Vec<_> = pushed.tags.iter().map(|tag| json!({ "tag": tag.name, "before": tag.before })).collect();
        json!({
            "image": item.name(),
            "repository": repository,
            "platform": format!("{}/{}", item.config.os, item.config.architecture),
            "digest": pushed.digest,
            "tags_mean": pushed.named,
            "reference": pushed.digest.map(|digest| format!("{repository}@{digest}")),
            "built": item.found.digest,
            "fingerprint": item.fingerprint,
            "was_there": pushed.was_there,
            "tags": tags,
        })
    };
    let images: Vec<_> = items.iter().zip(&done.images).map(image).collect();
    let traffic = &done.traffic;
    json!({
        "version": 1, "dry_run": push.dry_run, "compression": push.form.to_string(), "seconds": done.seconds,
        "layers": {
            "sent": traffic.sent, "bytes": traffic.bytes, "resumed_bytes": traffic.resumed, "mounted": traffic.mounted,
            "there": traffic.there, "compressed": traffic.compressed, "missing": traffic.missing,
        },
        "images": images,
    })
}
