//! What people and programs are told: what there is, what goes, what it frees, and what is left alone.

use std::collections::{BTreeMap, BTreeSet};

use blob::Digest;
use camino::Utf8Path;
use serde_json::{Value, json};

use super::{
    Item, Kind, Left, Of,
    decide::{Needed, Verdict, days},
    disk::Disk,
    engine::EngineImage,
    needed::Images,
    remove::Removed,
};
use crate::{
    engine::HOST,
    report::text::{bytes, count, table},
};

/// How many things of a kind are named, where not all of them are asked for.
const SHOWN: usize = 10;

/// All that was found and decided.
pub(crate) struct Report<'r> {
    pub(crate) items: &'r [(Item, Verdict)],
    pub(crate) images: &'r Images,
    pub(crate) needed: &'r Needed,
    /// Names in the layout that go.
    pub(crate) untagged: &'r BTreeSet<String>,
    /// The engine that was asked, and its images.
    pub(crate) engine: Option<(String, Vec<EngineImage>)>,
    /// What is not ours.
    pub(crate) foreign: &'r [Left],
    /// What would go and cannot be removed.
    pub(crate) obstacles: &'r [Left],
    /// What was removed, if anything was to be.
    pub(crate) removed: Option<&'r Removed>,
    /// Seconds since 1970.
    pub(crate) now: i64,
}

/// An image of the layout.
struct Row {
    names: Vec<String>,
    /// Bytes of its blobs.
    size: u64,
    /// Bytes that the file system would give back with it alone.
    alone: u64,
    /// Bytes of its files in the store.
    fetched: Option<u64>,
    used: Option<i64>,
    state: &'static str,
}

impl Report<'_> {
    /// Whether something stays that was to go.
    fn is_left(&self, path: &Utf8Path) -> bool {
        self.obstacles.iter().any(|left| left.path == path)
    }

    /// Why a thing goes, if it does and can.
    fn why<'v>(&self, (item, verdict): &'v (Item, Verdict)) -> Option<&'v str> {
        match verdict {
            Verdict::Go(why) if self.obstacles.is_empty() || !self.is_left(&item.full_path()) => Some(why),
            _ => None,
        }
    }

    fn going(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|one| self.why(one).is_some()).map(|(item, _)| item)
    }

    /// The images that the engine loses.
    fn engine_going(&self) -> usize {
        let images = self.engine.iter().flat_map(|(_, images)| images);
        images.filter(|image| self.engine_state(image).is_none()).count()
    }

    /// Why the engine keeps an image, if it does.
    fn engine_state<'i>(&self, image: &'i EngineImage) -> Option<&'i str> {
        match &image.verdict {
            Verdict::Go(_) if image.names.iter().any(|name| self.is_left(name.as_str().into())) => Some("left"),
            Verdict::Go(_) => None,
            Verdict::Keep(why) => Some(why),
            Verdict::Ask(flag) => Some(flag),
        }
    }

    /// Whether what goes is gone.
    fn goes(&self) -> &'static str {
        if self.removed.is_some() { "gone" } else { "goes" }
    }

    fn asked(&self) -> BTreeMap<(&'static str, Kind), Vec<&Item>> {
        let mut asked: BTreeMap<_, Vec<&Item>> = BTreeMap::new();
        for (item, verdict) in self.items {
            if let Verdict::Ask(flag) = verdict {
                asked.entry((*flag, item.kind)).or_default().push(item);
            }
        }
        asked
    }

    fn kinds(&self) -> BTreeMap<Kind, Vec<&(Item, Verdict)>> {
        let mut kinds: BTreeMap<Kind, Vec<_>> = BTreeMap::new();
        for one in self.items {
            kinds.entry(one.0.kind).or_default().push(one);
        }
        kinds
    }

    fn age(&self, used: Option<i64>) -> String {
        match used.map(|used| days(used, self.now)) {
            None => String::new(),
            Some(0) => "today".to_owned(),
            Some(n) => format!("{} ago", count(usize::try_from(n).unwrap_or(usize::MAX), "day")),
        }
    }

    /// The images of the layout, each with all its names.
    fn rows(&self) -> Vec<Row> {
        let of_kind = |kind: Kind| {
            let items = self.items.iter().filter(move |(item, _)| item.kind == kind);
            let digests = items.filter_map(|(item, _)| match &item.of {
                Of::Digests(digests) => Some((*digests.first()?, &item.disk)),
                _ => None,
            });
            digests.collect::<BTreeMap<Digest, &Disk>>()
        };
        let (blobs, artifacts) = (of_kind(Kind::Blob), of_kind(Kind::Artifact));
        let mut groups: BTreeMap<&BTreeSet<Digest>, Vec<&String>> = BTreeMap::new();
        for (name, reached) in &self.images.named {
            groups.entry(reached).or_default().push(name);
        }
        let mut owners: BTreeMap<Digest, usize> = BTreeMap::new();
        let all = groups.keys().copied().chain([&self.images.unnamed]);
        all.flatten().for_each(|blob| *owners.entry(*blob).or_default() += 1);
        let row = |(reached, names): (&BTreeSet<Digest>, Vec<&String>)| {
            let disks = || reached.iter().filter_map(|blob| Some((blob, *blobs.get(blob)?)));
            let fetched = names.iter().find_map(|name| self.needed.fetched.get(*name));
            Row {
                size: disks().map(|(_, disk)| disk.bytes).sum(),
                alone: Disk::freed(disks().filter(|(blob, _)| owners[*blob] == 1).map(|(_, disk)| disk)).0,
                fetched: fetched
                    .map(|files| files.iter().filter_map(|file| artifacts.get(file)).map(|disk| disk.bytes).sum()),
                used: disks().filter_map(|(_, disk)| disk.used).max(),
                state: match () {
                    () if names.iter().all(|name| self.untagged.contains(*name)) => "no table names it, and it goes",
                    () if names.iter().any(|name| self.needed.names.contains(*name)) => "named by the table",
                    () => "no table names it: --old-images",
                },
                names: names.into_iter().cloned().collect(),
            }
        };
        let mut rows: Vec<Row> = groups.into_iter().map(row).collect();
        rows.sort_by(|a, b| a.names.cmp(&b.names));
        rows
    }

    /// Prints all of it for people.
    pub(crate) fn print(&self) {
        self.print_kinds();
        self.print_images();
        self.print_engine();
        self.print_going();
        let named = |title: &str, all: &[Left]| {
            all.iter().enumerate().for_each(|(index, left)| {
                let title = if index == 0 { title } else { "" };
                println!("{title:<10}{}: {}", left.path, left.why);
            });
        };
        named("not ours", self.foreign);
        named("left", self.obstacles);
        for ((flag, kind), items) in self.asked() {
            let frees = Disk::freed(items.iter().map(|item| &item.disk)).0;
            println!("with {flag}: {} of {} more", bytes(frees), kind.plural());
        }
        self.print_end();
    }

    fn print_kinds(&self) {
        let row = |(kind, all): (Kind, Vec<&(Item, Verdict)>)| {
            let going: Vec<&Item> = all.iter().filter(|one| self.why(one).is_some()).map(|(item, _)| item).collect();
            let oldest = all.iter().filter_map(|(item, _)| item.disk.used).min();
            let frees = Disk::freed(going.iter().map(|item| &item.disk)).0;
            vec![
                kind.plural().to_owned(),
                all.len().to_string(),
                bytes(all.iter().map(|(item, _)| item.disk.bytes).sum()),
                self.age(oldest),
                if going.is_empty() { String::new() } else { going.len().to_string() },
                if going.is_empty() { String::new() } else { bytes(frees) },
            ]
        };
        let rows: Vec<Vec<String>> = self.kinds().into_iter().map(row).collect();
        let [go, frees] = if self.removed.is_some() { ["GONE", "FREED"] } else { ["GO", "FREES"] };
        print!("{}", table(&["WHAT", "THERE", "SIZE", "OLDEST USED", go, frees], &rows, &[1, 2, 3, 4, 5]));
    }

    fn print_images(&self) {
        let row = |row: Row| {
            let fetched = row.fetched.map_or_else(String::new, bytes);
            let age = self.age(row.used);
            vec![row.names.join(", "), bytes(row.size), bytes(row.alone), fetched, age, row.state.to_owned()]
        };
        let rows: Vec<Vec<String>> = self.rows().into_iter().map(row).collect();
        if !rows.is_empty() {
            println!();
            let header = ["IMAGE", "SIZE", "FREED WITH IT", "FETCHED FOR IT", "LAST USED", "STATE"];
            print!("{}", table(&header, &rows, &[1, 2, 3, 4]));
        }
    }

    fn print_engine(&self) {
        let Some((engine, images)) = &self.engine else { return };
        let row = |image: &EngineImage| {
            let state = match (self.engine_state(image), &image.verdict) {
                (None, Verdict::Go(why)) => format!("{}: {why}", self.goes()),
                (state, _) => state.unwrap_or_default().to_owned(),
            };
            // A name of its own tells more than one of ours.
            let own = |name: &&String| !name.starts_with(HOST);
            let name = image.names.iter().find(own).or(image.names.first());
            let name = name.cloned().unwrap_or_else(|| image.id.short());
            vec![name, bytes(image.size), state]
        };
        let rows: Vec<Vec<String>> = images.iter().map(row).collect();
        println!();
        match rows.is_empty() {
            true => println!("{engine} has no image of ours"),
            false => {
                print!("{}", table(&[&format!("IMAGE IN {}", engine.to_uppercase()), "SIZE", "STATE"], &rows, &[1]))
            }
        }
    }

    fn print_going(&self) {
        let mut first = true;
        for (kind, all) in self.kinds() {
            let going = all.iter().filter_map(|one| Some((&one.0, self.why(one)?)));
            let mut going: Vec<_> = going.collect();
            going.sort_by_key(|(item, _)| std::cmp::Reverse(item.disk.bytes));
            for (item, why) in going.iter().take(SHOWN) {
                if std::mem::replace(&mut first, false) {
                    println!();
                }
                println!("{:<10}{} ({}, {why})", self.goes(), item.full_path(), bytes(item.disk.bytes));
            }
            if going.len() > SHOWN {
                println!("{:<10}and {} more of {}; all of them: --json", "", going.len() - SHOWN, kind.plural());
            }
        }
    }

    fn print_end(&self) {
        let (frees, stays) = Disk::freed(self.going().map(|item| &item.disk));
        let linked = |stays: u64| match stays {
            0 => String::new(),
            stays => format!("; {} free nothing, because their files have other names elsewhere", bytes(stays)),
        };
        let things = |n: usize| count(n, "thing");
        let images = self.engine_going();
        let in_engine = match &self.engine {
            Some((engine, _)) if images > 0 => format!("; beside that {} in {engine}", count(images, "image")),
            _ => String::new(),
        };
        match self.removed {
            Some(Removed { freed, linked: stays, items, .. }) => {
                println!("freed {}: {} removed{}{in_engine}", bytes(*freed), things(*items), linked(*stays));
            }
            None => {
                let going = self.going().count() + self.untagged.len();
                println!("would free {}: {}{}{in_engine}", bytes(frees), things(going), linked(stays));
                if going + images > 0 {
                    println!("nothing was removed; to do so, add --yes");
                }
            }
        }
    }

    /// All of it for programs.
    pub(crate) fn json(&self) -> Value {
        let item = |(item, verdict): &(Item, Verdict)| {
            let mut value = json!({
                "kind": item.kind,
                "path": item.full_path(),
                "bytes": item.disk.bytes,
                "frees": Disk::freed([&item.disk]).0,
                "last_used": item.disk.used,
                "owner": item.disk.owner,
            });
            let (state, why) = said(verdict);
            let state = if self.is_left(&item.full_path()) { "left" } else { state };
            value["state"] = state.into();
            value["why"] = why.into();
            value
        };
        let image = |row: Row| {
            json!({
                "names": row.names, "bytes": row.size, "own_bytes": row.alone, "fetched_bytes": row.fetched,
                "last_used": row.used, "state": row.state,
            })
        };
        let in_engine = |image: &EngineImage| {
            let (state, why) = said(&image.verdict);
            let state = if self.engine_state(image) == Some("left") { "left" } else { state };
            json!({ "id": image.id, "names": image.names, "bytes": image.size, "state": state, "why": why })
        };
        let (frees, stays) = Disk::freed(self.going().map(|item| &item.disk));
        json!({
            "items": self.items.iter().map(item).collect::<Vec<_>>(),
            "images": self.rows().into_iter().map(image).collect::<Vec<_>>(),
            "engine": self.engine.as_ref().map(|(engine, images)| {
                json!({ "name": engine, "images": images.iter().map(in_engine).collect::<Vec<_>>() })
            }),
            "untagged": self.untagged,
            "not_ours": self.foreign,
            "left": self.obstacles,
            "would_free": frees,
            "linked_elsewhere": stays,
            "freed": self.removed.map(|removed| removed.freed),
            "removed": self.removed.map(|removed| removed.items),
        })
    }
}

fn said(verdict: &Verdict) -> (&'static str, String) {
    match verdict {
        Verdict::Keep(why) => ("keep", why.clone()),
        Verdict::Go(why) => ("go", why.clone()),
        Verdict::Ask(flag) => ("keep", format!("goes only with {flag}")),
    }
}
