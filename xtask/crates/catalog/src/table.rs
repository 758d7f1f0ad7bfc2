//! `docker/versions.toml`: the only place where a version is written.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{
    ci::Ci,
    coordinate::Maven,
    legacy::Legacy,
    lookup::{Lookup, lookups},
    platform::{Platform, one_of},
    problem::{Source, nearest},
    reader::{At, Section, Sink, parse},
    shims::{self, ForcedShim},
    template::{Unclosed, fill},
};

/// Where a Spark distribution comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The official Python source distribution, its Hadoop replaced by the table's: minutes instead of an hour.
    Release,
    /// Compiled from the Apache source archive.
    Source,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Release => "release",
            Origin::Source => "source",
        })
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "release" => Ok(Origin::Release),
            "source" => Ok(Origin::Source),
            _ => Err(format!("`{text}` is no origin: expected `release` or `source`")),
        }
    }
}

/// The checked content of the table.
#[derive(Debug, Clone)]
pub struct Table {
    /// The one time that stands in images: seconds since 1970.
    pub epoch: i64,
    /// The origin that a build takes when it is not told.
    pub origin: Origin,
    /// What images can be built for, the main one first: what it lacks is an error, what others lack blocks images.
    pub platforms: Vec<Platform>,
    /// Placeholders that every image knows.
    pub(crate) versions: Vec<(String, At<String>)>,
    /// The Debian release below everything.
    pub debian: Debian,
    /// How a distribution is made from a release.
    pub release: Release,
    /// Supported Spark versions.
    pub sparks: BTreeMap<String, Spark>,
    /// Versions that are known and not built, each with its reason.
    pub unsupported: BTreeMap<String, Unsupported>,
    /// Groups of images that are built when they are asked for.
    pub groups: BTreeMap<String, Group>,
    /// Artifacts that origin `release` takes in another version.
    pub substitutes: Vec<Substitute>,
    /// What was there before, and can be removed.
    pub legacy: Legacy,
    /// What CI offers, if the table says it.
    pub ci: Option<Ci>,
    /// Versions that must not be moved for being old, by their key in [versions].
    pub held: BTreeMap<String, Held>,
    /// Where it is looked up what belongs to a Spark version, by placeholder: the first place that has an answer counts.
    pub lookups: BTreeMap<String, Vec<Lookup>>,
}

/// Why a version stays as it is. Nothing but `outdated` looks at it: who edits the version knows better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The first version that does not fit, if others do.
    pub below: Option<String>,
    /// Why.
    pub reason: String,
}

/// The Debian archive that the base comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debian {
    /// Suites, the release itself first: `bookworm`, `bookworm-updates`, `bookworm-security`.
    pub suites: Vec<String>,
    /// Components, such as `main`.
    pub components: Vec<String>,
    /// The Python of that release, `3.11.2`.
    pub python: String,
    /// The C library of that release, `2.36`; decides which wheels run.
    pub glibc: String,
}

/// How a Spark home is laid out from the Python source distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Folders of the archive and the folders of the Spark home they become.
    pub take: BTreeMap<String, String>,
}

/// A supported Spark version.
#[derive(Debug, Clone)]
pub struct Spark {
    /// `3.5.7`
    pub version: String,
    /// `3.5`
    pub line: String,
    /// Scala's binary version, `2.12`.
    pub scala: String,
    /// Placeholders of this version, over those of the table.
    pub(crate) versions: Vec<(String, At<String>)>,
    /// The archive that origin `source` compiles, if this version can be compiled.
    pub source: Option<SourceOrigin>,
    /// What plugins that do not know this version are told to take, by plugin.
    pub shims: BTreeMap<String, ForcedShim>,
}

/// The source archive of a Spark version and how it is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceOrigin {
    /// The archive.
    pub archive: Archive,
    /// Profiles of the build.
    pub profiles: Vec<String>,
    /// Further arguments for Maven.
    pub flags: Vec<String>,
}

/// An archive that no package registry has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Name of the file.
    pub name: String,
    /// Where it may be had, in the order in which to try.
    pub urls: Vec<String>,
    /// Its SHA-512, where the table knows it.
    pub sha512: Option<String>,
}

/// A version that is known and not built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// Why.
    pub reason: String,
}

/// A group of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What it holds and what it costs.
    pub about: String,
    /// The name of the runners that its images are tested on, where not every runner will do.
    pub runner: Option<String>,
}

/// An artifact that origin `release` takes in another version, because the registry has no better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitute {
    /// What is asked for.
    pub artifact: Maven,
    /// The version that is taken.
    pub version: String,
    /// Why.
    pub reason: String,
}

impl Table {
    /// Reads the table. What is wrong is noted in `sink`, and nothing comes back if the file is not even TOML.
    pub(crate) fn read(source: &Source, sink: &Sink) -> Option<Self> {
        let toml = parse(source, sink)?;
        let root = Section::root(&source.path, &toml, sink);
        let origin = root.required("origin", "\"release\"");
        let table = Self {
            epoch: epoch(&root),
            origin: origin.value.parse().unwrap_or_else(|message: String| {
                if !origin.value.is_empty() {
                    root.note(origin.span.clone(), message, "see docs/architecture.md, \"Origins\"");
                }
                Origin::Release
            }),
            platforms: platforms(&root),
            versions: root.string_map("versions"),
            debian: debian(&root),
            release: release(&root),
            sparks: sparks(&root, source),
            unsupported: named(&root, "unsupported", |section| Unsupported {
                reason: section.required("reason", "\"why it is not built\"").value,
            }),
            groups: named(&root, "groups", |section| Group {
                about: section.required("about", "\"what it holds and what it costs\"").value,
                runner: section.string("runner").map(|at| at.value),
            }),
            substitutes: root.list("substitute").into_iter().filter_map(substitute).collect(),
            legacy: Legacy::read(&root),
            ci: root.section("ci").map(Ci::read),
            held: named(&root, "held", held),
            lookups: lookups(&root),
        };
        table.check_held(&root);
        for version in table.unsupported.keys().filter(|version| table.sparks.contains_key(*version)) {
            let message = format!("Spark {version} is both supported and unsupported");
            root.note(0..0, message, "keep one of the two entries");
        }
        root.finish();
        Some(table)
    }

    /// What is held must be a version of the table, and below what it is to stay below.
    fn check_held(&self, root: &Section<'_>) {
        let Some(section) = root.section("held") else { return };
        let all = || self.versions.iter().chain(self.sparks.values().flat_map(|spark| &spark.versions));
        for (name, _) in section.sections() {
            let values: Vec<&At<String>> = all().filter(|(key, _)| *key == name.value).map(|(_, at)| at).collect();
            if values.is_empty() && name.value != "debian" {
                let help = match nearest(&name.value, all().map(|(key, _)| key.as_str())) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => "hold a key of [versions], or `debian`: the release below everything".to_owned(),
                };
                root.note(name.span.clone(), format!("[held] names `{}`, which has no version", name.value), help);
            }
            let below = self.held.get(&name.value).and_then(|held| held.below.as_ref());
            for at in values.into_iter().filter(|at| below.is_some_and(|below| !is_below(&at.value, below))) {
                let message =
                    format!("`{}` is held below {}, and is {}", name.value, below.map_or("", String::as_str), at.value);
                root.note(at.span.clone(), message, "move one of the two");
            }
        }
    }

    /// What a name of [versions] stands for with this Spark.
    pub fn version(&self, name: &str, spark: &Spark) -> Option<String> {
        let find = |versions: &[(String, At<String>)]| {
            versions.iter().find(|(known, _)| known == name).map(|(_, at)| at.value.clone())
        };
        find(&spark.versions).or_else(|| find(&self.versions))
    }

    /// The value of a key of [versions] with the place where it is written.
    pub(crate) fn written<'a>(&'a self, name: &str, spark: Option<&'a Spark>) -> Option<&'a At<String>> {
        let own = spark.into_iter().flat_map(|spark| &spark.versions);
        own.chain(&self.versions).find(|(known, _)| known == name).map(|(_, at)| at)
    }

    /// What a command is about that is not told: this machine's own platform, so that what is built can be run here; the
    /// main one where the table does not have it.
    pub fn default_platform(&self) -> Platform {
        let own = Platform::host().filter(|host| self.platforms.contains(host));
        own.or(self.platforms.first().copied()).unwrap_or(Platform::Amd64)
    }

    /// The platforms that somebody asks for, each once, in the order of the table; the default one for nobody.
    ///
    /// # Errors
    /// One of them does not stand in the table.
    pub fn platforms(&self, asked: &[String]) -> Result<Vec<Platform>, String> {
        if asked.is_empty() {
            return Ok(vec![self.default_platform()]);
        }
        let mut wanted = Vec::new();
        for text in asked {
            let platform: Platform = text.parse()?;
            if !self.platforms.contains(&platform) {
                return Err(format!(
                    "docker/versions.toml does not build for {platform}: it has {}\n\
                     to add it: write it into `platforms` there, then run `cargo xtask lock`",
                    one_of(&self.platforms)
                ));
            }
            wanted.push(platform);
        }
        Ok(self.platforms.iter().copied().filter(|platform| wanted.contains(platform)).collect())
    }

    /// What a template stands for with one Spark version: `{spark}`, `{line}`, `{scala}` and what [versions] defines.
    ///
    /// # Errors
    /// The placeholder that nobody defines.
    pub fn fill(&self, template: &str, spark: &str, scala: &str) -> Result<String, String> {
        let line = spark.rsplit_once('.').map_or(spark, |(line, _)| line);
        let of_spark =
            [("spark", spark), ("scala", scala), ("line", line)].map(|(name, value)| (name, value.to_owned()));
        let known = self.versions.iter().map(|(name, at)| (name.as_str(), at.value.clone())).chain(of_spark);
        let known: BTreeMap<&str, String> = known.collect();
        let mut unknown = None;
        let filled = fill(template, |name| {
            let value = known.get(name).cloned();
            if value.is_none() {
                unknown = Some(format!("nobody defines the placeholder `{{{name}}}` of `{template}`"));
            }
            value
        });
        let filled = filled.map_err(|Unclosed| format!("`{template}` has a `{{` without its `}}`"))?;
        unknown.map_or(Ok(filled), Err)
    }

    /// The sentence for somebody who asks for a version that is not built.
    pub fn why_not(&self, version: &str) -> String {
        let supported = self.sparks.keys().cloned().collect::<Vec<_>>().join(", ");
        match self.unsupported.get(version) {
            Some(unsupported) => format!(
                "Spark {version} is not supported: {}\nto add it: cargo xtask add-version {version}\nsupported: {supported}",
                unsupported.reason
            ),
            None => format!(
                "Spark {version} does not stand in docker/versions.toml\nto add it: cargo xtask add-version {version}\nsupported: {supported}"
            ),
        }
    }
}

fn epoch(root: &Section<'_>) -> i64 {
    if !root.has("epoch") {
        root.note(0..0, "`epoch` is missing", "add `epoch = 2026-01-31T00:00:00Z`: the one time that images carry");
    }
    root.seconds("epoch").unwrap_or(0)
}

fn platforms(root: &Section<'_>) -> Vec<Platform> {
    if !root.has("platforms") {
        let help = format!("add `platforms = [\"{}\"]`: what images are built for", Platform::Amd64);
        root.note(0..0, "`platforms` is missing", help);
    }
    let platforms = platform_list(root, "platforms");
    if root.has("platforms") && root.strings("platforms").is_empty() {
        let help = format!("write `platforms = [\"{}\"]`", Platform::Amd64);
        root.note(0..0, "`platforms` names nothing", help);
    }
    platforms
}

/// The platforms that `key` names, each once.
pub(crate) fn platform_list(section: &Section<'_>, key: &str) -> Vec<Platform> {
    let mut platforms: Vec<Platform> = Vec::new();
    for at in section.strings(key) {
        match at.value.parse() {
            Ok(platform) if platforms.contains(&platform) => {
                section.note(at.span.clone(), format!("{platform} stands twice in `{key}`"), "keep one of the two");
            }
            Ok(platform) => platforms.push(platform),
            Err(message) => section.note(at.span.clone(), message, format!("write {}", one_of(&Platform::ALL))),
        }
    }
    platforms
}

fn values(list: Vec<At<String>>) -> Vec<String> {
    list.into_iter().map(|at| at.value).collect()
}

fn required_section<'a>(root: &Section<'a>, key: &str) -> Option<Section<'a>> {
    if !root.has(key) {
        root.note(0..0, format!("[{key}] is missing"), "see docs/architecture.md, \"The version table\"");
    }
    root.section(key)
}

fn debian(root: &Section<'_>) -> Debian {
    let Some(section) = required_section(root, "debian") else {
        return Debian { suites: Vec::new(), components: Vec::new(), python: String::new(), glibc: String::new() };
    };
    let debian = Debian {
        suites: values(section.strings("suites")),
        components: values(section.strings("components")),
        python: section.required("python", "\"3.11.2\"").value,
        glibc: section.required("glibc", "\"2.36\"").value,
    };
    for (key, list) in [("suites", &debian.suites), ("components", &debian.components)] {
        if list.is_empty() {
            section.note(
                section.span(),
                format!("`{key}` in [debian] names nothing"),
                format!("add `{key} = [\"…\"]`"),
            );
        }
    }
    section.finish();
    debian
}

fn release(root: &Section<'_>) -> Release {
    let Some(section) = required_section(root, "release") else { return Release { take: BTreeMap::new() } };
    let take = section.string_map("take").into_iter().map(|(from, to)| (from, to.value)).collect();
    section.finish();
    Release { take }
}

fn sparks(root: &Section<'_>, source: &Source) -> BTreeMap<String, Spark> {
    let sparks = root.section("spark").map(|section| section.sections()).unwrap_or_default();
    if sparks.is_empty() {
        root.note(0..0, "the table supports no Spark version", "add `[spark.\"3.5.7\"]`");
    }
    sparks.into_iter().map(|(version, section)| (version.value.clone(), spark(&version, section, source))).collect()
}

fn spark(version: &At<String>, section: Section<'_>, source: &Source) -> Spark {
    let line = version.value.rsplit_once('.').map_or("", |(line, _)| line);
    if line.split('.').count() != 2 || !version.value.split('.').all(|part| part.parse::<u32>().is_ok()) {
        section.note(version.span.clone(), format!("`{}` is no Spark version", version.value), "write it as `3.5.7`");
    }
    let mut scala = section.required("scala", "\"2.13\"");
    let expected = if line.starts_with("4.") { "2.13" } else { "2.12" };
    if section.question(&scala, &format!("the Scala of Spark {}", version.value), "write it as `2.13`") {
        scala.value = expected.to_owned();
    }
    if !["2.12", "2.13"].contains(&scala.value.as_str()) || (line.starts_with("4.") && scala.value != "2.13") {
        let message = format!("Spark {} is not built for Scala {}", version.value, scala.value);
        section.note(scala.span.clone(), message, format!("write `scala = \"{expected}\"`"));
    }
    let spark = Spark {
        version: version.value.clone(),
        line: line.to_owned(),
        scala: scala.value,
        versions: own_versions(version, &section),
        source: section.section("source").map(source_origin),
        shims: shims::of_spark(&version.value, &section, source),
    };
    section.finish();
    spark
}

/// The placeholders of one version. What is still a question has a value that spoils no coordinate: it is reported once.
fn own_versions(version: &At<String>, section: &Section<'_>) -> Vec<(String, At<String>)> {
    let mut versions = section.string_map("versions");
    for (name, at) in &mut versions {
        let about = format!("which `{name}` belongs to Spark {}", version.value);
        if section.question(at, &about, "write the version in its place") {
            at.value = "0".to_owned();
        }
    }
    versions
}

fn source_origin(section: Section<'_>) -> SourceOrigin {
    let origin = SourceOrigin {
        archive: Archive {
            name: section.required("archive", "\"spark-3.5.7.tgz\"").value,
            urls: values(section.strings("urls")),
            sha512: section.string("sha512").map(|at| at.value),
        },
        profiles: values(section.strings("profiles")),
        flags: values(section.strings("flags")),
    };
    section.finish();
    origin
}

fn substitute(section: Section<'_>) -> Option<Substitute> {
    let artifact = section.required("artifact", "\"group:artifact:version\"");
    let substitute = Substitute {
        artifact: artifact
            .value
            .parse()
            .map_err(|error| section.note(artifact.span.clone(), format!("{error}"), "three parts, with colons"))
            .ok()?,
        version: section.required("version", "\"the version that is taken\"").value,
        reason: section.required("reason", "\"why\"").value,
    };
    section.finish();
    Some(substitute)
}

fn held(section: &Section<'_>) -> Held {
    Held {
        below: section.string("below").map(|at| at.value),
        reason: section.required("reason", "\"why it stays\"").value,
    }
}

/// Whether the numbers at the beginning of a version are below others.
fn is_below(version: &str, bound: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit())
            .filter(|part| !part.is_empty())
            .map_while(|part| part.parse().ok())
            .collect()
    };
    numbers(version) < numbers(bound)
}

fn named<T>(root: &Section<'_>, key: &str, read: impl Fn(&Section<'_>) -> T) -> BTreeMap<String, T> {
    let sections = root.section(key).map(|section| section.sections()).unwrap_or_default();
    let read_all = sections.into_iter().map(|(name, section)| {
        let value = read(&section);
        section.finish();
        (name.value, value)
    });
    read_all.collect()
}
