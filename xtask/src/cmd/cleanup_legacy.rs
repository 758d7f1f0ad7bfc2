//! `cleanup-legacy`: removes from a checkout, and from engines, what the version table calls legacy.
//!
//! Shown first, removed after a word, and checked in the end. Only the working tree is changed: the index stays as it is, so
//! that `git checkout HEAD` brings everything back.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal as _, Write as _},
    path::{Component, Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use camino::Utf8PathBuf;
use catalog::Legacy;
use engines::Engine;
use git::Git;

use crate::{
    flags::{CleanupEngine, CleanupLegacyArgs, Global},
    interrupt,
    legacy::{
        images::{self, OldImage, Outcome},
        kept::{Kept, last_commit},
        names::{Gone, Naming, already_gone, naming},
        remove::remove,
        shown,
        tree::{Found, Search, Tree, read_only},
    },
    report::{
        done,
        legacy::{Done, ImageName, ImageReport, Line, PathReport, Report, Why},
        quoted,
        text::count,
    },
    workspace::Workspace,
};

/// Whose listing the command ends with: there the first of all images lay.
const DOCKER_BASE: &str = "docker/docker-base";

pub(crate) fn run(global: &Global, args: &CleanupLegacyArgs) -> Result<ExitCode> {
    let workspace = Workspace::of_table(global)?;
    let catalog = workspace.catalog()?;
    let legacy = &catalog.table.legacy;
    let root = match &args.root {
        Some(root) => {
            let path = checkout::here()?.join(root);
            path.canonicalize_utf8().with_context(|| format!("looking for --root {root}"))?
        }
        None => workspace.root.clone(),
    };
    let checkout = Checkout { tree: Tree::open(&root)?, git: Git::around(&root), root, legacy };
    let keep = args.keep.iter().map(|path| inside(path)).collect::<Result<BTreeSet<PathBuf>>>()?;
    let search = checkout.tree.search(legacy, &keep)?;
    if let Some(unknown) = keep.iter().find(|path| !checkout.tree.has(path)) {
        bail!("--keep {}: there is no such path in {}", shown(unknown), checkout.root);
    }
    let old = old_images(args, legacy)?;
    let before = checkout.already_gone()?;
    let gone = checkout.gone(&search);
    let mut report = checkout.report(&search, &gone, &old, &before)?;
    let nothing = search.found.is_empty() && search.emptied.is_empty() && old.is_empty();
    if nothing && before.is_empty() {
        return nothing_to_do(&report, args);
    }
    if !args.json && !nothing {
        report.print_found(checkout.is_shallow()?);
    }
    if args.dry_run {
        if args.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        }
        return Ok(ExitCode::SUCCESS);
    }
    refuse(&report, &checkout, &search, args)?;
    let (mut files, mut left) = (0, false);
    if !nothing {
        confirm(args, &search, &old)?;
        files = checkout.take_away(&search, &keep)?;
        left = remove_images(&old, &mut report)?;
    }
    checkout.check(gone, before, &mut report)?;
    let removed = report.images.iter().filter(|image| image.state.as_deref() == Some("removed")).count();
    report.removed = (!nothing).then_some(Done { files, images: removed });
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => report.print_done(),
    }
    let lines = report.still_named.len();
    if lines > 0 {
        let name = if lines == 1 { "line still names" } else { "lines still name" };
        bail!(
            "{lines} {name} what is gone\n\
             change what stands there, and run this again; a file that tells of what was there belongs into `told-in`, in \
             [legacy] of docker/versions.toml\n\
             to bring a path back: git checkout HEAD -- PATH"
        );
    }
    Ok(done(left))
}

/// One sentence, and what was left alone.
fn nothing_to_do(report: &Report, args: &CleanupLegacyArgs) -> Result<ExitCode> {
    if args.json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        println!("nothing to do: {} has nothing that docker/versions.toml calls legacy", report.root);
        report.print_spared();
    }
    Ok(ExitCode::SUCCESS)
}

/// A path of `--keep`, which must not leave the checkout.
fn inside(path: &Path) -> Result<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            _ => bail!("--keep {}: write it relative to the checkout", shown(path)),
        }
    }
    if plain == Path::new("") {
        bail!("--keep {}: that is the checkout itself", shown(path));
    }
    Ok(plain)
}

fn old_images(args: &CleanupLegacyArgs, legacy: &Legacy) -> Result<Vec<OldImage>> {
    let engines: BTreeSet<CleanupEngine> = args.engine.iter().copied().collect();
    let mut old = Vec::new();
    for engine in engines {
        let engine = match engine {
            CleanupEngine::Docker => Engine::Docker,
            CleanupEngine::Podman => Engine::Podman,
        };
        old.extend(images::find(engine, legacy).with_context(|| format!("asking {engine} for its images"))?);
    }
    Ok(old)
}

/// What stands in the way, all of it, before anything is removed.
fn refuse(report: &Report, checkout: &Checkout<'_>, search: &Search, args: &CleanupLegacyArgs) -> Result<()> {
    let closed = read_only(&checkout.tree, search)?;
    if !closed.is_empty() {
        let paths: Vec<String> =
            closed.iter().map(|path| checkout.root.as_std_path().join(path).display().to_string()).collect();
        let words: Vec<&str> = ["chmod", "u+w", "--"].into_iter().chain(paths.iter().map(String::as_str)).collect();
        bail!("nothing was removed: you may not change {}\n  {}", count(closed.len(), "folder"), quoted(&words)?);
    }
    let lost: usize = report.paths.iter().map(|path| path.not_in_git.len()).sum();
    if lost == 0 || args.force {
        return Ok(());
    }
    let first = report.paths.iter().flat_map(|path| &path.not_in_git).take(20);
    let list: Vec<String> = first.map(|why| format!("  {}: {}", why.path, why.why)).collect();
    let more = if lost > list.len() { format!("\n  and {} more", lost - list.len()) } else { String::new() };
    bail!(
        "nothing was removed: git could not bring back\n{}{more}\n\
         commit it or move it away, leave it with --keep PATH, or lose it with --force",
        list.join("\n")
    )
}

/// Asks, where somebody can answer.
fn confirm(args: &CleanupLegacyArgs, search: &Search, old: &[OldImage]) -> Result<()> {
    if args.yes {
        return Ok(());
    }
    if args.json || !io::stdin().is_terminal() {
        let args = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
        let words: Vec<String> = args.chain(["--yes".to_owned()]).collect();
        let words: Vec<&str> = ["cargo", "xtask"].into_iter().chain(words.iter().map(String::as_str)).collect();
        bail!("nothing was removed: nobody is asked here\nto remove it: {}", quoted(&words)?);
    }
    let files: usize = search.found.iter().map(|found| found.entry.size().0).sum();
    let images = if old.is_empty() { String::new() } else { format!(" and {}", count(old.len(), "image name")) };
    eprint!("remove {}{images}? type `yes`: ", count(files, "file"));
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("reading the answer")?;
    if answer.trim() != "yes" {
        bail!("nothing was removed");
    }
    Ok(())
}

/// Removes images, and says in the report what became of each. Whether one was left.
fn remove_images(old: &[OldImage], report: &mut Report) -> Result<bool> {
    let mut left = false;
    for (image, report) in old.iter().zip(&mut report.images) {
        if interrupt::is_set() {
            bail!("interrupted: the files are gone, and images are left for the next run");
        }
        report.state = Some(match images::remove(image) {
            Outcome::Removed => "removed".to_owned(),
            Outcome::NotThere => "gone".to_owned(),
            Outcome::Left(why) => {
                left = true;
                why
            }
        });
    }
    Ok(left)
}

/// The checkout that is cleaned.
struct Checkout<'l> {
    root: Utf8PathBuf,
    tree: Tree,
    git: Option<Git>,
    legacy: &'l Legacy,
}

impl Checkout<'_> {
    fn is_shallow(&self) -> Result<bool> {
        let Some(git) = &self.git else { return Ok(false) };
        Ok(git.ask(["rev-parse", "--is-shallow-repository"])?.starts_with(b"true"))
    }

    fn already_gone(&self) -> Result<Vec<Gone>> {
        self.git.as_ref().map_or_else(|| Ok(Vec::new()), |git| already_gone(git, &self.tree, self.legacy))
    }

    /// Lines that name something of `gone`; files that may tell of it are left out.
    fn naming(&self, gone: &[Gone]) -> Result<Vec<Naming>> {
        let told = |path: &Path| self.legacy.told_in.iter().any(|file| Path::new(file) == path);
        let Some(git) = self.git.as_ref().filter(|_| !gone.is_empty()) else { return Ok(Vec::new()) };
        naming(git, &self.tree, gone, &told)
    }

    /// What will be gone, with the targets of Makefiles: later nobody can read them.
    fn gone(&self, search: &Search) -> Vec<Gone> {
        let gone = |found: &Found| Gone::of(found.path.clone(), &self.tree.text(&found.path));
        search.found.iter().map(gone).collect()
    }

    fn report(&self, search: &Search, found: &[Gone], old: &[OldImage], before: &[Gone]) -> Result<Report> {
        let kept = Kept::ask(self.git.as_ref(), &search.found)?;
        let mut gone = found.to_vec();
        let names = self.legacy.images.iter().flat_map(|images| images.names.iter().map(move |name| (name, images)));
        let names: Vec<_> = names.filter(|_| !(search.found.is_empty() && before.is_empty())).collect();
        gone.extend(names.iter().map(|(name, _)| Gone::Image((*name).clone())));
        let naming = self.naming(&gone)?;
        let naming_of = |n: usize| lines(naming.iter().filter(|naming| naming.what.contains(&n)), &gone);
        let history = self.git.as_ref().map(|git| anyhow::Ok(git.has_commit()?.then_some(git))).transpose()?.flatten();
        let mut paths = Vec::new();
        for (n, found) in search.found.iter().enumerate() {
            let rule = &self.legacy.paths[found.rule];
            let (files, bytes) = found.entry.size();
            let commit = history.map(|git: &Git| last_commit(git, &found.path)).transpose()?.flatten();
            paths.push(PathReport {
                path: shown(&found.path),
                folder: found.entry.identity.kind.is_dir(),
                files,
                bytes,
                reason: rule.reason.clone(),
                instead: rule.instead.clone(),
                last_commit: commit.map(Into::into),
                not_in_git: kept.not_kept(found).iter().map(|missing| Why::new(&missing.path, missing.why)).collect(),
                named_in: naming_of(n),
            });
        }
        let image_names = names.iter().enumerate().map(|(n, (name, images))| ImageName {
            name: (*name).clone(),
            instead: images.instead.clone(),
            named_in: naming_of(search.found.len() + n),
        });
        Ok(Report {
            version: 1,
            root: self.root.to_string(),
            paths,
            emptied: search.emptied.iter().map(|path| shown(path)).collect(),
            spared: search.spared.iter().map(|(path, why)| Why::new(path, why)).collect(),
            images: old.iter().map(|image| self.image(image)).collect(),
            image_names: image_names.filter(|image| !image.named_in.is_empty()).collect(),
            removed: None,
            docker_base: None,
            still_named: Vec::new(),
        })
    }

    fn image(&self, image: &OldImage) -> ImageReport {
        let rule = image.rule.map(|rule| &self.legacy.images[rule]);
        let own = ("built by this program, and its last tag is another image's now", "the image that has the tag");
        let (reason, instead) = rule.map_or(own, |rule| (&rule.reason, &rule.instead));
        ImageReport {
            engine: image.engine.to_string(),
            name: image.name.clone(),
            id: image.id.to_string(),
            bytes: image.size,
            reason: reason.to_owned(),
            instead: instead.to_owned(),
            state: None,
            in_use: (!image.users.is_empty()).then(|| images::in_use(&image.users)),
        }
    }

    /// Removes what was shown, if it is still all that there is. Number of files.
    fn take_away(&self, shown: &Search, keep: &BTreeSet<PathBuf>) -> Result<usize> {
        interrupt::flag()?;
        let now = self.tree.search(self.legacy, keep)?;
        if now != *shown {
            bail!("nothing was removed: {} was changed since this was shown\nrun the command again", self.root);
        }
        let removed = remove(&self.tree, shown, &interrupt::is_set)?;
        if !removed.complete {
            bail!("interrupted after {}: the next run goes on", count(removed.files, "file"));
        }
        Ok(removed.files)
    }

    /// The end: what is left in docker/docker-base, and who still names what is gone.
    fn check(&self, removed: Vec<Gone>, before: Vec<Gone>, report: &mut Report) -> Result<()> {
        let gone: BTreeSet<Gone> = removed.into_iter().chain(before).collect();
        let gone: Vec<Gone> = gone.into_iter().collect();
        report.still_named = lines(self.naming(&gone)?.iter(), &gone);
        let names = self.tree.list(Path::new(DOCKER_BASE))?;
        report.docker_base = names.map(|names| names.iter().map(|name| shown(Path::new(name))).collect());
        Ok(())
    }
}

fn lines<'n>(naming: impl Iterator<Item = &'n Naming>, gone: &[Gone]) -> Vec<Line> {
    let name = |n: &usize| match &gone[*n] {
        Gone::Path { path, .. } => shown(path),
        Gone::Image(name) => name.clone(),
    };
    let line = |naming: &Naming| Line {
        file: shown(&naming.file),
        line: naming.line,
        text: naming.text.clone(),
        names: naming.what.iter().map(name).collect(),
    };
    naming.map(line).collect()
}
