//! The command line. Declarations only: what a flag does stands in the command's own file.
//!
//! Both binaries parse with it, so that help, suggestions and errors are the same whichever of them answers.

#![expect(missing_docs, reason = "a comment on a declaration is the help that users read")]

use camino::Utf8PathBuf;
use catalog::Selection;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Custom Apache Spark images from one version table.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
#[command(after_help = "\
First steps:
  cargo xtask build-layers       build every image that needs no GPU (2 GB to fetch, some minutes)
  cargo xtask smoke              run real Spark jobs in what was built
  cargo xtask run spark-k8s-runtime:3.5-3.5.7 -- spark-submit --version

Registries are found in the configuration of Maven, pip and apt, or given in one variable:
  SPARK_IMAGES_REGISTRIES='maven=URL pypi=URL debian=URL'")]
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
    /// Refuse to change docker/versions.lock: a stale lock is an error. The default where CI=true
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
    /// Switch a group on: `gpu`
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
    /// Say why one image would be built: each root cause, and the way from there
    Why(WhyArgs),
    /// List the images of the table and what is built of them
    List(ListArgs),
    /// Find the bytes for the version table and write docker/versions.lock
    Lock(LockArgs),
    /// Fetch all that a build needs, so that it can run without a network
    Fetch(FetchArgs),
    /// Write the build context of an image to a folder, for `docker build` and its like
    Stage(StageArgs),
    /// Build images on a BuildKit builder: another machine, or a cluster
    Bake(BakeArgs),
    /// Carry all that builds need to a machine without a network
    Bundle(BundleArgs),
    /// Carry all that a compile of Spark needs to a machine without a network
    Vendor(VendorArgs),
    /// Write a built image to a file or folder, for docker, podman, skopeo or crane
    Export(ExportArgs),
    /// Push built images to a registry
    Push(PushArgs),
    /// Take images from a registry that are made of what would be built here
    Pull(PullArgs),
    /// Give built images to Docker, Podman, containerd, minikube, kind or k3s
    Load(LoadArgs),
    /// Run real Spark jobs in the built images
    Smoke(SmokeArgs),
    /// Run a command in a built image, without a container engine
    Run(RunArgs),
    /// Open a shell in a built image, without a container engine
    Shell(ShellArgs),
    /// Look after the store of fetched files
    #[command(subcommand)]
    Store(StoreCommand),
    /// Write the tables in the READMEs from the version table
    Docs(DocsArgs),
}

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
pub struct PlanArgs {
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub platforms: Platforms,
    #[command(flatten)]
    pub origin: OriginArgs,
    /// Print the plan as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// For Markdown files: GitHub and GitLab draw it
    Mermaid,
    /// For Graphviz: `cargo xtask graph --format dot | dot -Tsvg`
    Dot,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
pub struct GraphArgs {
    #[command(flatten)]
    pub select: Select,
    /// What the images are for; this machine's own platform, if left out
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    #[command(flatten)]
    pub origin: OriginArgs,
    /// In which language
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "mermaid")]
    pub format: GraphFormat,
}

#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The image
    pub image: String,
    /// What the image is for; this machine's own platform, if left out
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    #[command(flatten)]
    pub origin: OriginArgs,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print the list as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A lock that answers the table is left as it is: versions never move by themselves.
  cargo xtask lock                      answer what is new in the table
  cargo xtask lock --update pandas      look again for one Maven artifact, Python project or Debian package
  cargo xtask lock --update debian      take the security updates of all Debian packages
  cargo xtask lock --check              fail if the lock does not answer the table; asks nobody")]
pub struct LockArgs {
    /// Look again for this name, or for all of `maven`, `pypi`, `debian`, `unresolved`
    #[arg(long, value_name = "NAME")]
    pub update: Vec<String>,
    /// Only say whether the lock answers the table
    #[arg(long, conflicts_with = "update")]
    pub check: bool,
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

#[derive(Debug, Args)]
#[command(after_help = "\
Where there is a network:
  cargo xtask bundle --out spark-images.tar             all images but those of group gpu
  cargo xtask bundle --out runtime.tar runtime --spark 3.5.7 --platform linux/amd64,linux/arm64
Where there is none, in a checkout of the same commit:
  cargo xtask bundle --in spark-images.tar
  cargo xtask build-layers --offline

With `--origin source` the compiled Spark is carried, not what compiles it: `cargo xtask vendor` carries that.")]
pub struct BundleArgs {
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub platforms: Platforms,
    #[command(flatten)]
    pub origin: OriginArgs,
    /// File to write
    #[arg(short, long, value_name = "FILE", required_unless_present = "input")]
    pub out: Option<Utf8PathBuf>,
    /// Take over what such a file holds
    #[arg(long = "in", id = "input", value_name = "FILE", conflicts_with_all = ["out", "images", "spark", "with", "platform"])]
    pub input: Option<Utf8PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Where there is a network, and this Spark was compiled once:
  cargo xtask vendor 3.5.7 -o spark-3.5.7-vendor.tar
Where there is none, in a checkout of the same commit:
  cargo xtask vendor --in spark-3.5.7-vendor.tar
  cargo xtask build-custom 3.5.7 --offline")]
pub struct VendorArgs {
    /// Spark version; with --source-dir the one of the tree
    #[arg(conflicts_with = "input")]
    pub spark: Option<String>,
    /// File to write
    #[arg(short, long, value_name = "FILE", required_unless_present = "input")]
    pub output: Option<Utf8PathBuf>,
    /// Take over what such a file holds
    #[arg(long = "in", id = "input", value_name = "FILE", conflicts_with = "output")]
    pub input: Option<Utf8PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
With `--origin source` the image that compiles is fetched as well. What Maven needs is not known before it runs:
`cargo xtask vendor` carries that.")]
pub struct FetchArgs {
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub platforms: Platforms,
    #[command(flatten)]
    pub origin: OriginArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A folder in the OCI image layout
    OciDir,
    /// The same as one tar
    OciArchive,
    /// What `docker load` takes
    DockerArchive,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask export spark-k8s-runtime:3.5-3.5.7 --format docker-archive -o spark.tar && docker load -i spark.tar
  cargo xtask export spark-k8s-runtime:3.5-3.5.7 --format oci-archive -o spark.tar && skopeo inspect oci-archive:spark.tar")]
pub struct ExportArgs {
    /// The image
    pub image: String,
    /// What is written
    #[arg(long, value_enum)]
    pub format: ExportFormat,
    /// File or folder to write
    #[arg(short, long, value_name = "FILE")]
    pub output: Utf8PathBuf,
    /// Which of the image's platforms; several, with commas, become an image index. This machine's own, if none is
    /// named
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub platform: Vec<String>,
    /// Replace what stands there
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoadTo {
    /// The Docker server that `docker` speaks to
    Docker,
    /// The storage of Podman and buildah
    Podman,
    /// The containerd that `ctr` speaks to
    Containerd,
    /// A cluster of minikube
    Minikube,
    /// A cluster of kind
    Kind,
    /// The containerd of k3s on this machine
    K3s,
}

#[derive(Debug, Args)]
#[command(after_help = "\
What is there already is not sent again: neither an image, nor a layer where the destination can tell. Several images go
in one archive, which nothing is written for on the way.

Examples:
  cargo xtask load runtime --spark 3.5.7 --to docker
  cargo xtask load spark-k8s-runtime:3.5-3.5.7 --to minikube --cluster dev
  cargo xtask load --to containerd --namespace k8s.io --dry-run      the commands, and how much they would send")]
pub struct LoadArgs {
    #[command(flatten)]
    pub select: Select,
    /// What the images are for; this machine's own platform, if left out
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    /// Where they go
    #[arg(long, value_enum, value_name = "DESTINATION")]
    pub to: LoadTo,
    /// The namespace of containerd or k3s; `k8s.io`, that of Kubernetes, if left out
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The profile of minikube (`minikube` if left out), or the cluster of kind (`kind`)
    #[arg(long, visible_alias = "profile", value_name = "NAME")]
    pub cluster: Option<String>,
    /// Print the commands that would be run, and run none of them
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Only what the registry lacks is sent; layers that another of its repositories has are mounted from there. Tags move last, all
or none, and a push that was cut goes on where it stood. Credentials are those of `docker login` or `podman login`, their
helpers, or SPARK_IMAGES_REGISTRY_USER and SPARK_IMAGES_REGISTRY_PASSWORD.

Examples:
  cargo xtask push registry.example/team                            every image that needs no GPU
  cargo xtask push registry.example/team runtime --spark 3.5.7      the runtime images of one version
  cargo xtask push registry.example/team --tag '{tag}' --tag '{tag}-r42' --require-smoke smoke.json
  cargo xtask push registry.example/team --platform linux/amd64,linux/arm64   tags mean both, as an image index
  cargo xtask push localhost:5000 --allow-release --allow-dirty     try it with a registry on this machine")]
pub struct PushArgs {
    /// The registry, and the path below which each image has its repository. Asked without TLS if it is this machine
    /// (localhost, 127.0.0.1) and does not begin with `https://`
    #[arg(value_name = "REGISTRY[/PATH]")]
    pub registry: String,
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub platforms: Platforms,
    /// Tag in place of the image's own; `{tag}` in it stands for each of those. Repeat it for more
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Push the images below as well, without tags of their own: `--cache-from` elsewhere needs them
    #[arg(long)]
    pub with_parents: bool,
    /// How layers are compressed: none, gzip, zstd, with a level as in `gzip:9`. Done once and kept
    #[arg(long, value_name = "FORM", default_value = "gzip")]
    pub compression: String,
    /// Push only what this report of `smoke --json` proves: these very images, no check failed
    #[arg(long, value_name = "FILE")]
    pub require_smoke: Option<Utf8PathBuf>,
    /// Push images of origin `release` too
    #[arg(long)]
    pub allow_release: bool,
    /// Push although the checkout differs from its last commit
    #[arg(long)]
    pub allow_dirty: bool,
    /// Ask the registry without TLS
    #[arg(long)]
    pub plain_http: bool,
    /// Say what would be pushed; ask the registry, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result as JSON, with the digest of each image and of what each tag was before
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
An image is taken if it was pushed from the same inputs: the same table, lock and files. Every byte is compared with its
digest, and the result is the image that a build here would give: `build-layers` has nothing to do for it.

Examples:
  cargo xtask pull registry.example/team runtime --spark 3.5.7
  cargo xtask build-layers --cache-from registry.example/team       the same, and what is not there is built")]
pub struct PullArgs {
    /// The registry, and the path below which each image has its repository
    #[arg(value_name = "REGISTRY[/PATH]")]
    pub registry: String,
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub platforms: Platforms,
    #[command(flatten)]
    pub origin: OriginArgs,
    /// Ask the registry without TLS
    #[arg(long)]
    pub plain_http: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SmokeArgs {
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub platforms: Platforms,
    /// Write a JUnit report
    #[arg(long, value_name = "FILE")]
    pub junit: Option<Utf8PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Images that are tested side by side
    #[arg(long, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The image
    pub image: String,
    /// User that the command runs as: a name or a number, with a group after `:`. The image's own, if left out
    #[arg(long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// Which of the image's platforms; this machine's own, if left out. Another one needs an emulator that the kernel
    /// knows
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    /// Let the command use the network of this machine
    #[arg(long)]
    pub network: bool,
    /// Mount a folder of this machine: `SOURCE:TARGET`, read-only with `:ro` behind it
    #[arg(long, value_name = "SOURCE:TARGET[:ro]")]
    pub volume: Vec<String>,
    /// Set a variable
    #[arg(long, short, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// The command; the image's own, if left out
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

#[derive(Debug, Args)]
pub struct ShellArgs {
    /// The image
    pub image: String,
    /// User that the shell runs as
    #[arg(long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// Which of the image's platforms; this machine's own, if left out
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    /// Let the shell use the network of this machine
    #[arg(long)]
    pub network: bool,
}

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Read every fetched file and every built layer again and compare with its digest
    Verify {
        /// Take damaged files away, so that the next run fetches or builds them again
        #[arg(long)]
        repair: bool,
    },
    /// Print where the store is
    Path,
}

#[derive(Debug, Args)]
pub struct DocsArgs {
    /// Only say what would change, and fail if anything would
    #[arg(long)]
    pub check: bool,
}

impl LoadTo {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
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
