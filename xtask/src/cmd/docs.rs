//! `docs`: the documents and the workflows of CI, written from the version table and the flags, or only checked.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::{
    docs::Documents,
    flags::{DocsArgs, Global},
    report::text::count,
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, args: &DocsArgs) -> Result<ExitCode> {
    let workspace = Workspace::of_table(global)?;
    let documents = Documents::read(&workspace)?;
    for (path, document) in documents.stale() {
        if args.check {
            print!("{}", document.diff(path));
        } else {
            document.write(&workspace.root, path)?;
            println!("wrote {path}");
        }
    }
    let problems = documents.problems(&workspace)?;
    let mut wrong = Vec::new();
    if args.check && documents.stale().next().is_some() {
        let stale = documents.stale().count();
        let verb = if stale == 1 { "is" } else { "are" };
        wrong.push(format!("{} {verb} not as rendered\nto write them: cargo xtask docs", count(stale, "document")));
    }
    if !problems.is_empty() {
        wrong.push(format!("{} in documents:\n  {}", count(problems.len(), "mistake"), problems.join("\n  ")));
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    if documents.stale().next().is_none() {
        println!("the documents are as they should be");
    }
    Ok(ExitCode::SUCCESS)
}
