//! A project as a target sees it: which versions have a wheel that fits, and why the others have none.

use std::collections::{BTreeMap, btree_map::Entry};

use pep440_rs::{Version, VersionSpecifiers};
use pubgrub::Ranges;

use crate::{
    name::PackageName,
    simple::IndexFile,
    wheel::{Tags, Target, WheelName},
};

/// The versions of a project on the index.
#[derive(Debug)]
pub(super) struct Project {
    usable: BTreeMap<Version, Release>,
    unusable: BTreeMap<Version, String>,
}

/// A version with at least one wheel that fits.
#[derive(Debug)]
struct Release {
    /// The wheels that fit, the best first.
    wheels: Vec<IndexFile>,
    /// The reason, if all of them were yanked.
    yanked: Option<String>,
}

/// How well a wheel fits: tags (less is better), then the build tag and the file name, so that the choice is one.
type Fit = (usize, std::cmp::Reverse<Option<(u64, String)>>, String);

impl Project {
    /// Sorts the files of the page of `name`.
    pub(super) fn new(name: &PackageName, files: Vec<IndexFile>, target: &Target, tags: &Tags) -> Self {
        let mut fitting: BTreeMap<Version, Vec<(Fit, IndexFile)>> = BTreeMap::new();
        let mut unusable = BTreeMap::new();
        for file in files {
            let Ok(wheel) = file.filename.parse::<WheelName>() else {
                if let Some(version) = version_of_source(&file.filename, name) {
                    unusable.entry(version).or_insert_with(|| "has no wheel".to_owned());
                }
                continue;
            };
            if wheel.name != *name {
                continue;
            }
            match (tags.rank(&wheel), wants_other_python(&file, target)) {
                (Some(rank), None) => {
                    let fit = (rank, std::cmp::Reverse(wheel.build), file.filename.clone());
                    fitting.entry(wheel.version).or_default().push((fit, file));
                }
                (Some(_), Some(specifiers)) => {
                    drop(unusable.insert(wheel.version, format!("needs Python {specifiers}")))
                }
                (None, _) => match unusable.entry(wheel.version) {
                    Entry::Occupied(mut why) if why.get() == "has no wheel" => {
                        why.insert("has no wheel for this Python and system".to_owned());
                    }
                    Entry::Occupied(_) => {}
                    Entry::Vacant(why) => drop(why.insert("has no wheel for this Python and system".to_owned())),
                },
            }
        }
        unusable.retain(|version, _| !fitting.contains_key(version));
        let usable = fitting.into_iter().map(|(version, wheels)| (version, Release::new(wheels))).collect();
        Self { usable, unusable }
    }

    /// The version to take of those in `range`: `held` if it still can be had, else the newest.
    pub(super) fn choose(
        &self,
        range: &Ranges<Version>,
        held: Option<&Version>,
        pre_releases: bool,
    ) -> Option<&Version> {
        if let Some((version, _)) = held.and_then(|held| self.usable.get_key_value(held))
            && range.contains(version)
        {
            return Some(version);
        }
        let pre_releases = pre_releases || self.usable.keys().all(Version::any_prerelease);
        let mut inside = self
            .usable
            .iter()
            .rev()
            .filter(|(version, _)| range.contains(*version) && (pre_releases || !version.any_prerelease()));
        if let Some((version, _)) = inside.clone().find(|(_, release)| release.yanked.is_none()) {
            return Some(version);
        }
        // A yanked version is taken by those who name it and nothing else (PEP 592).
        match (inside.next(), inside.next()) {
            (Some((version, _)), None) => Some(version),
            _ => None,
        }
    }

    /// What there is, for who looks for newer versions.
    pub(super) fn releases(self) -> super::Releases {
        let mut releases = super::Releases { usable: Vec::new(), unusable: self.unusable };
        let all_pre = self.usable.keys().all(Version::any_prerelease);
        for (version, release) in self.usable {
            match release.yanked {
                Some(why) => drop(releases.unusable.insert(version, format!("was yanked: {why}"))),
                None if version.any_prerelease() && !all_pre => {}
                None => releases.usable.push(version),
            }
        }
        releases.unusable.retain(|version, _| all_pre || !version.any_prerelease());
        releases
    }

    /// How many usable versions lie in `range`.
    pub(super) fn count(&self, range: &Ranges<Version>) -> usize {
        self.usable.keys().filter(|version| range.contains(*version)).count()
    }

    /// The wheel of `version`: the one of the name `held` if it is still there, else the best.
    pub(super) fn wheel(&self, version: &Version, held: Option<&str>) -> Option<&IndexFile> {
        let wheels = &self.usable.get(version)?.wheels;
        wheels.iter().find(|file| Some(&*file.filename) == held).or(wheels.first())
    }

    /// Why nothing in `range` can be had of this project, whose name is `name`.
    pub(super) fn why_none(&self, name: &PackageName, range: &Ranges<Version>) -> String {
        const SHOWN: usize = 3;
        let newest: Vec<String> = self.usable.keys().rev().take(SHOWN).map(ToString::to_string).collect();
        let mut text = match newest.as_slice() {
            [] => format!("no version of {name} on the index can be used"),
            newest => format!("no version of {name} will do, the newest that can be used being {}", newest.join(", ")),
        };
        let yanked = self
            .usable
            .iter()
            .filter_map(|(version, release)| Some((version, format!("was yanked: {}", release.yanked.as_ref()?))));
        let unusable = self.unusable.iter().map(|(version, why)| (version, why.clone()));
        let wanted: BTreeMap<_, _> = yanked.chain(unusable).filter(|(version, _)| range.contains(*version)).collect();
        for (version, why) in wanted.iter().rev().take(SHOWN) {
            text.push_str(&format!("; {version} {why}"));
        }
        text
    }
}

impl Release {
    fn new(mut wheels: Vec<(Fit, IndexFile)>) -> Self {
        wheels.sort_by(|(one, _), (other, _)| one.cmp(other));
        let wheels: Vec<IndexFile> = wheels.into_iter().map(|(_, file)| file).collect();
        let yanked = wheels.iter().all(|file| file.yanked.is_some()).then(|| wheels[0].yanked.clone());
        // Files of one release are yanked one by one: those that were not come first.
        let (kept, gone): (Vec<_>, Vec<_>) = wheels.into_iter().partition(|file| file.yanked.is_none());
        Self { wheels: kept.into_iter().chain(gone).collect(), yanked: yanked.flatten() }
    }
}

/// The Pythons that the file asks for, if the target is not among them. What cannot be read asks for nothing, as in pip.
fn wants_other_python(file: &IndexFile, target: &Target) -> Option<VersionSpecifiers> {
    let (major, minor, patch) = target.python;
    let specifiers: VersionSpecifiers = file.requires_python.as_ref()?.parse().ok()?;
    (!specifiers.contains(&Version::new([major, minor, patch]))).then_some(specifiers)
}

/// The version of a source archive of this project.
fn version_of_source(filename: &str, name: &PackageName) -> Option<Version> {
    let stem = [".tar.gz", ".zip", ".tar.bz2"].iter().find_map(|suffix| filename.strip_suffix(suffix))?;
    let (project, version) = stem.rsplit_once('-')?;
    (project.parse::<PackageName>().ok()? == *name).then(|| version.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{simple::CoreMetadata, wheel::Arch};

    fn file(filename: &str) -> IndexFile {
        IndexFile {
            filename: filename.to_owned(),
            url: format!("https://files.example/{filename}"),
            sha256: None,
            size: None,
            requires_python: None,
            yanked: None,
            metadata: CoreMetadata::Absent,
        }
    }

    fn project(files: Vec<IndexFile>) -> Project {
        let target = Target { python: (3, 11, 2), arch: Arch::X86_64, glibc: (2, 36) };
        Project::new(&"foo".parse().unwrap(), files, &target, &Tags::of(&target))
    }

    fn choose(project: &Project, specifiers: &str, held: Option<&str>) -> Option<String> {
        let held = held.map(|held| held.parse().unwrap());
        let range = super::super::ranges::of(&specifiers.parse().unwrap());
        project.choose(&range, held.as_ref(), specifiers.contains("rc")).map(ToString::to_string)
    }

    #[test]
    fn the_newest_release_is_chosen_or_the_held_one() {
        let files =
            ["0.9", "1.0", "1.10", "1.9", "2.0rc1"].map(|version| file(&format!("foo-{version}-py3-none-any.whl")));
        let project = project(files.into());
        assert_eq!(choose(&project, "", None).as_deref(), Some("1.10"));
        assert_eq!(choose(&project, "", Some("1.9")).as_deref(), Some("1.9"));
        assert_eq!(choose(&project, "<1.9", Some("1.9")).as_deref(), Some("1.0"));
        assert_eq!(choose(&project, "", Some("1.5")).as_deref(), Some("1.10"));
        assert_eq!(choose(&project, ">=2.0rc1", None).as_deref(), Some("2.0rc1"));
        assert_eq!(choose(&project, ">=2", None), None);
    }

    #[test]
    fn pre_releases_are_taken_where_there_is_nothing_else() {
        let project = project(vec![file("foo-0.1b1-py3-none-any.whl"), file("foo-0.1b2-py3-none-any.whl")]);
        assert_eq!(choose(&project, "", None).as_deref(), Some("0.1b2"));
    }

    #[test]
    fn the_best_wheel_is_chosen_or_the_held_one() {
        let names = [
            "foo-1-py3-none-any.whl",
            "foo-1-cp311-cp311-manylinux_2_17_x86_64.whl",
            "foo-1-1-cp311-cp311-manylinux_2_28_x86_64.whl",
            "foo-1-2-cp311-cp311-manylinux_2_28_x86_64.whl",
            "foo-1-cp312-cp312-manylinux_2_28_x86_64.whl",
        ];
        let mut files = names.map(file);
        let version = "1".parse().unwrap();
        let wheel = |files: &[IndexFile], held| project(files.to_vec()).wheel(&version, held).unwrap().filename.clone();
        assert_eq!(wheel(&files, None), names[3]);
        assert_eq!(wheel(&files, Some(names[0])), names[0]);
        assert_eq!(wheel(&files, Some(names[4])), names[3]);
        files[3].yanked = Some("broken".to_owned());
        assert_eq!(wheel(&files, None), names[2]);
    }

    #[test]
    fn a_yanked_release_is_for_those_who_name_it() {
        let mut files = ["1.0", "1.1", "1.2"].map(|version| file(&format!("foo-{version}-py3-none-any.whl")));
        files[1].yanked = Some("leaks".to_owned());
        files[2].yanked = Some(String::new());
        let project = project(files.into());
        assert_eq!(choose(&project, "", None).as_deref(), Some("1.0"));
        assert_eq!(choose(&project, "==1.1", None).as_deref(), Some("1.1"));
        assert_eq!(choose(&project, ">1", None), None);
        assert_eq!(choose(&project, ">1", Some("1.1")).as_deref(), Some("1.1"));
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let mut files = [
            "foo-1.0-py3-none-any.whl",
            "foo-2.0-py3-none-any.whl",
            "foo-3.0-cp312-cp312-win_amd64.whl",
            "foo-4.0.tar.gz",
            "foo-3.0.tar.gz",
            "bar-5.0-py3-none-any.whl",
            "nonsense",
        ]
        .map(file);
        files[1].requires_python = Some(">=3.12".to_owned());
        let project = project(files.into());
        assert_eq!(
            project.why_none(&"foo".parse().unwrap(), &Ranges::full()),
            "no version of foo will do, the newest that can be used being 1.0; 4.0 has no wheel; 3.0 has no wheel for this Python and system; \
             2.0 needs Python >=3.12"
        );
    }
}
