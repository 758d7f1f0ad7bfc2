//! Version specifiers as sets of versions.

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};
use pubgrub::Ranges;

/// The versions that satisfy all of `specifiers`.
///
/// `pep440_rs` knows no local versions here, so a mirror's rebuilt `1.0+corp1` would not be a `1.0`. PEP 440 says that
/// it is: a specifier without a local part ignores that of the candidate.
pub(super) fn of(specifiers: &VersionSpecifiers) -> Ranges<Version> {
    specifiers.iter().fold(Ranges::full(), |range, specifier| range.intersection(&of_one(specifier)))
}

fn of_one(specifier: &VersionSpecifier) -> Ranges<Version> {
    let version = specifier.version();
    let with_locals = || Ranges::from_range_bounds(version.clone()..after_locals(version));
    match specifier.operator() {
        Operator::Equal if !version.is_local() => with_locals(),
        Operator::NotEqual if !version.is_local() => with_locals().complement(),
        Operator::LessThanEqual => Ranges::strictly_lower_than(after_locals(version)),
        _ => Ranges::from(specifier.clone()),
    }
}

/// The least version that sorts after `version` and all of its local versions.
fn after_locals(version: &Version) -> Version {
    let public = version.clone().without_local();
    match (public.dev(), public.post()) {
        (Some(dev), _) => public.with_dev(Some(dev + 1)),
        (None, post) => {
            let next = post.map_or(0, |post| post + 1);
            public.with_post(Some(next)).with_dev(Some(0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_take_what_pep_440_says() {
        for (specifiers, inside, outside) in [
            ("==1.0", &["1.0", "1", "1.0.0", "1.0+corp.1"][..], &["1.0.post1", "1.0.1", "1.0rc1", "1.1"][..]),
            ("==1.0+a", &["1.0+a"], &["1.0", "1.0+b"]),
            ("!=1.0", &["1.1", "1.0.post1", "1.0a1"], &["1.0", "1.0+a"]),
            ("<=1.0", &["1.0", "1.0+a", "0.9", "1.0rc1"], &["1.0.post1", "1.0.1"]),
            ("==1.0.post1", &["1.0.post1", "1.0.post1+a"], &["1.0.post2", "1.0"]),
            ("==1.0a1", &["1.0a1", "1.0a1+x"], &["1.0a2", "1.0a1.post1", "1.0a1.dev0"]),
            ("==1.0.dev3", &["1.0.dev3", "1.0.dev3+x"], &["1.0.dev4", "1.0"]),
            ("==1.*", &["1.0", "1.9.post1", "1.0+x"], &["2.0", "0.9"]),
            (">=1,<2", &["1.0", "1.9+x"], &["2.0", "2.0rc1", "2.0+x"]),
            (">1", &["1.1"], &["1.0", "1.0+x", "1.0.post1"]),
            ("~=1.4.2", &["1.4.2", "1.4.9"], &["1.5", "1.4.1"]),
            ("===1.0", &["1.0"], &["1.0+x"]),
            ("", &["0", "1!5"], &[]),
        ] {
            let range = of(&specifiers.parse().unwrap());
            let contains = |version: &&str| range.contains(&version.parse::<Version>().unwrap());
            for version in inside {
                assert!(contains(version), "{version} in {specifiers}");
            }
            for version in outside {
                assert!(!contains(version), "{version} not in {specifiers}");
            }
        }
    }
}
