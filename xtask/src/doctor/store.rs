//! The store: whether it can be written to, who works in it, what interrupted runs have left there.

use std::path::Path;

use camino::Utf8Path;

use super::{Finding, Section, State, needs::Needs};
use crate::report::text::{bytes, count};

pub(super) fn look(needs: &Needs) -> Section {
    let store = &needs.machine.store;
    let mut findings = needs.faults.clone();
    let opened = store.root() == needs.store;
    let lacks = !needs.missing.is_empty();
    if opened && store.is_read_only() {
        let what = format!("the store {} is read-only", store.root());
        findings.push(match lacks {
            true => Finding::new(
                State::Problem,
                format!("{what} and lacks {}", needs.missing_shown()),
                "fill it where it can be written to: cargo xtask fetch; or set SPARK_IMAGES_CACHE to another folder",
            ),
            false => Finding::note(format!(
                "{what}, and has all that is needed; what is made of it is kept in this checkout"
            )),
        });
    } else if lacks && needs.machine.offline {
        findings.push(Finding::new(
            State::Problem,
            format!("the store {} lacks {}, and --offline fetches nothing", needs.store, needs.missing_shown()),
            "where there is a network: cargo xtask fetch; or carry it: cargo xtask bundle --out FILE, here --in FILE",
        ));
    } else {
        let has = match (needs.work.files.len(), needs.missing.len()) {
            (0, _) => "nothing is needed of it".to_owned(),
            (files, 0) => format!("it has all {} that are needed", count(files, "file")),
            (files, _) => format!("{} are to be fetched, of {files} that are needed", needs.missing_shown()),
        };
        findings.push(Finding::fine(format!("the store {}: {has}", needs.store)));
    }
    if opened {
        findings.extend(locks(store));
        findings.extend(left(&store.root().join("pending"), "partial download", "the next fetch goes on with them"));
        findings.extend(left(
            &store.root().join("quarantine"),
            "damaged file",
            &format!("nobody needs them: rm -r {}/quarantine", store.root()),
        ));
    }
    Section::new("store", findings)
}

/// Locks that somebody holds. The file of one that nobody holds does no harm: the kernel lets go of it when its holder dies.
fn locks(store: &::store::Store) -> Vec<Finding> {
    let held = store.locks().into_iter().filter(|lock| lock.held);
    held.map(|lock| match lock.process {
        Some(process) if Path::new(&format!("/proc/{process}")).exists() => {
            Finding::note(format!("`{}` is locked by process {process}, which is at work: others wait for it", lock.name))
        }
        process => {
            let who = process.map_or_else(|| "nobody who says so".to_owned(), |process| format!("process {process}, which is not on this machine"));
            Finding::new(
                State::Warning,
                format!("`{}` is locked by {who}: a container or another machine works in this store, and builds wait for it", lock.name),
                format!("wait for it, or end it where it runs; who holds it here: fuser -v {}/locks/*", store.root()),
            )
        }
    })
    .collect()
}

/// What lies in a folder of what interrupted runs have left.
fn left(folder: &Utf8Path, noun: &str, what_of_it: &str) -> Option<Finding> {
    let entries = folder.read_dir_utf8().ok()?.flatten();
    let sizes: Vec<u64> = entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).collect();
    let total = sizes.iter().sum();
    (!sizes.is_empty())
        .then(|| Finding::note(format!("{} of {}; {what_of_it}", count(sizes.len(), noun), bytes(total))))
}
