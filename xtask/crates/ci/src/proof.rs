//! What proves an image, as inputs that can be compared: its checks and jobs, and the files that these are.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use catalog::{Catalog, Inputs, Smoke};
use checkout::{Checkout, inputs::folder_files};

/// Where the files lie.
const FOLDER: &str = "docker/smoke";

/// The files of `docker/smoke`, each with its identity.
pub(crate) struct Proof {
    /// Jobs of images, by the name of the script.
    jobs: BTreeMap<String, (String, String)>,
    /// What every run uses, or may use.
    shared: Vec<(String, String)>,
}

impl Proof {
    /// Reads the files. There may be none.
    pub(crate) fn read(checkout: &Checkout, catalog: &Catalog) -> Result<Self> {
        let smokes = catalog.images().iter().flat_map(|image| [&image.smoke, &image.own_smoke]);
        let jobs: BTreeSet<&str> = smokes.flat_map(|smoke| &smoke.jobs).map(|job| script(job)).collect();
        let mut proof = Self { jobs: BTreeMap::new(), shared: Vec::new() };
        if !checkout.path(FOLDER).is_dir() {
            return Ok(proof);
        }
        for file in folder_files(checkout, FOLDER)? {
            let named = (format!("{FOLDER}/{}", file.relative), file.identity()?);
            match file.relative.strip_prefix("jobs/") {
                Some(job) if jobs.contains(job) => drop(proof.jobs.insert(job.to_owned(), named)),
                // Nothing reads the documents.
                _ if file.relative.ends_with(".md") => {}
                _ => proof.shared.push(named),
            }
        }
        Ok(proof)
    }

    /// What proves an image.
    pub(crate) fn of(&self, smoke: &Smoke) -> Inputs {
        let mut inputs = Inputs::default();
        if smoke == &Smoke::default() {
            return inputs;
        }
        let used = smoke.jobs.iter().filter_map(|job| self.jobs.get(script(job)));
        for (name, identity) in self.shared.iter().chain(used) {
            inputs.add(name, identity);
        }
        let lists = [
            ("check", &smoke.checks),
            ("job", &smoke.jobs),
            ("writable", &smoke.writable),
            ("readable", &smoke.readable),
        ];
        for (what, list) in lists {
            list.iter().for_each(|word| inputs.add(format!("[[smoke]] {what} {word}"), ""));
        }
        for (name, value) in &smoke.expect {
            inputs.add(format!("[[smoke]] expect {name}"), value);
        }
        inputs
    }
}

/// The file of a job, which may have arguments.
fn script(job: &str) -> &str {
    job.split(' ').next().unwrap_or(job)
}
