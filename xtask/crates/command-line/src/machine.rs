//! Commands that look at this machine and at what there is outside of it.

use camino::Utf8PathBuf;
use clap::Args;

use crate::{OriginArgs, Platforms, Select};

#[derive(Debug, Args)]
#[command(after_help = "\
Looks at kernel, namespaces, disk, engines, proxy, certificates, registries and
credentials, and asks the registries for each file that a build needs and the
store lacks. Changes nothing but the scratch folder that it tries.

  cargo xtask doctor               what `build-layers` would meet
  cargo xtask doctor --with gpu    the same with the images of group gpu
  cargo xtask doctor --all         for a mirror that is to have the whole lock
  cargo xtask doctor --offline     asks nobody: is all there that is needed?
  cargo xtask doctor --json        for programs

Exit status: 0 nothing stops a build; 1 something does; 3 images are left out,
because the lock calls a file of theirs unresolved. Credentials are never shown,
only the file that they are in.")]
pub struct DoctorArgs {
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub platforms: Platforms,
    #[command(flatten)]
    pub origin: OriginArgs,
    /// Ask for every file of docker/versions.lock, also for those that the store has
    #[arg(long)]
    pub all: bool,
    /// Begin no request after this many seconds; what was not asked is counted
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub within: u64,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args, Default)]
#[command(after_help = "\
On a terminal and without flags it asks. Elsewhere:
  cargo xtask setup --maven https://mirror.example/maven
  cargo xtask setup --debian https://mirror.example/debian --ca corporate.pem
  cargo xtask setup --pypi https://mirror.example/simple \\
      --username-env MIRROR_USER --password-env MIRROR_TOKEN
  cargo xtask setup --maven https://mirror.example/maven --dry-run

It writes ~/.config/spark-images/registries.toml ($XDG_CONFIG_HOME), and leaves
what else stands there as it is, comments too. A kind that is named gets exactly
the addresses that are named. Each is asked for something before it is written,
unless --offline is given. Nothing is fetched.

A password has no place in that file. `user:password@` in an address goes to
~/.netrc (mode 0600), which serves all registries of that host; --password-env
and --token-env name variables that hold it.")]
pub struct SetupArgs {
    /// A Maven repository. Repeat it for mirrors
    #[arg(long, value_name = "URL")]
    pub maven: Vec<String>,
    /// A simple index of Python packages
    #[arg(long, value_name = "URL")]
    pub pypi: Vec<String>,
    /// A Debian archive: the folder that holds `dists/`
    #[arg(long, value_name = "URL")]
    pub debian: Vec<String>,
    /// A PEM file of the authority that signs for your proxy or registry: trusted in downloads and put into images
    #[arg(long, value_name = "FILE")]
    pub ca: Vec<Utf8PathBuf>,
    /// The user of the registries that are named here
    #[arg(long, value_name = "NAME", conflicts_with = "username_env")]
    pub username: Option<String>,
    /// The variable that holds the user
    #[arg(long, value_name = "VARIABLE")]
    pub username_env: Option<String>,
    /// The variable that holds the password
    #[arg(long, value_name = "VARIABLE")]
    pub password_env: Option<String>,
    /// The variable that holds a bearer token
    #[arg(long, value_name = "VARIABLE", conflicts_with_all = ["password_env", "username", "username_env"])]
    pub token_env: Option<String>,
    /// The proxy to the registries that are named here, or `none`; without it, what HTTPS_PROXY and NO_PROXY say
    #[arg(long, value_name = "URL")]
    pub proxy: Option<String>,
    /// Print what would be written, and write nothing
    #[arg(long, visible_alias = "show")]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
  cargo xtask outdated                 all that has newer versions
  cargo xtask outdated numpy hadoop    projects, artifacts, keys of [versions]
  cargo xtask outdated --json          for programs

A version is held where [held] in docker/versions.toml says so, with its reason,
or where the other requirements of its Python set allow no more. Nothing is
changed: each line ends with what takes the newer version. Exit status: 3 if a
registry could not say something, else 0.")]
pub struct OutdatedArgs {
    /// Only these: a Python project, a Maven artifact (`group:artifact` or the artifact alone), a key of [versions],
    /// `debian`, `spark`
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Also show what is as new as can be
    #[arg(long)]
    pub all: bool,
    /// Print the list as JSON
    #[arg(long)]
    pub json: bool,
}
