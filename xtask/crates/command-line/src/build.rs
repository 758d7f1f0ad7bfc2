//! Commands that build images.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};

use crate::{OriginArgs, OriginFlag, Platforms, Select};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask build-layers                          all images, both Spark versions, without the group gpu
  cargo xtask build-layers runtime --spark 3.5.7    the runtime images of one version and all below them
  cargo xtask build-layers --plan --why             what would be built, and the reason for each image
  cargo xtask build-layers runtime --engine docker  the same images, built by Docker and kept in it
  cargo xtask build-layers --platform linux/amd64,linux/arm64
                                                    for two processors; one name then stands for both")]
pub struct BuildLayers {
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub platforms: Platforms,
    #[command(flatten)]
    pub origin: OriginArgs,
    #[command(flatten)]
    pub compile: CompileArgs,
    /// Who builds: this program, or a container engine from the same contexts. The images of an engine stay in it
    #[arg(long, value_enum, value_name = "ENGINE", default_value = "embedded")]
    pub engine: BuildEngine,
    /// Show what would be built and build nothing
    #[arg(long, visible_alias = "dry-run")]
    pub plan: bool,
    /// Give the reason for each image
    #[arg(long)]
    pub why: bool,
    /// Images that are built side by side; by default as many as there are processors
    #[arg(long, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,
    /// What a `RUN --mount=type=secret,id=ID` may read: `id=ID,src=FILE` or `id=ID,env=NAME`. Repeat it for more
    #[arg(long, value_name = "SECRET")]
    pub secret: Vec<String>,
    /// Take images from this registry that were pushed there and are made of what would be built here
    #[arg(long, value_name = "REGISTRY[/PATH]")]
    pub cache_from: Option<String>,
    /// Ask that registry without TLS
    #[arg(long, requires = "cache_from")]
    pub plain_http: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BuildEngine {
    /// This program: no engine, no root
    Embedded,
    /// Docker with BuildKit, 20.10 or newer
    Docker,
    /// Podman
    Podman,
    /// buildah, which keeps its images where Podman does
    Buildah,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Spark is compiled once: the distribution is kept in the store, and all later builds with `--origin source` take it from
there. Profiles and patches stand in docker/versions.toml and docker/spark-custom/patches.

Examples:
  cargo xtask build-custom 3.5.7                        compile the source archive, build the image
  cargo xtask build-custom 3.5.7 --origin release       do not compile: lay the official release out
  cargo xtask build-custom --source-dir ../spark        compile a tree of your own; its pom says the version")]
pub struct BuildCustom {
    /// Spark version; with --source-dir the one of the tree
    pub spark: Option<String>,
    /// Where Spark comes from
    #[arg(long, value_enum, value_name = "ORIGIN", default_value = "source")]
    pub origin: OriginFlag,
    #[command(flatten)]
    pub platforms: Platforms,
    #[command(flatten)]
    pub compile: CompileArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineFlag {
    /// The sandbox: no engine, no root
    Embedded,
    /// Docker
    Docker,
    /// Podman
    Podman,
}

/// How Spark is compiled, where that has to be done.
#[derive(Debug, Clone, Args)]
pub struct CompileArgs {
    /// Where the compile runs: in the sandbox of this program, or in a container
    #[arg(long, value_enum, value_name = "ENGINE", default_value = "embedded")]
    pub compile_in: EngineFlag,
    /// Compile what is kept already once more, and say in what the two differ. The kept one stays
    #[arg(long)]
    pub recompile: bool,
    /// Threads of Maven: modules that do not need each other are compiled side by side, each with memory of its own
    #[arg(long, value_name = "N")]
    pub compile_jobs: Option<std::num::NonZeroUsize>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The folder holds all that the Dockerfile copies; the command prints the `docker build` that goes with it.
  cargo xtask stage spark-k8s:3.5.7-hadoop3.4.2 -o /tmp/context")]
pub struct StageArgs {
    /// The image
    pub image: String,
    /// Folder to write; it must not exist or be empty
    #[arg(short, long, value_name = "DIR")]
    pub output: Utf8PathBuf,
    /// What the image is for; this machine's own platform, if left out
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    #[command(flatten)]
    pub origin: OriginArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The images are those of `build-layers`, with all below them, made from the same contexts. buildx knows the builders:
  docker buildx create --name cluster --driver kubernetes --driver-opt replicas=4
  docker buildx create --name far --driver remote tcp://build.example.com:1234

Examples:
  cargo xtask bake --print runtime --spark 3.5.7         the bake file, and nothing else
  cargo xtask bake --builder cluster --origin source --push registry.example.com/spark --cache registry.example.com/cache
  cargo xtask bake --builder far --load runtime          into the Docker of this machine
  cargo xtask bake --output /tmp/bake                    write file and contexts, and say what is typed")]
pub struct BakeArgs {
    #[command(flatten)]
    pub select: Select,
    /// What the images are for; this machine's own platform, if left out
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    #[command(flatten)]
    pub origin: OriginArgs,
    /// Print the bake file; stage and build nothing
    #[arg(long, conflicts_with_all = ["builder", "output"])]
    pub print: bool,
    /// The builder of buildx that builds. Without it the files are written, and the command is printed
    #[arg(long, value_name = "NAME")]
    pub builder: Option<String>,
    /// Push the images there; their tags begin with it. Needs --origin
    #[arg(long, value_name = "REGISTRY[/PATH]")]
    pub push: Option<String>,
    /// Give the images to the Docker of this machine
    #[arg(long)]
    pub load: bool,
    /// Write each image to this folder, as a tar in the OCI image layout
    #[arg(long, value_name = "DIR")]
    pub oci: Option<Utf8PathBuf>,
    /// Where builders share their layers: what one has built, all others take from there
    #[arg(long, value_name = "REGISTRY[/PATH]")]
    pub cache: Option<String>,
    /// What a `RUN --mount=type=secret,id=ID` may read: `id=ID,src=FILE` or `id=ID,env=NAME`. Repeat it for more
    #[arg(long, value_name = "SECRET")]
    pub secret: Vec<String>,
    /// Folder for the bake file and the contexts; without it, one below target/spark-images
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<Utf8PathBuf>,
}
