//! Commands that look after this repository.

use clap::Args;

#[derive(Debug, Args)]
pub struct DocsArgs {
    /// Only say what would change, and fail if anything would
    #[arg(long)]
    pub check: bool,
}
