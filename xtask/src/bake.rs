//! The images of a plan as a bake file, and the folder that buildx reads: a Dockerfile and a context for each image.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result, bail};
use bake::{File, Output, Target, target_name};
use camino::{Utf8Path, Utf8PathBuf};
use catalog::{Image, ImageRef};
use distribution::Address;

use crate::{
    report::progress::Board,
    schedule::{self, Outcome},
    stage::Stager,
};

/// The bake file's name, which buildx looks for by itself.
pub(crate) const FILE: &str = "docker-bake.json";
/// In an image's folder: what COPY sees, and what it was made of.
const CONTEXT: &str = "context";
const STAGED: &str = "staged";

/// What is to become of the images.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    /// Where they are pushed.
    pub(crate) push: Option<Address>,
    /// Whether this machine's Docker gets them.
    pub(crate) load: bool,
    /// The folder that gets them as archives.
    pub(crate) archives: Option<Utf8PathBuf>,
    /// Where layers are kept between builders.
    pub(crate) cache: Option<Address>,
    /// Secrets, as buildx wants to be told.
    pub(crate) secrets: Vec<String>,
}

impl Wish {
    /// What an image is called where it goes.
    pub(crate) fn tag(&self, reference: &ImageRef) -> String {
        self.push.as_ref().map_or_else(|| reference.to_string(), |prefix| format!("{prefix}/{reference}"))
    }

    /// Where the archive of an image is written.
    pub(crate) fn archive(&self, image: &Image) -> Option<Utf8PathBuf> {
        self.archives.as_ref().map(|folder| folder.join(format!("{}.tar", image.reference.file_name())))
    }

    fn output(&self, image: &Image) -> Vec<Output> {
        let mut outputs = Vec::new();
        outputs.extend(self.push.as_ref().map(|_| Output::Push));
        outputs.extend(self.load.then_some(Output::Load));
        outputs.extend(self.archive(image).map(|path| Output::OciArchive(path.into_string())));
        if outputs.is_empty() {
            outputs.push(Output::Cache);
        }
        outputs
    }
}

/// The name of an image's target.
pub(crate) fn target_of(reference: &ImageRef) -> String {
    target_name(&reference.to_string())
}

/// The bake file of these images. What they stand on must be among them.
pub(crate) fn file(stager: &Stager<'_>, images: &[&Image], wish: &Wish) -> Result<File> {
    let mut file = File::default();
    let mut known: BTreeMap<String, &ImageRef> = BTreeMap::new();
    for image in images {
        let name = target_of(&image.reference);
        if let Some(other) = known.insert(name.clone(), &image.reference) {
            let (one, other) = (other.to_string(), image.reference.to_string());
            return Err(bake::Error::SameTarget { one, other, target: name }.into());
        }
        file.targets.insert(name, target(stager, image, wish)?);
    }
    Ok(file)
}

fn target(stager: &Stager<'_>, image: &Image, wish: &Wish) -> Result<Target> {
    let table = &stager.locked.catalog().table;
    let name = target_of(&image.reference);
    let mut args = image.args.clone();
    // BuildKit takes this time for the configuration and the history.
    args.insert("SOURCE_DATE_EPOCH".to_owned(), table.epoch.to_string());
    // A Dockerfile says `FROM ${PARENT}`: the argument gives the name, and the context says what has it.
    args.extend(image.parents.iter().map(|(arg, parent)| (arg.clone(), parent.to_string())));
    let parents = image.parents.values();
    let contexts = parents.map(|parent| (parent.to_string(), format!("target:{}", target_of(parent)))).collect();
    let mut labels = stager.labels(image);
    labels.extend(stager.compile_labels(image)?);
    let cache =
        |prefix: &Address| format!("type=registry,ref={prefix}/{}:cache-{}", image.reference.name, image.reference.tag);
    let cache: Vec<String> = wish.cache.iter().map(cache).collect();
    Ok(Target {
        context: format!("{name}/{CONTEXT}"),
        dockerfile: "../Dockerfile".to_owned(),
        target: image.target.clone(),
        args,
        contexts,
        labels,
        tags: image.references().map(|reference| wish.tag(reference)).collect(),
        platforms: vec![stager.platform.to_string()],
        network: (!image.network).then(|| "none".to_owned()),
        cache_to: cache.iter().map(|cache| format!("{cache},mode=max")).collect(),
        cache_from: cache,
        secret: wish.secrets.clone(),
        attest: vec!["type=provenance,disabled=true".to_owned(), "type=sbom,disabled=true".to_owned()],
        output: wish.output(image).iter().map(Output::text).collect(),
    })
}

/// Writes what the bake file names: the contexts of these images, but for those that are there as they should be. All
/// artifacts must be in the store, and the folder be locked.
pub(crate) fn stage(stager: &Stager<'_>, images: &[&Image], folder: &Utf8Path, board: &Board) -> Result<()> {
    for entry in folder.read_dir_utf8().with_context(|| format!("reading {folder}"))? {
        let entry = entry.with_context(|| format!("reading {folder}"))?;
        if entry.file_name().starts_with(NEW) {
            fs::remove_dir_all(entry.path())
                .with_context(|| format!("removing {}, which a killed run left", entry.path()))?;
        }
    }
    let needs = vec![Vec::new(); images.len()];
    let outcomes = schedule::run(&needs, schedule::processors(), &stager.machine.cancel, |index| {
        stage_one(stager, images[index], folder, board).with_context(|| format!("staging {}", images[index].reference))
    });
    for outcome in outcomes {
        match outcome {
            Outcome::Done(()) => {}
            Outcome::Failed(error) => return Err(error),
            _ => bail!("interrupted"),
        }
    }
    Ok(())
}

/// How the names of folders begin that are not whole yet.
const NEW: &str = ".new-";

fn stage_one(stager: &Stager<'_>, image: &Image, folder: &Utf8Path, board: &Board) -> Result<()> {
    let place = folder.join(target_of(&image.reference));
    let identity = stager.inputs(image)?.fingerprint().to_string();
    let staged = place.join(STAGED);
    if fs::read_to_string(&staged).is_ok_and(|found| found == identity) {
        return Ok(());
    }
    let step = board.step(&image.reference.to_string(), "staging");
    let context = stager.context(image, |what| step.now(what))?;
    step.now("writing");
    let new =
        tempfile::Builder::new().prefix(NEW).tempdir_in(folder).with_context(|| format!("writing in {folder}"))?;
    let new = Utf8PathBuf::try_from(new.keep())?;
    assemble::context::materialize(&context, &new.join(CONTEXT), stager.locked.catalog().table.epoch)?;
    let dockerfile = stager.workspace.path(&image.dockerfile);
    fs::copy(&dockerfile, new.join("Dockerfile")).with_context(|| format!("copying {dockerfile}"))?;
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| format!("removing {place}"))?;
    }
    fs::rename(&new, &place).with_context(|| format!("making {place}"))?;
    // Last, so that it is there only beside what it speaks of.
    blob::write(&staged, identity.as_bytes()).with_context(|| format!("writing {staged}"))?;
    step.end("staged");
    Ok(())
}
