//! What is kept, what goes, and why. Knows no file system: what is there and what is needed are given.

use std::collections::{BTreeMap, BTreeSet};

use blob::Digest;
use serde::Serialize;

use super::{Kind, Of};

/// How long what may be resumed is kept, in days. A registry forgets an upload after a week:
/// <https://distribution.github.io/distribution/about/configuration/#uploadpurging>.
const RESUMABLE: i64 = 7;
/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// A part of what is needed that may be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The files that locks name.
    Artifacts,
    /// What is made of them, and fingerprints.
    Made,
    /// The layers of layouts.
    Layers,
    /// The names that tables give.
    Names,
}

/// All that is needed, by all checkouts that use the store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Needed {
    /// Files that locks name.
    pub(crate) artifacts: BTreeSet<Digest>,
    /// Keys of Spark homes and root filesystems.
    pub(crate) made: BTreeSet<Digest>,
    /// Layers of the images of all layouts.
    pub(crate) layers: BTreeSet<Digest>,
    /// Blobs that the index of this checkout's layout leads to.
    pub(crate) blobs: BTreeSet<Digest>,
    /// Archives that are unpacked into images.
    pub(crate) archives: BTreeSet<Digest>,
    /// Names of images of this checkout's tables, and of its layout once it is cleaned, as names of files.
    pub(crate) records: BTreeSet<String>,
    /// How the names of logs begin that are about something of the table.
    pub(crate) logs: BTreeSet<String>,
    /// Targets of bake files.
    pub(crate) targets: BTreeSet<String>,
    /// Files of the checkouts that are still there.
    pub(crate) checkouts: BTreeSet<String>,
    /// Names of images that tables of this layout give.
    pub(crate) names: BTreeSet<String>,
    /// The fetched files of each image of a table.
    pub(crate) fetched: BTreeMap<String, BTreeSet<Digest>>,
    /// Fingerprints of the images that would be built.
    pub(crate) fingerprints: BTreeSet<Digest>,
    /// What is not known, and why: nothing of it goes.
    pub(crate) unknown: BTreeMap<Part, String>,
}

/// What may go beside what nobody needs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// Compiled distributions that no table asks for.
    pub(crate) compiled: bool,
    /// Caches.
    pub(crate) caches: bool,
    /// Only what was used longer ago than this, in days.
    pub(crate) older_than: Option<u32>,
    /// Now, in seconds since 1970.
    pub(crate) now: i64,
}

/// What becomes of something, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "why")]
pub(crate) enum Verdict {
    /// It stays.
    Keep(String),
    /// It goes.
    Go(String),
    /// It goes only if this flag is given.
    Ask(&'static str),
}

/// The days since `used`. What was used in the future was used now.
pub(crate) fn days(used: i64, now: i64) -> i64 {
    (now - used).max(0) / DAY
}

/// What becomes of a file or folder of this kind that was used then.
pub(crate) fn decide(kind: Kind, of: &Of, used: Option<i64>, needed: &Needed, options: &Options) -> Verdict {
    let keep = |why: &str| Verdict::Keep(why.to_owned());
    let go = |why: &str| Verdict::Go(why.to_owned());
    let all_in =
        |set: &BTreeSet<Digest>| matches!(of, Of::Digests(digests) if digests.iter().all(|one| set.contains(one)));
    let is_known =
        |digest: &Digest| [&needed.blobs, &needed.archives, &needed.artifacts].iter().any(|set| set.contains(digest));
    let is_in = |set: &BTreeSet<String>| matches!(of, Of::Name(name) if set.contains(name));
    let unless_known = |part: Part, verdict: Verdict| match needed.unknown.get(&part) {
        Some(why) => Verdict::Keep(why.clone()),
        None => verdict,
    };
    let fresh = used.is_none_or(|used| days(used, options.now) < RESUMABLE);
    let verdict = match kind {
        Kind::Artifact if all_in(&needed.artifacts) => keep("a lock names it"),
        Kind::Artifact => unless_known(Part::Artifacts, go("no lock names it")),
        Kind::Download if all_in(&needed.artifacts) => keep("a lock names it, and the next fetch goes on from there"),
        Kind::Download if fresh => keep("the next fetch or lock may go on from there"),
        Kind::Download => unless_known(Part::Artifacts, go("no lock names it")),
        Kind::Checksum if all_in(&needed.artifacts) => keep("its file is needed"),
        Kind::Checksum => unless_known(Part::Artifacts, go("its file is not needed")),
        Kind::Quarantine => go("it does not have its digest"),
        Kind::SparkHome | Kind::Rootfs | Kind::Compiled if all_in(&needed.made) => keep("a table asks for it"),
        Kind::SparkHome | Kind::Rootfs => unless_known(Part::Made, go("no table asks for it")),
        Kind::Compiled if options.compiled => unless_known(Part::Made, go("no table asks for it")),
        Kind::Compiled => unless_known(Part::Made, Verdict::Ask("--compiled")),
        Kind::Compressed | Kind::Unpacked if all_in(&needed.layers) => keep("an image has this layer"),
        Kind::Compressed | Kind::Unpacked => unless_known(Part::Layers, go("no image has this layer")),
        Kind::RunCache | Kind::MavenRepository | Kind::SourceTree if options.caches => go("a cache"),
        Kind::RunCache | Kind::MavenRepository | Kind::SourceTree => Verdict::Ask("--caches"),
        Kind::Upload | Kind::Pulled if fresh => keep("the next push or pull may go on from there"),
        Kind::Upload => go("registries forget an upload after a week"),
        Kind::Pulled => go("no pull went on with it for a week"),
        Kind::Checkout if is_in(&needed.checkouts) => keep("it is there"),
        Kind::Checkout => go("the checkout is gone"),
        Kind::Blob if all_in(&needed.blobs) => keep("an image of the index has it"),
        Kind::Blob => go("nothing in the index leads to it"),
        Kind::Memory if matches!(of, Of::Digests(all) if all.iter().all(is_known)) || is_in(&needed.records) => {
            keep("what it is about is there")
        }
        Kind::Memory => go("what it is about is not there"),
        Kind::Log if matches!(of, Of::Name(name) if needed.logs.iter().any(|begin| name.starts_with(begin))) => {
            keep("the table has what it is about")
        }
        Kind::Log => unless_known(Part::Names, go("the table no longer has what it is about")),
        Kind::Context if is_in(&needed.targets) => match options.caches {
            true => go("a cache"),
            false => Verdict::Ask("--caches"),
        },
        Kind::Context => unless_known(Part::Names, go("no image has this target")),
        Kind::Leftover => go("a killed run left it"),
    };
    match (verdict, options.older_than, used) {
        (Verdict::Go(_), Some(limit), Some(used)) if days(used, options.now) < i64::from(limit) => {
            Verdict::Keep(format!("used {} days ago", days(used, options.now)))
        }
        (verdict, ..) => verdict,
    }
}

/// What becomes of an image of an engine. `own` is how the names begin that only this program gives.
pub(crate) fn decide_image(names: &BTreeSet<String>, own: &str, containers: &[String], needed: &Needed) -> Verdict {
    let fingerprint = |name: &str| name.strip_prefix(own)?.rsplit_once(':')?.1.parse::<Digest>().ok();
    let fingerprints: Option<Vec<Digest>> = names.iter().map(|name| fingerprint(name)).collect();
    match fingerprints {
        None => Verdict::Keep("it has a name of its own".to_owned()),
        // A child of one of our images inherits its label: without a name of ours it is somebody else's.
        Some(found) if found.is_empty() => Verdict::Keep("it has no name of ours".to_owned()),
        Some(found) if found.iter().any(|one| needed.fingerprints.contains(one)) => {
            Verdict::Keep("it is what would be built now".to_owned())
        }
        Some(_) => match (needed.unknown.get(&Part::Made), containers.first()) {
            (Some(why), _) => Verdict::Keep(why.clone()),
            (None, Some(container)) => Verdict::Keep(format!("the container {container} uses it")),
            (None, None) => Verdict::Go("it is of an earlier state, and has no name of its own".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Of {
        Of::Digests(vec![Digest::of(text.as_bytes())])
    }

    fn set(texts: &[&str]) -> BTreeSet<Digest> {
        texts.iter().map(|text| Digest::of(text.as_bytes())).collect()
    }

    const NOW: i64 = 100 * DAY;

    fn goes(kind: Kind, of: &Of, needed: &Needed, options: Options) -> bool {
        matches!(decide(kind, of, Some(0), needed, &Options { now: NOW, ..options }), Verdict::Go(_))
    }

    #[test]
    fn what_is_needed_stays_and_all_else_goes() {
        let needed = Needed {
            artifacts: set(&["a"]),
            made: set(&["m"]),
            layers: set(&["l"]),
            blobs: set(&["b", "c"]),
            archives: set(&["r"]),
            ..Needed::default()
        };
        for (kind, name) in [
            (Kind::Artifact, "a"),
            (Kind::Download, "a"),
            (Kind::Checksum, "a"),
            (Kind::SparkHome, "m"),
            (Kind::Rootfs, "m"),
            (Kind::Compressed, "l"),
            (Kind::Unpacked, "l"),
            (Kind::Blob, "b"),
            (Kind::Memory, "b"),
            (Kind::Memory, "r"),
        ] {
            assert!(!goes(kind, &of(name), &needed, Options::default()), "{kind:?}");
            assert!(goes(kind, &of("other"), &needed, Options::default()), "{kind:?}");
        }
        let both = Of::Digests(set(&["b", "other"]).into_iter().collect());
        assert!(goes(Kind::Memory, &both, &needed, Options::default()));
        for kind in [Kind::Quarantine, Kind::Leftover] {
            assert!(goes(kind, &Of::Nothing, &needed, Options::default()), "{kind:?}");
        }
    }

    #[test]
    fn what_costs_an_hour_goes_only_when_it_is_asked_for() {
        let needed = Needed { made: set(&["m"]), targets: ["t".to_owned()].into(), ..Needed::default() };
        let (compiled, caches) =
            (Options { compiled: true, ..Options::default() }, Options { caches: true, ..Options::default() });
        assert!(goes(Kind::Compiled, &of("other"), &needed, compiled));
        assert!(!goes(Kind::Compiled, &of("other"), &needed, caches));
        assert!(!goes(Kind::Compiled, &of("m"), &needed, compiled));
        for kind in [Kind::MavenRepository, Kind::RunCache, Kind::SourceTree] {
            assert!(goes(kind, &Of::Nothing, &needed, caches) && !goes(kind, &Of::Nothing, &needed, compiled));
        }
        let context = |name: &str| Of::Name(name.to_owned());
        assert!(goes(Kind::Context, &context("old"), &needed, Options::default()));
        assert!(!goes(Kind::Context, &context("t"), &needed, Options::default()));
        assert!(goes(Kind::Context, &context("t"), &needed, caches));
    }

    #[test]
    fn what_is_not_known_stays() {
        let unknown = |part| Needed { unknown: [(part, "the lock of /x".to_owned())].into(), ..Needed::default() };
        for (kind, part) in [
            (Kind::Artifact, Part::Artifacts),
            (Kind::Checksum, Part::Artifacts),
            (Kind::SparkHome, Part::Made),
            (Kind::Rootfs, Part::Made),
            (Kind::Unpacked, Part::Layers),
            (Kind::Compressed, Part::Layers),
            (Kind::Log, Part::Names),
        ] {
            let name = if kind == Kind::Log { Of::Name("build-a".to_owned()) } else { of("a") };
            assert!(!goes(kind, &name, &unknown(part), Options::default()), "{kind:?}");
            assert!(goes(kind, &name, &Needed::default(), Options::default()), "{kind:?}");
        }
    }

    #[test]
    fn age_keeps_what_would_go_and_never_the_other_way_round() {
        let old = Options { older_than: Some(30), now: NOW, ..Options::default() };
        let verdict = |used: i64, needed: &Needed| decide(Kind::Artifact, &of("a"), Some(used), needed, &old);
        assert_eq!(verdict(NOW - 30 * DAY, &Needed::default()), Verdict::Go("no lock names it".to_owned()));
        assert_eq!(verdict(NOW - 29 * DAY, &Needed::default()), Verdict::Keep("used 29 days ago".to_owned()));
        assert_eq!(verdict(NOW + DAY, &Needed::default()), Verdict::Keep("used 0 days ago".to_owned()));
        let needed = Needed { artifacts: set(&["a"]), ..Needed::default() };
        assert!(matches!(verdict(0, &needed), Verdict::Keep(_)));
        // What can be resumed is kept for a week.
        let options = Options { now: NOW, ..Options::default() };
        for kind in [Kind::Upload, Kind::Pulled, Kind::Download] {
            let verdict = |used| decide(kind, &of("a"), Some(used), &Needed::default(), &options);
            assert!(matches!(verdict(NOW - 6 * DAY), Verdict::Keep(_)), "{kind:?}");
            assert!(matches!(verdict(NOW - 7 * DAY), Verdict::Go(_)), "{kind:?}");
        }
    }

    #[test]
    fn a_log_goes_with_what_it_is_about() {
        let needed = Needed { logs: ["build-a_1".to_owned(), "smoke-a_1".to_owned()].into(), ..Needed::default() };
        let goes = |name: &str| goes(Kind::Log, &Of::Name(name.to_owned()), &needed, Options::default());
        assert!(!goes("build-a_1") && !goes("smoke-a_1_random_uid"));
        assert!(goes("build-a_2") && goes("compile-3.5.7"));
    }

    #[test]
    fn an_image_with_any_other_name_or_user_stays() {
        let hex = |text: &str| Digest::of(text.as_bytes()).hex();
        let own = "own.invalid/";
        let (old, now) = (format!("{own}base:{}", hex("old")), format!("{own}base:{}", hex("now")));
        let needed = Needed { fingerprints: set(&["now"]), ..Needed::default() };
        let decide = |names: &[&str], containers: &[String]| {
            let names = names.iter().map(ToString::to_string).collect();
            decide_image(&names, own, containers, &needed)
        };
        assert!(matches!(decide(&[&old], &[]), Verdict::Go(_)));
        for names in
            [&[&*now][..], &[&old, &now], &[&old, "base:1"], &[&old, "own.invalid/base:latest"], &["mine:1"], &[]]
        {
            assert!(matches!(decide(names, &[]), Verdict::Keep(_)), "{names:?}");
        }
        assert_eq!(decide(&[&old], &["c1".to_owned()]), Verdict::Keep("the container c1 uses it".to_owned()));
        let unknown = Needed { unknown: [(Part::Made, "why".to_owned())].into(), ..needed.clone() };
        assert!(matches!(decide_image(&[old].into(), own, &[], &unknown), Verdict::Keep(_)));
    }
}
