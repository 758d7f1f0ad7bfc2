//! Commands that show what there is and what would be built.

use clap::{Args, ValueEnum};

use crate::{OriginArgs, Platforms, Select};

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
    /// A picture for browsers, drawn here: nothing else is needed
    Svg,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Colours say what would happen: cached, to build (with the first reason), blocked (with what is missing).
  cargo xtask graph --format svg > images.svg                  every image that needs no GPU
  cargo xtask graph --format svg runtime:iceberg --spark 3.5   one image and all below it")]
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
#[command(after_help = "\
  cargo xtask why spark-k8s-runtime:3.5-3.5.7
Each cause is followed by the image that it is a part of, and by all on the way from there:
  docker/spark-custom/Dockerfile.3.5.7 changed
    of spark-k8s:3.5.7-hadoop3.4.2
    -> spark-k8s-spark-3.5.7-custom:3.5.7
    ...")]
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
