//! The packages of a root file system, and what is learnt of them while their files pass.

use std::collections::{BTreeMap, BTreeSet};

use super::{RootfsError, writer::Meta};
use crate::deb::{self, Control, Deb};

/// A package while it is being written.
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) control: Control,
    /// The paths of the package that are there, as it calls them, in its order, absolute.
    pub(super) list: Vec<String>,
    /// Paths, relative to the root, of what the recipe leaves out or makes otherwise.
    pub(super) left_out: BTreeSet<String>,
    /// The configuration files that the package declares, absolute, with the MD5 sums of those that were written.
    pub(super) conffiles: BTreeMap<String, Option<String>>,
    /// Files that lost their set-user-id or set-group-id bit: absolute path and what is left.
    pub(super) stripped: Vec<(String, Meta)>,
}

impl Package {
    fn new(deb: &Deb) -> Result<Self, RootfsError> {
        let control = deb::read_control(&deb.path)?;
        let field = |field| {
            let value = control.stanza().get(field).map(str::to_owned);
            value.ok_or_else(|| RootfsError::Field { package: deb.path.to_string(), field })
        };
        let (name, version) = (field("Package")?, field("Version")?);
        field("Architecture")?;
        // A line may also begin with a word, for a file that an upgrade removes; such a file is not in the package.
        let conffiles = control.file_text("conffiles").unwrap_or_default().lines().map(str::trim);
        let conffiles = conffiles.filter(|line| line.starts_with('/')).map(|path| (path.to_owned(), None)).collect();
        let (list, left_out, stripped) = Default::default();
        Ok(Self { name, version, control, list, left_out, conffiles, stripped })
    }

    pub(super) fn architecture(&self) -> &str {
        self.control.stanza().get("Architecture").unwrap_or_default()
    }

    /// The name by which dpkg's database calls the package: with its architecture if several may be installed.
    pub(super) fn database_name(&self) -> String {
        match self.control.stanza().get("Multi-Arch") {
            Some("same") => format!("{}:{}", self.name, self.architecture()),
            _ => self.name.clone(),
        }
    }
}

/// The packages by name, and their files in the same order.
pub(super) fn read_all(debs: &[Deb]) -> Result<(Vec<Package>, Vec<&Deb>), RootfsError> {
    let mut sorted = BTreeMap::new();
    for deb in debs {
        let package = Package::new(deb)?;
        let name = package.name.clone();
        if sorted.insert(name.clone(), (package, deb)).is_some() {
            return Err(RootfsError::Twice(name));
        }
    }
    Ok(sorted.into_values().unzip())
}

/// The one architecture of the packages that are made for one.
pub(super) fn architecture(packages: &[Package]) -> Result<String, RootfsError> {
    let mut found: BTreeSet<_> = packages.iter().map(|package| package.architecture().to_owned()).collect();
    if found.len() > 1 {
        found.remove("all");
    }
    match found.len() {
        1 => Ok(found.pop_first().unwrap_or_default()),
        _ => Err(RootfsError::Architectures(found)),
    }
}
