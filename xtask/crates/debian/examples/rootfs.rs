//! Makes a root file system from a recipe and a folder of `.deb` files, for `ci/compare-base.sh` and for trying things:
//! `rootfs RECIPE EPOCH FOLDER OUT [NAME=CERTIFICATES.pem...]`

use std::{error::Error, fs, io::Write};

use blob::hash_reader;
use camino::{Utf8Path, Utf8PathBuf};
use debian::{
    deb::Deb,
    rootfs::{self, Authority, Inputs},
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [recipe, epoch, folder, out, authorities @ ..] = arguments.as_slice() else {
        return Err("usage: rootfs RECIPE EPOCH FOLDER OUT [NAME=CERTIFICATES.pem...]".into());
    };
    let recipe = toml::from_str(&fs::read_to_string(recipe)?)?;
    let mut debs = Vec::new();
    for entry in Utf8Path::new(folder).read_dir_utf8()? {
        let path: Utf8PathBuf = entry?.into_path();
        if path.extension() == Some("deb") {
            let digest = hash_reader(fs::File::open(&path)?)?.0;
            debs.push(Deb { path, digest });
        }
    }
    let mut read = Vec::new();
    for argument in authorities {
        let (name, file) = argument.split_once('=').ok_or("expected NAME=CERTIFICATES.pem")?;
        read.push(Authority { name: name.to_owned(), pem: fs::read(file)? });
    }
    let inputs = Inputs { debs: &debs, recipe: &recipe, authorities: &read, epoch: epoch.parse()? };
    let mut file = fs::File::create(out)?;
    let summary = rootfs::write(&inputs, &mut file)?;
    file.flush()?;
    println!("{} packages, {} entries, {}", summary.packages.len(), summary.entries, summary.architecture);
    Ok(())
}
