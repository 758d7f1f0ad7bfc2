//! Which wheels run on a CPython for Linux with glibc, and which of them is the best.
//!
//! Source: PyPA's [platform compatibility tags](https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/),
//! with the order of the reference implementation, `packaging.tags`.

use std::{collections::HashMap, fmt};

use super::WheelName;

/// A processor architecture, in the words of wheels and of Linux (`uname -m`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 64-bit ARM.
    Aarch64,
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        })
    }
}

/// The interpreter and the system that wheels are chosen for: CPython on Linux with glibc.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// CPython's version: major, minor and patch.
    pub python: (u64, u64, u64),
    /// The processor.
    pub arch: Arch,
    /// glibc's version: major (2) and minor.
    pub glibc: (u64, u64),
}

/// The tags that a [`Target`] supports, best first.
#[derive(Debug, Clone)]
pub struct Tags {
    rank: HashMap<[String; 3], usize>,
}

impl Tags {
    /// The tags of `target`.
    pub fn of(target: &Target) -> Self {
        let (major, minor, _) = target.python;
        let platforms = platforms(target);
        let mut tags = Tags { rank: HashMap::new() };
        let cpython = format!("cp{major}{minor}");
        for abi in [&*cpython, "abi3", "none"] {
            tags.add_all(&cpython, abi, &platforms);
        }
        for older in (2..minor).rev() {
            tags.add_all(&format!("cp{major}{older}"), "abi3", &platforms);
        }
        let generic: Vec<String> = [format!("py{major}{minor}"), format!("py{major}")]
            .into_iter()
            .chain((0..minor).rev().map(|older| format!("py{major}{older}")))
            .collect();
        for python in &generic {
            tags.add_all(python, "none", &platforms);
        }
        for python in [cpython].iter().chain(&generic) {
            tags.add_all(python, "none", &["any".to_owned()]);
        }
        tags
    }

    fn add_all(&mut self, python: &str, abi: &str, platforms: &[String]) {
        for platform in platforms {
            let rank = self.rank.len();
            self.rank.entry([python.to_owned(), abi.to_owned(), platform.clone()]).or_insert(rank);
        }
    }

    /// How well `wheel` fits: less is better, `None` is not at all.
    pub fn rank(&self, wheel: &WheelName) -> Option<usize> {
        let mut best = None;
        for python in &wheel.python {
            for abi in &wheel.abi {
                for platform in &wheel.platform {
                    let rank = self.rank.get(&[python.clone(), abi.clone(), platform.clone()]).copied();
                    best = best.into_iter().chain(rank).min();
                }
            }
        }
        best
    }

    /// All tags, best first, as `python-abi-platform`.
    pub fn list(&self) -> Vec<String> {
        let mut tags: Vec<_> = self.rank.iter().collect();
        tags.sort_by_key(|(_, rank)| **rank);
        tags.into_iter().map(|(tag, _)| tag.join("-")).collect()
    }
}

/// Platform tags, best first: each glibc from the target's down to the first that wheels were made for, with the old
/// names of three of them (PEP 600), and at last plain `linux`, which private indexes use.
fn platforms(target: &Target) -> Vec<String> {
    let arch = target.arch;
    let (glibc_major, newest) = target.glibc;
    let oldest = match arch {
        Arch::X86_64 => 5,
        Arch::Aarch64 => 17,
    };
    let mut platforms = Vec::new();
    for minor in (oldest..=newest).rev() {
        platforms.push(format!("manylinux_{glibc_major}_{minor}_{arch}"));
        let legacy = match minor {
            17 => "manylinux2014",
            12 => "manylinux2010",
            5 => "manylinux1",
            _ => continue,
        };
        platforms.push(format!("{legacy}_{arch}"));
    }
    platforms.push(format!("linux_{arch}"));
    platforms
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOKWORM: Target = Target { python: (3, 11, 2), arch: Arch::X86_64, glibc: (2, 36) };

    fn rank(target: &Target, tag: &str) -> Option<usize> {
        Tags::of(target).rank(&format!("a-1-{tag}.whl").parse().unwrap())
    }

    #[test]
    fn a_closer_fit_ranks_better() {
        let order = [
            "cp311-cp311-manylinux_2_36_x86_64",
            "cp311-cp311-manylinux_2_28_x86_64",
            "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
            "cp311-cp311-manylinux1_x86_64",
            "cp311-cp311-linux_x86_64",
            "cp311-abi3-manylinux2014_x86_64",
            "cp36-abi3-manylinux2014_x86_64",
            "py3-none-manylinux2014_x86_64",
            "py2.py3-none-any",
            "py30-none-any",
        ];
        let ranks: Vec<_> = order.iter().map(|tag| rank(&BOOKWORM, tag).unwrap_or_else(|| panic!("{tag}"))).collect();
        assert!(ranks.is_sorted(), "{ranks:?}");
    }

    #[test]
    fn what_does_not_run_has_no_rank() {
        for tag in [
            "cp312-cp312-manylinux_2_17_x86_64",
            "cp312-abi3-manylinux_2_17_x86_64",
            "cp310-cp310-manylinux_2_17_x86_64",
            "cp311-cp311-manylinux_2_39_x86_64",
            "cp311-cp311-musllinux_1_2_x86_64",
            "cp311-cp311-manylinux_2_17_aarch64",
            "cp311-cp311-win_amd64",
            "cp311-cp311t-manylinux_2_17_x86_64",
            "py2-none-any",
        ] {
            assert_eq!(rank(&BOOKWORM, tag), None, "{tag}");
        }
    }

    #[test]
    fn arm_has_no_tags_older_than_2_17() {
        let arm = Target { arch: Arch::Aarch64, ..BOOKWORM };
        assert!(rank(&arm, "cp311-cp311-manylinux2014_aarch64").is_some());
        assert_eq!(rank(&arm, "cp311-cp311-manylinux_2_12_aarch64"), None);
    }
}
