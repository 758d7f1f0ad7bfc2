//! Starts that would show the same twice: the same process over the same layers, with the same settings.
//!
//! An image may add nothing but labels or a tag to another one (`python-deps:...-base`). What was seen in the one holds in
//! the other; the report says where it was seen. A session with more checks answers for one with fewer.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result};
use assemble::oci::{Container, ImageConfig};
use blob::Digest;
use catalog::{Catalog, Smoke};

use super::{Case, Run, User, What};
use crate::{images::not_built, platform::oci, workspace::Workspace};

/// Which starts show the same, by their numbers.
pub(super) struct Twins {
    /// For every start the one that shows the same, or more: often itself.
    pub(super) first: Vec<usize>,
    /// The digest of the manifest of each start's image.
    digests: Vec<Digest>,
}

impl Twins {
    /// Finds them by what the images say of themselves; nothing is run or unpacked.
    ///
    /// # Errors
    /// An image is not built, or its documents cannot be read.
    pub(super) fn find(workspace: &Workspace, catalog: &Catalog, runs: &[Run<'_>]) -> Result<Self> {
        let layout = workspace.open_layout()?;
        let (mut digests, mut alike) = (Vec::new(), BTreeMap::<_, Vec<usize>>::new());
        for (index, run) in runs.iter().enumerate() {
            let (image, platform) = (run.target.image, run.target.platform);
            let found = layout
                .lookup_for(&image.reference.to_string(), &oci(platform))?
                .with_context(|| not_built(catalog, image, platform))?;
            let config = layout.documents(&found)?.1;
            alike.entry(shown(&run.what, run.user, &run.target.smoke, config)).or_default().push(index);
            digests.push(found.digest);
        }
        let mut first: Vec<usize> = (0..runs.len()).collect();
        for mut group in alike.into_values() {
            // Who is asked most comes first.
            group.sort_by_key(|index| Reverse(runs[*index].target.smoke.checks.len()));
            for (at, &index) in group.iter().enumerate() {
                let Run { what, target, .. } = &runs[index];
                let answers =
                    |other: &usize| first[*other] == *other && answers(what, &runs[*other].target.smoke, &target.smoke);
                first[index] = group[..at].iter().copied().find(answers).unwrap_or(index);
            }
        }
        Ok(Self { first, digests })
    }

    /// The cases of a start, from those of its first twin.
    pub(super) fn cases(&self, runs: &[Run<'_>], index: usize, cases: &[Case]) -> Vec<Case> {
        let (run, first) = (&runs[index], &runs[self.first[index]]);
        let (asked, more) = (&run.target.smoke.checks, &first.target.smoke.checks);
        let is_own = |case: &&Case| asked.contains(&case.name) || !more.contains(&case.name);
        let own = |case: &Case| {
            let again = case.again.strip_prefix(&first.target.again).unwrap_or_default();
            Case {
                image: run.target.label.clone(),
                again: format!("{}{again}", run.target.again),
                digest: case.digest.and(Some(self.digests[index])),
                run: run.title(),
                verdict: case.verdict.with(&format!(" (seen in {}, which holds the same)", first.target.label)),
                elapsed: Duration::ZERO,
                ..case.clone()
            }
        };
        if self.first[index] == index { cases.to_vec() } else { cases.iter().filter(is_own).map(own).collect() }
    }
}

/// Whether a start that is asked `one` shows all that another one, which is alike, is asked.
fn answers(what: &What, one: &Smoke, asked: &Smoke) -> bool {
    !matches!(what, What::Session)
        || asked.checks.iter().all(|check| one.checks.contains(check))
            && asked.expect.iter().all(|(key, value)| one.expect.get(key) == Some(value))
}

/// All that what a start shows depends on; of a session without what it is asked. Labels are not seen from inside of a
/// container.
fn shown(what: &What, user: User, smoke: &Smoke, config: ImageConfig) -> String {
    let Smoke { checks: _, writable, readable, expect, defaults, jobs: _ } = smoke;
    let asked = match what {
        What::Permissions => format!("{writable:?} {readable:?}"),
        What::Session => format!("{defaults:?}"),
        What::Job(job) => format!("{job} {expect:?} {defaults:?}"),
    };
    let container = Container { labels: BTreeMap::new(), ..config.config };
    format!("{what:?} {user:?} {asked} {container:?} {:?}", config.rootfs.diff_ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_alone_do_not_make_another_image() {
        let config: ImageConfig = serde_json::from_str(
            r#"{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}"#,
        )
        .unwrap();
        let container = |container| ImageConfig { config: container, ..config.clone() };
        let smoke = Smoke { checks: vec!["hadoop".to_owned()], ..Smoke::default() };
        let more = Smoke { checks: vec!["hadoop".to_owned(), "iceberg".to_owned()], ..Smoke::default() };
        let of = |what: &What, user, smoke: &Smoke, config: &ImageConfig| shown(what, user, smoke, config.clone());
        let session = of(&What::Session, User::Random, &smoke, &config);
        let labels = BTreeMap::from([("title".to_owned(), "another".to_owned())]);
        let labelled = container(Container { labels, ..Container::default() });
        assert_eq!(of(&What::Session, User::Random, &smoke, &labelled), session);
        let env = container(Container { env: vec!["A=1".to_owned()], ..Container::default() });
        for other in [
            of(&What::Session, User::Random, &smoke, &env),
            of(&What::Session, User::Image, &smoke, &config),
            of(&What::Job("session".to_owned()), User::Random, &smoke, &config),
        ] {
            assert_ne!(other, session);
        }
        // What only a session is asked does not count for a job.
        let job = What::Job("sparkpi.sh".to_owned());
        assert_eq!(of(&job, User::Random, &smoke, &config), of(&job, User::Random, &more, &config));
        assert!(answers(&job, &smoke, &more));
    }

    #[test]
    fn a_session_answers_for_one_that_asks_less_and_expects_the_same() {
        let asked = |checks: &[&str], expect: &[(&str, &str)]| Smoke {
            checks: checks.iter().map(|check| (*check).to_owned()).collect(),
            expect: expect.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ..Smoke::default()
        };
        let more = asked(&["hadoop", "jdbc"], &[("HADOOP", "3"), ("JDBC", "a b")]);
        let less = asked(&["hadoop"], &[("HADOOP", "3")]);
        let session = |one: &Smoke, other: &Smoke| answers(&What::Session, one, other);
        assert!(session(&more, &less) && session(&more, &more) && !session(&less, &more));
        assert!(!session(&more, &asked(&["hadoop"], &[("HADOOP", "2")])));
        assert!(!session(&more, &asked(&["jdbc", "azure"], &[])));
    }
}
