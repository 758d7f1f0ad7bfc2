//! `image.toml`: one folder, one kind of image; and the images that follow from it.

use std::{collections::BTreeMap, fmt};

use crate::{
    coordinate::Maven,
    platform::Platform,
    problem::Source,
    reader::{At, Section, Sink, parse},
    shims::{self, Shims},
    table::{Origin, platform_list},
};

/// Name and tag of an image, `spark-k8s-base:12-jre17-py311`: its identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRef {
    /// Repository name, without a registry.
    pub name: String,
    /// Tag.
    pub tag: String,
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}

/// One image that can be built: an image file for one Spark version and one variant.
#[derive(Debug, Clone)]
pub struct Image {
    /// Name and first tag.
    pub reference: ImageRef,
    /// Further tags of the same image.
    pub also: Vec<ImageRef>,
    /// The kind: `custom`, `jars-iceberg`, ...
    pub id: String,
    /// What it is for, in one sentence.
    pub about: String,
    /// The Spark version, unless the image is below all of them.
    pub spark: Option<String>,
    /// The variant, where the kind has some.
    pub variant: Option<String>,
    /// The group that must be asked for, if the image is in one.
    pub group: Option<String>,
    /// Path of the image file, relative to the repository (or to the folder that `--images` named).
    pub file: String,
    /// Path of the Dockerfile.
    pub dockerfile: String,
    /// The stage of the Dockerfile that is the image; the last one if nothing is said.
    pub target: Option<String>,
    /// Whether its RUN may use the network.
    pub network: bool,
    /// Build argument -> the image it stands for. `FROM ${PARENT}` and `COPY --from=${JDBC}` refer to them.
    pub parents: BTreeMap<String, ImageRef>,
    /// Other build arguments.
    pub args: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// What its context holds.
    pub stages: Vec<Stage>,
    /// What proves it and every image on top of it.
    pub smoke: Smoke,
    /// What is proven of this image alone, because it takes long.
    pub own_smoke: Smoke,
}

/// What proves that an image holds what it promises. An image inherits what proves its parents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Smoke {
    /// Checks of `docker/smoke/jobs/checks.py`: all of an image run in one Spark session.
    pub checks: Vec<String>,
    /// Scripts in `docker/smoke/jobs`, each a run of its own, with its arguments.
    pub jobs: Vec<String>,
    /// Paths that the image's user and any uid with gid 0 may write to.
    pub writable: Vec<String>,
    /// Paths that everybody may read.
    pub readable: Vec<String>,
    /// What the table promises: environment variables without their prefix `EXPECT_`.
    pub expect: BTreeMap<String, String>,
    /// Spark settings that the jobs run with in the place of the image's own defaults: the sandbox shows no GPU.
    pub defaults: BTreeMap<String, String>,
}

impl Smoke {
    /// Adds what `other` has and this has not.
    pub fn extend(&mut self, other: &Smoke) {
        for (own, more) in [
            (&mut self.checks, &other.checks),
            (&mut self.jobs, &other.jobs),
            (&mut self.writable, &other.writable),
            (&mut self.readable, &other.readable),
        ] {
            own.extend(more.iter().filter(|word| !own.contains(word)).cloned().collect::<Vec<_>>());
        }
        self.expect.extend(other.expect.clone());
        self.defaults.extend(other.defaults.clone());
    }
}

/// One part of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Folder of the context, ending in `/`; a file for [`Content::Debian`].
    pub into: String,
    /// What lies there.
    pub content: Content,
    /// Only under this origin.
    pub origin: Option<Origin>,
    /// Only on these platforms; on all of them if none is named.
    pub platforms: Vec<Platform>,
}

impl Stage {
    /// Whether it counts on this platform.
    pub fn is_for(&self, platform: Platform) -> bool {
        self.platforms.is_empty() || self.platforms.contains(&platform)
    }
}

/// What a stage puts into the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Jars by coordinate.
    Maven(Vec<Jar>),
    /// A folder beside the image file.
    Folder(String),
    /// A file of the user's own, relative to the image file; the lock pins its bytes.
    File(String),
    /// A set of Python packages, laid out below `/usr/local`.
    Python(PythonSet),
    /// The Spark distribution, without the paths that these globs match.
    Spark {
        /// Globs over paths in the Spark home.
        leave_out: Vec<String>,
    },
    /// Symbolic links: path below the stage's folder -> target.
    Links(BTreeMap<String, String>),
    /// Small files: path below the stage's folder -> text.
    Texts(BTreeMap<String, String>),
    /// A root filesystem of Debian packages, as one tar.
    Debian {
        /// The packages asked for.
        packages: Vec<String>,
        /// Path of the recipe, which says what the packages' scripts would have made.
        recipe: String,
    },
}

/// A Maven artifact of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jar {
    /// What is taken.
    pub maven: Maven,
    /// What was asked for and why it is not taken, if the table substitutes it.
    pub instead_of: Option<(Maven, String)>,
    /// How it says which versions of Spark it knows, if it is such a plugin.
    pub shims: Option<Shims>,
}

/// Requirements that are resolved together, on top of the sets of the image's parents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PythonSet {
    /// Name of the set in the lock.
    pub name: String,
    /// Requirements as in PEP 508.
    pub requirements: Vec<String>,
    /// Names of the sets below, nearest last.
    pub on: Vec<String>,
}

impl ImageRef {
    /// The reference as the name of a file.
    pub fn file_name(&self) -> String {
        Self::file_name_of(&self.to_string())
    }

    /// The same of a name that is written out, whatever may be called so.
    pub fn file_name_of(name: &str) -> String {
        name.replace(['/', ':'], "_")
    }
}

impl Image {
    /// All that the image is called, its first tag first.
    pub fn references(&self) -> impl Iterator<Item = &ImageRef> {
        std::iter::once(&self.reference).chain(&self.also)
    }

    /// Path of the folder of the image file.
    pub fn folder(&self) -> &str {
        folder_of(&self.file)
    }
}

pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// An image file as it was read, its templates not yet filled in.
#[derive(Debug)]
pub(crate) struct ImageFile {
    pub(crate) path: String,
    pub(crate) id: At<String>,
    pub(crate) name: At<String>,
    pub(crate) about: At<String>,
    pub(crate) group: Option<At<String>>,
    pub(crate) per_spark: bool,
    pub(crate) sparks: Vec<At<String>>,
    pub(crate) tags: Vec<At<String>>,
    pub(crate) dockerfile: At<String>,
    pub(crate) target: Option<At<String>>,
    pub(crate) network: bool,
    pub(crate) parents: Vec<(String, At<String>)>,
    pub(crate) args: Vec<(String, At<String>)>,
    pub(crate) labels: Vec<(String, At<String>)>,
    pub(crate) stages: Vec<StageFile>,
    pub(crate) smoke: Vec<SmokeFile>,
    pub(crate) variants: Vec<Variant>,
}

#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) name: At<String>,
    pub(crate) group: Option<At<String>>,
    pub(crate) tags: Vec<At<String>>,
    pub(crate) parents: Vec<(String, At<String>)>,
}

#[derive(Debug)]
pub(crate) struct SmokeFile {
    pub(crate) checks: Vec<At<String>>,
    pub(crate) jobs: Vec<At<String>>,
    pub(crate) writable: Vec<At<String>>,
    pub(crate) readable: Vec<At<String>>,
    pub(crate) expect: Vec<(String, At<String>)>,
    pub(crate) defaults: Vec<(String, At<String>)>,
    pub(crate) only_here: bool,
    pub(crate) only: Only,
}

/// For which of the file's images a part counts.
#[derive(Debug)]
pub(crate) struct Only {
    pub(crate) variants: Vec<At<String>>,
    pub(crate) sparks: Vec<At<String>>,
    /// Whether the file's plugin knows the Spark version itself, or is told which shim to take.
    pub(crate) shim: Option<ShimOf>,
}

/// Where the shim of a plugin comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShimOf {
    /// The plugin knows this Spark.
    Own,
    /// The table names one of another Spark.
    Forced,
}

#[derive(Debug)]
pub(crate) struct StageFile {
    pub(crate) into: At<String>,
    pub(crate) content: ContentFile,
    pub(crate) shims: Option<Shims>,
    pub(crate) origin: Option<Origin>,
    pub(crate) platforms: Vec<Platform>,
    pub(crate) only: Only,
}

#[derive(Debug)]
pub(crate) enum ContentFile {
    Maven(Vec<At<String>>),
    Folder(At<String>),
    File(At<String>),
    Python(Vec<At<String>>),
    Spark(Vec<At<String>>),
    Links(Vec<(String, At<String>)>),
    Texts(Vec<(String, At<String>)>),
    Debian { packages: Vec<At<String>>, recipe: At<String> },
}

impl ImageFile {
    pub(crate) fn read(source: &Source, sink: &Sink) -> Option<Self> {
        let toml = parse(source, sink)?;
        let root = Section::root(&source.path, &toml, sink);
        let folder = folder_of(&source.path).rsplit('/').next().unwrap_or_default().to_owned();
        let file = Self {
            path: source.path.clone(),
            id: root.string("id").unwrap_or_else(|| root.at(folder)),
            name: root.required("name", "\"spark-k8s-…\""),
            about: root.required("about", "\"what the image is for\""),
            group: root.string("group"),
            per_spark: per_spark(&root),
            sparks: sparks(&root),
            tags: root.strings("tags"),
            dockerfile: root.string("dockerfile").unwrap_or_else(|| root.at("Dockerfile".to_owned())),
            target: root.string("target"),
            network: root.bool("network"),
            parents: root.string_map("parents"),
            args: root.string_map("args"),
            labels: root.string_map("labels"),
            stages: root.list("stage").into_iter().filter_map(stage).collect(),
            smoke: root.list("smoke").into_iter().map(smoke).collect(),
            variants: root
                .section("variants")
                .map(|section| section.sections().into_iter().map(|(name, section)| variant(name, section)).collect())
                .unwrap_or_default(),
        };
        if file.tags.is_empty() && file.variants.iter().all(|variant| variant.tags.is_empty()) {
            root.note(0..0, "the image has no tag", "add `tags = [\"{spark}\"]`");
        }
        root.finish();
        Some(file)
    }
}

fn per_spark(root: &Section<'_>) -> bool {
    let Some(per) = root.string("per") else { return false };
    if per.value != "spark" {
        root.note(per.span.clone(), format!("`per = \"{}\"`", per.value), "write `per = \"spark\"`, or leave it out");
    }
    true
}

fn variant(name: At<String>, section: Section<'_>) -> Variant {
    let variant = Variant {
        name,
        group: section.string("group"),
        tags: section.strings("tags"),
        parents: section.string_map("parents"),
    };
    section.finish();
    variant
}

fn only(section: &Section<'_>) -> Only {
    Only { variants: section.strings("variants"), sparks: sparks(section), shim: shim_of(section) }
}

fn shim_of(section: &Section<'_>) -> Option<ShimOf> {
    let at = section.string("shim")?;
    match at.value.as_str() {
        "own" => Some(ShimOf::Own),
        "forced" => Some(ShimOf::Forced),
        other => {
            let help = "write `own`: the plugin knows this Spark, or `forced`: the table says which shim it takes";
            section.note(at.span.clone(), format!("`shim = \"{other}\"`"), help);
            None
        }
    }
}

/// The Spark versions that `spark` names. `? 4.2.0: why` asks whether this version belongs to them.
fn sparks(section: &Section<'_>) -> Vec<At<String>> {
    let mut sparks = section.strings("spark");
    for at in &mut sparks {
        let Some(question) = at.value.strip_prefix('?') else { continue };
        let (version, why) = question.split_once(':').unwrap_or((question, ""));
        let (version, why) = (version.trim().to_owned(), at.map(format!("?{why}")));
        let answer = format!("write `{version}`, or take the entry out");
        section.question(&why, &format!("whether this is for Spark {version}"), &answer);
        at.value = version;
    }
    sparks
}

fn smoke(section: Section<'_>) -> SmokeFile {
    let smoke = SmokeFile {
        checks: section.strings("checks"),
        jobs: section.strings("jobs"),
        writable: section.strings("writable"),
        readable: section.strings("readable"),
        expect: section.string_map("expect"),
        defaults: section.string_map("defaults"),
        only_here: section.bool("only-here"),
        only: only(&section),
    };
    section.finish();
    smoke
}

fn stage(section: Section<'_>) -> Option<StageFile> {
    const KINDS: [&str; 8] = ["maven", "folder", "file", "python", "spark-home", "links", "texts", "debian"];
    let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| section.has(kind)).collect();
    let content = match kinds.as_slice() {
        ["maven"] => ContentFile::Maven(section.strings("maven")),
        ["folder"] => ContentFile::Folder(section.string("folder")?),
        ["file"] => ContentFile::File(section.string("file")?),
        ["python"] => ContentFile::Python(section.strings("python")),
        ["spark-home"] => {
            section.bool("spark-home");
            ContentFile::Spark(section.strings("leave-out"))
        }
        ["links"] => ContentFile::Links(section.string_map("links")),
        ["texts"] => ContentFile::Texts(section.string_map("texts")),
        ["debian"] => ContentFile::Debian {
            packages: section.strings("debian"),
            recipe: section.required("recipe", "\"recipe.toml\""),
        },
        found => {
            let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
            let message = format!("a stage has exactly one content, this one has {found}");
            section.note(section.span(), message, format!("contents: {}", KINDS.join(", ")));
            return None;
        }
    };
    let origin = section.string("origin").and_then(|at| {
        let note = |message: String| section.note(at.span.clone(), message, "leave it out for a stage of every origin");
        at.value.parse().map_err(note).ok()
    });
    let shims = shims::of_stage(&section);
    if let (Some(_), false) = (&shims, matches!(content, ContentFile::Maven(_))) {
        section.note(section.span(), "`shims` of what is no jar", "it belongs to a stage with `maven`");
    }
    let into = section.required("into", "\"jars/\"");
    let platforms = platform_list(&section, "platforms");
    let stage = StageFile { into, content, shims, origin, platforms, only: only(&section) };
    section.finish();
    Some(stage)
}
