//! The folder of one compile: the source, and what the builder image is given of this machine.
//!
//! It is made anew for each compile, so nothing in it outlives one that was broken off. Maven's repository lies beside it
//! and is kept: Maven gives a file its name when it has it whole, and refuses one whose checksum does not match.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
};

use anyhow::{Context as _, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use checkout::inputs::SCRIPT;
use maven::settings::{self, Proxy, Repository, Settings};
use registries::Endpoint;
use sandbox::Mount;
use spark_source::archive;

use super::Wanted;
use crate::{machine::location, session::Session};

/// Where a compile sees its folders.
const SPARK: &str = "/compile/spark";
const IN: &str = "/compile/in";
const REPOSITORY: &str = "/compile/m2";
/// Maven's settings; they may hold passwords.
const SETTINGS: &str = "settings.xml";

/// Maven's repository in the folder of all compiles.
pub(super) fn repository(root: &Utf8Path) -> Utf8PathBuf {
    root.join("m2")
}

/// The folder of one compile.
pub(super) struct Work {
    folder: Utf8PathBuf,
    repository: Utf8PathBuf,
}

impl Work {
    /// Lays out the source and all else that the compile is given. `root` is the folder of all compiles of this store.
    pub(super) fn prepare(session: &Session, wanted: &Wanted<'_>, root: &Utf8Path) -> Result<Self> {
        let work = Self { folder: root.join("work"), repository: repository(root) };
        work.remove()?;
        for leftover in leftovers(root)? {
            sandbox::remove_tree(&leftover).with_context(|| format!("removing {leftover}"))?;
        }
        // Its settings may hold passwords.
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for folder in [&work.folder, &work.given(), &work.given().join("patches"), &work.repository] {
            builder.create(folder).with_context(|| format!("making {folder}"))?;
        }
        work.source(session, wanted)?;
        for patch in &wanted.patches {
            work.give(&format!("patches/{}", patch.name()), &patch.text, 0o644)?;
        }
        let script = fs::read(session.workspace.path(SCRIPT)).with_context(|| format!("reading {SCRIPT}"))?;
        work.give("compile.sh", &script, 0o755)?;
        let settings = maven_settings(session)?;
        work.give(SETTINGS, settings::render(&settings).as_bytes(), 0o600)?;
        work.give("truststore.jks", &truststore(session)?, 0o644)?;
        Ok(work)
    }

    /// The source tree.
    pub(super) fn tree(&self) -> Utf8PathBuf {
        self.folder.join("spark")
    }

    /// The distribution that the compile makes.
    pub(super) fn dist(&self) -> Utf8PathBuf {
        self.tree().join("dist")
    }

    /// Maven's repository.
    pub(super) fn repository(&self) -> &Utf8Path {
        &self.repository
    }

    fn given(&self) -> Utf8PathBuf {
        self.folder.join("in")
    }

    /// What a box sees of this.
    pub(super) fn mounts(&self) -> Vec<Mount> {
        let bind = |source, target: &str, read_only| Mount::Bind { source, target: target.into(), read_only };
        vec![
            bind(self.tree(), SPARK, false),
            bind(self.given(), IN, true),
            bind(self.repository.clone(), REPOSITORY, false),
        ]
    }

    /// The command that compiles, without Maven's arguments.
    pub(super) fn command() -> String {
        format!("{IN}/compile.sh")
    }

    /// Removes all but Maven's repository.
    pub(super) fn remove(&self) -> Result<()> {
        sandbox::remove_tree(&self.folder).with_context(|| format!("removing {}", self.folder))
    }

    fn source(&self, session: &Session, wanted: &Wanted<'_>) -> Result<()> {
        let cancel = &session.machine.cancel;
        let step = session.board.step(&format!("Spark {}", wanted.version), "laying out the source");
        let progress = |_bytes: u64| {};
        match (wanted.tree, wanted.archive) {
            (Some(source), _) => {
                let copied = source.tree.copy_to(&self.tree(), cancel, &progress)?;
                if source.digest().is_some_and(|digest| digest != copied.digest) {
                    bail!("{} was changed after this run had begun\nrun the command again", source.tree.root());
                }
            }
            (None, Some(archive)) => {
                let path = session.stager().path(archive)?;
                archive::unpack(&path, &archive.sha256, &self.tree(), cancel, &progress)?;
            }
            (None, None) => bail!("docker/versions.lock has no archive of Spark {}", wanted.version),
        }
        drop(step);
        Ok(())
    }

    fn give(&self, name: &str, bytes: &[u8], mode: u32) -> Result<()> {
        let path = self.given().join(name);
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
            file.write_all(bytes)?;
            file.set_permissions(fs::Permissions::from_mode(mode))
        };
        write().with_context(|| format!("writing {path}"))
    }
}

/// Credentials do not outlive the compile, however it ends.
impl Drop for Work {
    fn drop(&mut self) {
        // What a killed run leaves lies where only its user can read, and goes with the next compile.
        let _ = fs::remove_file(self.given().join(SETTINGS));
    }
}

/// What a killed run may have left beside the folder of a compile. Whoever asks holds the lock of all compiles.
fn leftovers(root: &Utf8Path) -> Result<Vec<Utf8PathBuf>> {
    let mut leftovers = Vec::new();
    for entry in root.read_dir_utf8().with_context(|| format!("reading {root}"))? {
        let entry = entry.with_context(|| format!("reading {root}"))?;
        if entry.file_name().starts_with(super::vendor::PENDING) {
            leftovers.push(entry.into_path());
        }
    }
    Ok(leftovers)
}

/// Maven's settings: the registries of this machine, in their order, with their credentials and proxies.
fn maven_settings(session: &Session) -> Result<Settings> {
    let machine = &session.machine;
    let repository = |endpoint: &Endpoint| -> Result<Repository> {
        let proxy = machine.http.proxy_of(&location(endpoint, ""))?;
        Ok(Repository {
            name: endpoint.id.clone(),
            url: endpoint.url.clone(),
            auth: endpoint.auth.clone(),
            proxy: proxy.map(|url| Proxy::parse(&url)).transpose()?,
        })
    };
    Ok(Settings {
        repositories: machine.registries.maven.iter().map(repository).collect::<Result<_>>()?,
        local_repository: Some(REPOSITORY.to_owned()),
        offline: machine.http.is_offline(),
    })
}

/// The authorities that this machine trusts, for Java: a company's proxy is trusted here, and the builder image does not
/// know it.
fn truststore(session: &Session) -> Result<Vec<u8>> {
    let authorities = session.machine.http.authorities()?;
    let named = authorities.iter().enumerate().map(|(n, der)| (format!("authority-{n:04}"), der.as_slice()));
    Ok(debian::rootfs::keystore(named, 0))
}
