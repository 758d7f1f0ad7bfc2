//! What the machine will make of the files once they are written: discovery on copies of them, and one question to each
//! registry.

use std::fs;

use anyhow::{Context as _, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use registries::{ExtraCa, Kind, Registries};
use store::{Http, HttpOptions};

use super::{Changes, Wish, netrc};
use crate::{
    doctor::{
        explain,
        reach::{self, Answer, Samples},
    },
    machine,
    workspace::Workspace,
};

/// The machine as it will be.
pub(crate) struct Preview<'a> {
    changes: &'a Changes,
    wish: &'a Wish,
    registries: Registries,
    /// Where the copy of the user's file lies, as places are shown.
    ours: String,
    _folder: tempfile::TempDir,
}

impl<'a> Preview<'a> {
    /// Discovers the registries on copies of the changed files.
    ///
    /// # Errors
    /// The new file would not be understood.
    pub(crate) fn of(
        machine: &registries::Machine,
        changes: &'a Changes,
        wish: &'a Wish,
        suites: &[String],
    ) -> Result<Self> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let config = Utf8PathBuf::try_from(folder.path().to_path_buf())?;
        let mut future = machine.clone();
        future.env.insert("XDG_CONFIG_HOME".to_owned(), config.to_string());
        let ours = future.user_registries().context("there is no home folder")?;
        let write = |path: &Utf8Path, text: &str| -> Result<()> {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            fs::write(path, text).with_context(|| format!("writing {path}"))
        };
        write(&ours, &changes.registries.new)?;
        if let Some(netrc) = &changes.netrc {
            // The folder is the user's alone, and gone when this ends.
            let copy = config.join("netrc");
            write(&copy, &netrc.new)?;
            future.env.insert("NETRC".to_owned(), copy.to_string());
        }
        let registries = registries::discover(&future, &[], suites);
        let preview = Self { changes, wish, registries, ours: ours.to_string(), _folder: folder };
        // What is wrong with the file is wrong with the copy.
        let extra_ca = preview.registries.extra_ca.iter().map(ExtraCa::read).collect::<Result<Vec<_>, _>>()?;
        for (path, pem) in &extra_ca {
            let one = [(path.clone(), pem.clone())];
            Http::new(machine::quick(&one, true)).with_context(|| format!("reading the CA {path}"))?;
        }
        let problems = preview.registries.require(&Kind::ALL).err().into_iter().flat_map(|missing| missing.kinds);
        let problems = problems.filter_map(|missing| missing.problem);
        if let Some(problem) = problems.into_iter().find(|problem| problem.contains(&preview.ours)) {
            bail!("{}", preview.named(&problem));
        }
        Ok(preview)
    }

    /// A text in which the file has its own name.
    fn named(&self, text: &str) -> String {
        text.replace(&self.ours, self.changes.registries.path.as_str())
    }

    /// What the user should know before it is written.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self
            .registries
            .warnings
            .iter()
            .filter(|warning| warning.contains(&self.ours))
            .map(|warning| self.named(warning))
            .collect();
        for &kind in self.wish.registries.keys() {
            let stands = reach::endpoints(&self.registries).find(|(of, ..)| *of == kind);
            if let Some((_, _, endpoint, _)) = stands
                && !endpoint.found_in.starts_with(&self.ours)
            {
                warnings.push(format!(
                    "{kind}: {} goes before this file and names {}; take it away, or this file says nothing for {kind}",
                    endpoint.found_in, endpoint.url
                ));
            }
        }
        warnings
    }

    /// Asks each registry that is named for something. What each said; one that does not answer is an error.
    ///
    /// # Errors
    /// A registry does not answer.
    pub(crate) fn check(&self, workspace: &Workspace) -> Result<Vec<String>> {
        let extra_ca = self.registries.extra_ca.iter().map(ExtraCa::read).collect::<Result<Vec<_>, _>>()?;
        let http = Http::new(HttpOptions { cancel: crate::interrupt::flag()?, ..machine::quick(&extra_ca, false) })?;
        let lock = workspace.lock()?;
        let samples = Samples::of(lock.artifacts.keys());
        let (mut said, mut failures) = (Vec::new(), Vec::new());
        for (kind, _, endpoint, suite) in reach::endpoints(&self.registries) {
            if !self.wish.registries.contains_key(&kind) || !endpoint.found_in.starts_with(&self.ours) {
                continue;
            }
            let url = &endpoint.url;
            match reach::one(&http, kind, endpoint, suite, &samples).0 {
                Answer::Serves => said.push(format!("answers   {kind} {url}")),
                Answer::Lacks(status) => said.push(format!(
                    "answers   {kind} {url}, with {status} for something that it should have: is this the address of the {}?",
                    reach::place(kind)
                )),
                Answer::Refuses(status) => {
                    let remedy = explain::refused(kind, endpoint, status);
                    said.push(format!("refuses   {kind} {url} ({status})\n          {}", self.named(&remedy)));
                }
                Answer::Fails(error) => {
                    failures.push(format!("{kind} {url}: {error}\n  {}", explain::failed(kind, endpoint, &error)));
                }
            }
        }
        if !failures.is_empty() {
            bail!(
                "nothing was written: a registry does not answer\n{}\nto write it without asking: --offline",
                failures.join("\n")
            );
        }
        Ok(said)
    }

    /// The lines that are put into the file of credentials, without the passwords.
    pub(crate) fn logins(&self) -> Vec<String> {
        netrc::shown(&self.wish.logins)
    }
}
