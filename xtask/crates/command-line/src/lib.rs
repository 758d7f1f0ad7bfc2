//! The command line. Declarations only: what a flag does stands in the command's own file.
//!
//! Both binaries parse with it, so that help, suggestions and errors are the same whichever of them answers.

#![expect(missing_docs, reason = "a comment on a declaration is the help that users read")]

mod audit;
mod build;
mod care;
mod ci;
mod destinations;
mod files;
mod groups;
mod machine;
mod plan;
mod run;
mod versions;

use camino::Utf8PathBuf;
use catalog::Selection;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::{
    audit::*, build::*, care::*, ci::*, destinations::*, files::*, groups::groups, machine::*, plan::*, run::*,
    versions::*,
};

/// Columns that help takes at most.
pub const WIDTH: usize = 100;

/// Custom Apache Spark images from one version table.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = WIDTH, help_template = groups::help_template())]
#[command(before_help = "\
First steps:
  cargo xtask build-layers    every image that needs no GPU (2 GB to fetch)
  cargo xtask smoke           real Spark jobs in what was built
  cargo xtask run spark-k8s-runtime:3.5-3.5.7 -- spark-submit --version
")]
#[command(after_help = "\
Registries are those of Maven, pip and apt on this machine, or of a variable:
  SPARK_IMAGES_REGISTRIES='maven=URL pypi=URL debian=URL'

`cargo xtask COMMAND --help` explains a command, most with examples.")]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args, Default)]
pub struct Global {
    /// Where packages come from: `maven=URL`, `pypi=URL` or `debian=URL`. Repeat it for mirrors, the first that has a
    /// file wins
    #[arg(long, value_name = "KIND=URL", global = true, help_heading = "Everywhere")]
    pub registry: Vec<String>,
    /// A folder of further image folders, outside of this repository
    #[arg(id = "image-folders", long = "images", value_name = "DIR", global = true, help_heading = "Everywhere")]
    pub images: Vec<Utf8PathBuf>,
    /// A Spark source tree of your own (a fork, a patched one): compiled in the place of the version of its line. Its
    /// images carry its own version, and tags that end in `-src.HASH`
    #[arg(long, value_name = "DIR", global = true, help_heading = "Everywhere")]
    pub source_dir: Option<Utf8PathBuf>,
    /// Refuse to change docker/versions.lock: a stale lock is an error. The default where CI=true, but for
    /// `lock --update`
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub locked: bool,
    /// Never open a connection: all that is needed must be in the store
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub offline: bool,
}

/// Which images.
#[derive(Debug, Args, Default)]
pub struct Select {
    /// Images: an id (`custom`), a name (`spark-k8s`), a name with its tag, or a prefix with `*`. All, if none is named
    #[arg(value_name = "IMAGE")]
    pub images: Vec<String>,
    /// Only this Spark version or line (`3.5.7`, `3.5`)
    #[arg(long, value_name = "VERSION")]
    pub spark: Vec<String>,
    /// Switch a group of images on: `gpu`, `services`
    #[arg(long, value_name = "GROUP")]
    pub with: Vec<String>,
}

impl From<&Select> for Selection {
    fn from(select: &Select) -> Self {
        Self { images: select.images.clone(), sparks: select.spark.clone(), with: select.with.clone() }
    }
}

/// Which platforms.
#[derive(Debug, Clone, Args, Default)]
pub struct Platforms {
    /// What the images are for: `linux/amd64`, `linux/arm64`, or several with commas. This machine's own platform, if
    /// none is named. No image is made by emulation: packages and wheels are unpacked, not installed
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub platform: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct OriginArgs {
    /// Where Spark comes from; without it, what the table says
    #[arg(long, value_enum, value_name = "ORIGIN")]
    pub origin: Option<OriginFlag>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OriginFlag {
    /// The official release with its Hadoop replaced: minutes
    Release,
    /// Compiled from the source archive, or from the tree of --source-dir: an hour, once
    Source,
    /// Source where it is compiled already, else release. Not where CI=true
    Auto,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build images: base, custom, wrapper, layers, runtime
    BuildLayers(BuildLayers),
    /// Compile Spark from source and build its custom image
    BuildCustom(BuildCustom),
    /// Show what would be built, and why
    Plan(PlanArgs),
    /// Draw the images and what would happen to them
    Graph(GraphArgs),
    /// Say why one image would be built, from each root cause on
    Why(WhyArgs),
    /// Say which jobs a CI run has to start: those that a change touches
    CiMatrix(CiMatrixArgs),
    /// What a job of CI does
    #[command(subcommand)]
    Ci(CiCommand),
    /// List the images of the table and what is built of them
    List(ListArgs),
    /// Find the bytes for the version table, write docker/versions.lock
    Lock(LockArgs),
    /// Fetch all that a build needs, so that it can run offline
    Fetch(FetchArgs),
    /// Write the build context of an image to a folder
    Stage(StageArgs),
    /// Build images on a BuildKit builder or cluster
    Bake(BakeArgs),
    /// Carry all that builds need to a machine without a network
    Bundle(BundleArgs),
    /// Carry all that a compile needs to a machine without a network
    Vendor(VendorArgs),
    /// Write a built image to a file or folder, for other tools
    Export(ExportArgs),
    /// Push built images to a registry
    Push(PushArgs),
    /// Take images from a registry in the place of building them
    Pull(PullArgs),
    /// Give built images to an engine or a cluster on this machine
    Load(LoadArgs),
    /// Run real Spark jobs in the built images
    Smoke(SmokeArgs),
    /// Judge built images, or a tree that makes images, without running anything
    Audit(AuditArgs),
    /// Run a command in a built image, without a container engine
    Run(RunArgs),
    /// Open a shell in a built image, without a container engine
    Shell(ShellArgs),
    /// Look after the store of fetched files
    #[command(subcommand)]
    Store(StoreCommand),
    /// Show what is kept here, and remove what nobody needs any more
    Gc(GcArgs),
    /// Remove what this repository has replaced: the tree and the images from before
    CleanupLegacy(CleanupLegacyArgs),
    /// Say what would stop a build on this machine, and what to do about it
    Doctor(DoctorArgs),
    /// Write where packages come from into your own registries file
    Setup(SetupArgs),
    /// Show what has newer versions, and which of them may be taken
    Outdated(OutdatedArgs),
    /// Add a Spark version: table, Dockerfile, wrapper, lock and documents
    AddVersion(AddVersionArgs),
    /// Remove a Spark version and all that belongs to it
    RemoveVersion(RemoveVersionArgs),
    /// Write the workflows of CI and the rendered parts of the documents, and check the rest
    Docs(DocsArgs),
    /// Print what a shell needs to complete words of `cargo xtask`
    Completions(CompletionsArgs),
    /// Write manual pages
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_declarations_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn images_are_named_beside_folders_of_images() {
        let cli = Cli::try_parse_from(["xtask", "--images", "own", "smoke", "custom", "--spark", "3.5"]).unwrap();
        let Command::Smoke(args) = cli.command else { panic!("no smoke") };
        assert_eq!((cli.global.images, args.select.images), (vec!["own".into()], vec!["custom".to_owned()]));
    }
}
