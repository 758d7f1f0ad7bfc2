//! Commands that run something in built images.

use camino::Utf8PathBuf;
use clap::Args;

use crate::{EngineFlag, Platforms, Select};

#[derive(Debug, Args)]
pub struct SmokeArgs {
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub platforms: Platforms,
    /// Where the jobs run: in the sandbox of this program, or in containers of an engine that has the images
    #[arg(long, value_enum, value_name = "ENGINE", default_value = "embedded")]
    pub engine: EngineFlag,
    /// Run the jobs that need a server, too: PostgreSQL, MariaDB, Kafka and S3 are started for them
    #[arg(long)]
    pub with_services: bool,
    /// Use a server of your own for the jobs that need it, as `s3=http://KEY:SECRET@HOST:PORT/BUCKET`
    #[arg(long, value_name = "NAME=URL")]
    pub service: Vec<String>,
    /// Give the jobs that use a GPU those of this machine. Docker needs NVIDIA's container toolkit for it, Podman a CDI
    /// specification of `nvidia.com/gpu`. What is skipped without a GPU is a failure then
    #[arg(long)]
    pub gpus: bool,
    /// Only this: a job (`s3a`), `session` (the checks of one Spark session) or `permissions`
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Write a JUnit report
    #[arg(long, value_name = "FILE")]
    pub junit: Option<Utf8PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Jobs that run side by side, at most; only what fits into memory is started
    #[arg(long, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,
    /// Do again only what failed, or was interrupted, in the last run; what passes now is reported as flaky
    #[arg(long)]
    pub rerun_failed: bool,
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
