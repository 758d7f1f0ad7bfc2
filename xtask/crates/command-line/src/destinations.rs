//! Commands that give built images to others.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};

use crate::{OriginArgs, Platforms, Select};

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
    /// Push images by what they are made of and move no tag: `--cache-from` elsewhere takes them. Images of origin `release`
    /// may go there
    #[arg(long, conflicts_with = "tag")]
    pub no_tags: bool,
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

impl LoadTo {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}
