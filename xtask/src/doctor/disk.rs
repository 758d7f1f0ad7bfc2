//! Where files lie, on what, and whether there is room for what a build writes.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use catalog::{Artifact, Coordinate};

use super::{Finding, Section, State, needs::Needs};
use crate::report::text::bytes;

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// Where it is mounted.
    pub(super) point: String,
    /// `ext4`, `overlay`, `nfs4`.
    pub(super) kind: String,
}

/// Bytes that a build writes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Room {
    /// Into the store: what is fetched, and what is made once of it.
    store: u64,
    /// What of that is sure: the sizes in the lock.
    fetched: u64,
    /// Layers, into the output.
    layers: u64,
    /// What of them is sure: nothing becomes smaller by being unpacked.
    packed: u64,
    /// The layers once more, for who runs them.
    unpacked: u64,
}

pub(super) fn look(needs: &Needs) -> Section {
    let room = Room::of(&needs.missing, &needs.work.files);
    let output = needs.workspace.layout();
    let (store_at, output_at) = (mount_of(&needs.store), mount_of(&output));
    let shown = |mount: &Option<Mount>| {
        mount.as_ref().map_or_else(String::new, |mount| format!(" ({} on {})", mount.kind, mount.point))
    };
    let (in_store, in_output) = (free(&needs.store), free(&output));
    let mut findings = Vec::new();
    let together = store_at.is_some() && store_at == output_at;
    let places = [
        ("store", &needs.store, &store_at, in_store, (room.fetched, room.store), "SPARK_IMAGES_CACHE"),
        ("output", &output, &output_at, in_output, (room.packed, room.layers), "SPARK_IMAGES_OUT"),
    ];
    for (name, path, mount, free, (sure, about), variable) in places {
        let place = format!("{name} {path}{}", shown(mount));
        let needed = match together {
            true => (room.fetched + room.packed, room.store + room.layers),
            false => (sure, about),
        };
        let Some(free) = free else {
            findings.push(Finding::note(format!("{place}: how much is free cannot be told")));
            continue;
        };
        let what = format!("{place}: {} free, a build writes about {}", bytes(free), bytes(about));
        findings.push(judged(what, free, needed, variable));
    }
    let unpacked = if together { room.store + room.layers + room.unpacked } else { room.store + room.unpacked };
    if room.unpacked > 0 && in_store.is_some_and(|free| free < unpacked) {
        let what = format!("smoke, run and shell unpack layers into the store, another {}", bytes(room.unpacked));
        findings.push(Finding::new(State::Warning, what, "set SPARK_IMAGES_CACHE to a folder on a larger disk"));
    }
    Section::new("disk", findings)
}

/// Whether there is room: what is sure not to fit stops a build, what is only guessed does not.
fn judged(what: String, free: u64, (sure, about): (u64, u64), variable: &str) -> Finding {
    let state = match free {
        free if free < sure => State::Problem,
        free if free < about => State::Warning,
        _ => return Finding::fine(what),
    };
    let remedy = format!("free {}, or set {variable} to a folder on a larger disk", bytes(about - free));
    Finding::new(state, what, remedy)
}

impl Room {
    /// What a build writes that needs `files` and has to fetch `missing`. How much an archive grows was seen of the images
    /// of this repository: packages and wheels to three and a half times their size, the source distribution by a tenth.
    fn of(missing: &[Artifact], files: &[Artifact]) -> Self {
        let fetched = missing.iter().map(|artifact| artifact.size).sum();
        let packed = files.iter().map(|artifact| artifact.size).sum();
        let mut room = Self { store: fetched, fetched, packed, ..Self::default() };
        for artifact in files {
            let grown = match &artifact.id {
                Coordinate::Pypi { file, .. } if file.ends_with(".tar.gz") => artifact.size + artifact.size / 10,
                Coordinate::Pypi { .. } | Coordinate::Deb { .. } => artifact.size / 2 * 7,
                Coordinate::Maven(_) | Coordinate::File(_) | Coordinate::Archive(_) => artifact.size,
            };
            room.layers += grown;
            // A Spark home and a root filesystem are kept for the next build.
            let is_kept = match &artifact.id {
                Coordinate::Pypi { file, .. } => file.ends_with(".tar.gz"),
                Coordinate::Deb { .. } => true,
                _ => false,
            };
            room.store += if is_kept { grown } else { 0 };
        }
        room.unpacked = room.layers;
        room
    }
}

/// Bytes that this user may still write where `path` is, or will be.
fn free(path: &Utf8Path) -> Option<u64> {
    let there = existing(path)?;
    let system = rustix::fs::statvfs(there.as_std_path()).ok()?;
    Some(system.f_bavail.saturating_mul(system.f_frsize))
}

/// The file system that a path lies on, or will lie on.
pub(super) fn mount_of(path: &Utf8Path) -> Option<Mount> {
    let there = existing(path)?.canonicalize_utf8().ok()?;
    mount_in(&fs::read_to_string("/proc/self/mountinfo").ok()?, &there)
}

fn existing(path: &Utf8Path) -> Option<Utf8PathBuf> {
    path.ancestors().find(|path| path.exists()).map(Utf8Path::to_owned)
}

/// Format: proc_pid_mountinfo(5). Of several on one point the last one is seen.
fn mount_in(table: &str, path: &Utf8Path) -> Option<Mount> {
    let mounts = table.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let point = left.split(' ').nth(4)?.replace("\\040", " ");
        let kind = right.split(' ').next()?.to_owned();
        path.starts_with(&point).then_some(Mount { point, kind })
    });
    // The last of the longest.
    mounts.reduce(|best, next| if next.point.len() >= best.point.len() { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_counts() {
        let table = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                     30 22 0:30 / /home rw - nfs4 server:/home rw\n\
                     31 22 0:31 / /mnt/a\\040b rw - tmpfs tmpfs rw\n\
                     32 22 0:32 / /home rw - xfs /dev/sdb rw\n";
        let kind = |path: &str| mount_in(table, path.into()).map(|mount| mount.kind);
        assert_eq!(kind("/home/ann/.cache").as_deref(), Some("xfs"));
        assert_eq!(kind("/homes").as_deref(), Some("ext4"));
        assert_eq!(kind("/mnt/a b/c").as_deref(), Some("tmpfs"));
        assert_eq!(mount_in("nonsense\n", "/".into()), None);
    }

    #[test]
    fn what_is_kept_is_counted_twice() {
        let artifact =
            |id: &str, size| Artifact { id: id.parse().unwrap(), size, sha256: blob::Digest::of(b""), path: None };
        let files = [
            artifact("maven:g:a:1", 1000),
            artifact("pypi:pyspark==3.5.7/pyspark-3.5.7.tar.gz", 1000),
            artifact("pypi:numpy==1/numpy-1-py3-none-any.whl", 1000),
            artifact("deb:libc6=1/amd64", 1000),
        ];
        let room = Room::of(&files[..1], &files);
        assert_eq!((room.store, room.fetched), (1000 + 1100 + 3500, 1000));
        assert_eq!((room.layers, room.packed, room.unpacked), (1000 + 1100 + 3500 + 3500, 4000, 9100));
    }

    #[test]
    fn only_what_is_sure_stops_a_build() {
        let state = |free| judged("store".to_owned(), free, (1000, 3500), "SPARK_IMAGES_CACHE").state;
        assert_eq!([999, 1000, 3499, 3500].map(state), [State::Problem, State::Warning, State::Warning, State::Fine]);
    }
}
