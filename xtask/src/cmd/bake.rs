//! `bake`: the plan as a bake file, and its images built by a BuildKit builder, wherever that is.

use std::{fs, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use bake::{Buildx, File, Run};
use camino::{Utf8Path, Utf8PathBuf};
use catalog::{Image, Selection};
use store::Store;

use crate::{
    bake::{FILE, Wish, file, stage, target_of},
    flags::{BakeArgs, Global, OriginFlag},
    report::{self, quoted},
    secrets,
    session::Session,
    stage::Stager,
};

pub(crate) fn run(global: &Global, args: &BakeArgs) -> Result<ExitCode> {
    let wish = wish(args)?;
    loop {
        let session = Session::open(global, args.origin.origin)?;
        let selected = Selection::from(&args.select).with_parents(session.catalog())?;
        let platform = crate::images::one_platform(session.catalog(), args.platform.as_ref())?;
        let stager = session.stager().on(platform);
        let blocked = session.locked.blocked(platform);
        let (left_out, images): (Vec<&Image>, Vec<&Image>) =
            selected.into_iter().partition(|image| blocked.contains_key(&image.reference));
        let bake_file = file(&stager, &images, &wish)?;
        if args.print {
            print!("{}", bake_file.to_text());
        } else {
            let buildx = args.builder.as_deref().map(builder).transpose()?;
            if session.fetch(&images.iter().map(|&image| (platform, image)).collect::<Vec<_>>())? {
                // The lock has moved on, and with it the images.
                continue;
            }
            build(&session, &stager, args, &wish, &images, &bake_file, buildx.as_ref())?;
        }
        for image in &left_out {
            eprintln!("blocked: {}: {}", image.reference, blocked[&image.reference].join("; "));
        }
        return Ok(report::done(!left_out.is_empty()));
    }
}

fn wish(args: &BakeArgs) -> Result<Wish> {
    if args.push.is_some() && !matches!(args.origin.origin, Some(OriginFlag::Release | OriginFlag::Source)) {
        bail!(
            "--push gives images to others, so the origin of their Spark must be named\n\
             --origin source: compiled; --origin release: the official release with its Hadoop replaced"
        );
    }
    // Whatever is wrong with them is said before anything is staged.
    secrets::read(&args.secret)?;
    let current = Utf8PathBuf::try_from(std::env::current_dir().context("finding the current folder")?)?;
    let secret = |text: &String| match text.split_once("src=") {
        Some((before, file)) => format!("{before}src={}", current.join(file)),
        None => text.clone(),
    };
    Ok(Wish {
        push: args.push.as_deref().map(str::parse).transpose().context("reading --push")?,
        load: args.load,
        archives: args.oci.as_ref().map(|folder| current.join(folder)),
        cache: args.cache.as_deref().map(str::parse).transpose().context("reading --cache")?,
        secrets: args.secret.iter().map(secret).collect(),
    })
}

/// The buildx that is here, if it has this builder.
fn builder(name: &str) -> Result<Buildx> {
    let buildx = Buildx::find()?;
    buildx.builder(name)?;
    Ok(buildx)
}

fn build(
    session: &Session,
    stager: &Stager<'_>,
    args: &BakeArgs,
    wish: &Wish,
    images: &[&Image],
    bake_file: &File,
    buildx: Option<&Buildx>,
) -> Result<()> {
    let folder = args.output.clone().unwrap_or_else(|| session.workspace.bake());
    fs::create_dir_all(&folder).with_context(|| format!("making {folder}"))?;
    let folder = folder.canonicalize_utf8().with_context(|| format!("finding {folder}"))?;
    let waiting = |holder: &str| session.board.say(&format!("waiting   {folder} is being used by {holder}"));
    let _guard = Store::open(folder.join(".lock"))?.lock("bake", &session.machine.cancel, &waiting)?;
    stage(stager, images, &folder, &session.board)?;
    let path = folder.join(FILE);
    blob::write(&path, bake_file.to_text().as_bytes()).with_context(|| format!("writing {path}"))?;
    let run = Run {
        builder: args.builder.as_deref().unwrap_or("NAME"),
        folder: &folder,
        file: FILE,
        reads: wish.secrets.iter().filter_map(|text| Some(text.split_once("src=")?.1.into())).collect(),
        writes: wish.archives.iter().cloned().collect(),
    };
    let Some(buildx) = buildx else {
        println!("{}", by_hand(&folder, &run)?);
        return Ok(());
    };
    if let Some(folder) = &wish.archives {
        fs::create_dir_all(folder).with_context(|| format!("making {folder}"))?;
    }
    let made = buildx.bake(&run, &session.machine.cancel)?;
    for image in images {
        let digest = made.get(&target_of(&image.reference)).and_then(|made| made.digest.as_ref());
        let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
        let tag = wish.tag(&image.reference);
        if wish.push.is_some() {
            println!("pushed  {tag}{digest}");
        }
        if wish.load {
            println!("loaded  {tag}");
        }
        if let Some(path) = wish.archive(image) {
            println!("wrote   {path}");
        }
    }
    if wish.push.is_none() && !wish.load && wish.archives.is_none() {
        println!("built in the cache of {}; --push, --load or --oci takes the images out of it", run.builder);
    }
    Ok(())
}

/// What is typed where buildx is.
fn by_hand(folder: &Utf8Path, run: &Run<'_>) -> Result<String> {
    let words = Buildx::docker().command(run);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(format!("{} && {}", quoted(&["cd", folder.as_str()])?, quoted(&words)?))
}
