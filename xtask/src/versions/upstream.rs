//! What belongs to a Spark version: looked up in its POMs, never guessed.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use anyhow::{Context as _, Error, Result, bail};
use catalog::{Coordinate, Lock, Lookup, Maven, Place, Table};
use maven::{pom::Pom, shims::known};
use registries::Kind;

use super::version::Version;
use crate::{jar, machine::Machine, resolve::index::SimpleIndex};

/// The largest POM that is read: Spark's own has some 140 kB.
const LARGEST_POM: u64 = 4 << 20;

/// The registries of this machine, asked about versions of Spark. Each file is asked for once.
pub(super) struct Upstream<'a> {
    machine: &'a Machine,
    table: &'a Table,
    lock: &'a Lock,
    poms: RefCell<BTreeMap<Maven, Option<Rc<Pom>>>>,
}

/// A version of Spark with the Scala that it is built for.
#[derive(Clone, Copy)]
pub(super) struct Release<'a> {
    pub(super) version: Version,
    pub(super) scala: &'a str,
}

/// What was found, or why nothing was.
pub(super) type Looked = std::result::Result<Found, String>;

/// What a POM says of two versions.
pub(super) struct Found {
    /// The place, as a person would name it.
    pub(super) place: String,
    /// What it says of the version that is there; nothing where no registry has that POM.
    pub(super) old: Option<String>,
    /// What it says of the version that is added.
    pub(super) new: String,
}

impl<'a> Upstream<'a> {
    /// # Errors
    /// No registry is known.
    pub(super) fn new(machine: &'a Machine, table: &'a Table, lock: &'a Lock) -> Result<Self> {
        machine.registries.require(&[Kind::Maven, Kind::Pypi])?;
        Ok(Self { machine, table, lock, poms: RefCell::default() })
    }

    /// What the first of these places that says anything of `new` says, or why none does. A place whose POM no registry has
    /// ends it: what it says there is what nobody here knows.
    ///
    /// # Errors
    /// A registry does not answer, or what it gives is no POM.
    pub(super) fn look(&self, places: &[Lookup], old: Release<'_>, new: Release<'_>) -> Result<Looked> {
        let mut why = "nothing in [lookup] says where to look for it".to_owned();
        for place in places {
            let (pom, name) = self.read(place, new)?;
            let Some(says) = pom else { return Ok(Err(format!("no registry has {name}"))) };
            if let Some(new) = says {
                let old = self.read(place, old)?.0.flatten();
                let (Place::Property(what) | Place::Dependency(what)) = &place.place;
                return Ok(Ok(Found { place: format!("{what} in {name}"), old, new }));
            }
            why = format!("{name} does not say it");
        }
        Ok(Err(why))
    }

    /// What a POM says of a release, nothing if it does not, and nothing at all if no registry has it; and its name.
    fn read(&self, lookup: &Lookup, release: Release<'_>) -> Result<(Option<Option<String>>, String)> {
        let maven = Maven { extension: "pom".into(), ..self.coordinates(&lookup.pom, release)? };
        let says = self.pom(&maven)?.map(|pom| match &lookup.place {
            Place::Property(name) => pom.property(name),
            Place::Dependency(name) => pom.dependency(name),
        });
        Ok((says, format!("the POM of {}:{}", maven.artifact, maven.version)))
    }

    fn coordinates(&self, template: &str, release: Release<'_>) -> Result<Maven> {
        Ok(self.filled(template, release)?.parse()?)
    }

    fn pom(&self, maven: &Maven) -> Result<Option<Rc<Pom>>> {
        if let Some(known) = self.poms.borrow().get(maven) {
            return Ok(known.clone());
        }
        let mut found = None;
        for place in self.machine.maven(maven) {
            let looking = || format!("looking for the POM {maven}\nto go on without the registries: --offline");
            if let Some(small) = self.machine.http.get_small(&place, LARGEST_POM).with_context(looking)? {
                let text = String::from_utf8_lossy(&small.bytes);
                found = Some(Rc::new(Pom::parse(&text).with_context(|| format!("reading the POM {maven}"))?));
                break;
            }
        }
        self.poms.borrow_mut().insert(maven.clone(), found.clone());
        Ok(found)
    }

    /// Makes sure that a registry knows this version: its Python source distribution, or a POM of it.
    ///
    /// # Errors
    /// None does; one does not answer.
    pub(super) fn must_know(&self, version: Version, scalas: &[&str]) -> Result<()> {
        let page = SimpleIndex::new(self.machine).page(&"pyspark".parse()?)?;
        let released = |file: &str| file.strip_prefix("pyspark-")?.strip_suffix(".tar.gz")?.parse::<Version>().ok();
        let mut known: Vec<Version> = page.iter().filter_map(|offered| released(&offered.file.filename)).collect();
        if known.contains(&version) {
            return Ok(());
        }
        for lookup in self.table.lookups.values().flatten().filter(|lookup| lookup.pom.contains("{spark}")) {
            for &scala in scalas {
                let maven = self.coordinates(&lookup.pom, Release { version, scala })?;
                if self.pom(&Maven { extension: "pom".into(), ..maven })?.is_some() {
                    return Ok(());
                }
            }
        }
        known.sort();
        known.dedup();
        let of_line: Vec<String> =
            known.iter().filter(|known| known.is_of_line(version)).map(ToString::to_string).collect();
        let there = match (of_line.as_slice(), known.last()) {
            ([], Some(newest)) => {
                format!("no release of line {} is there; the newest of all is {newest}", version.line())
            }
            ([], None) => "the index has no release of pyspark at all".to_owned(),
            _ => format!("releases of its line that are there: {}", of_line.join(", ")),
        };
        bail!("no registry of this machine knows Spark {version}: neither pyspark {version} nor a POM of it\n{there}")
    }

    /// A plugin's jar, a template, and the versions of Spark that it knows by these files; nothing where no registry has the
    /// jar, or gives parts of it.
    ///
    /// # Errors
    /// A registry does not answer; what it has is no jar.
    pub(super) fn shims(
        &self,
        jar: &str,
        files: &str,
        release: Release<'_>,
    ) -> Result<(Maven, Option<BTreeSet<String>>)> {
        let maven = self.coordinates(jar, release)?;
        let locked = self.lock.artifacts.get(&Coordinate::Maven(maven.clone()));
        let names = jar::names(self.machine, &maven, locked)?;
        Ok((maven, names.map(|names| known(names.iter().map(String::as_str), files))))
    }

    fn filled(&self, template: &str, release: Release<'_>) -> Result<String> {
        self.table.fill(template, &release.version.to_string(), release.scala).map_err(Error::msg)
    }
}
