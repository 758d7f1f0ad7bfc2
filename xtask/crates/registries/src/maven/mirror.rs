//! Which mirror stands in for a repository: Maven's rules for `mirrorOf`
//! (<https://maven.apache.org/guides/mini/guide-mirror-settings.html>, and `DefaultMirrorSelector` of the resolver).

use super::settings::{Mirror, Repository};
use crate::url::BaseUrl;

/// The mirror that Maven would use: one that names just this repository goes before one that matches by pattern.
pub(super) fn of<'m>(mirrors: &'m [Mirror], repository: &Repository) -> Option<&'m Mirror> {
    let exact = mirrors.iter().find(|mirror| mirror.mirror_of == repository.id);
    exact.or_else(|| mirrors.iter().find(|mirror| matches(&mirror.mirror_of, repository)))
}

/// Whether a list of patterns takes in a repository. White space is part of a pattern, as it is for Maven. An exclusion and an exact name decide; a wildcard can still be
/// overruled by an exclusion after it.
fn matches(patterns: &str, repository: &Repository) -> bool {
    let mut matched = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(excluded) if excluded == repository.id => return false,
            Some(_) => {}
            None if pattern == repository.id => return true,
            None => {
                matched |= match pattern {
                    "*" => true,
                    "external:*" => is_external(repository, false),
                    "external:http:*" => is_external(repository, true),
                    _ => false,
                }
            }
        }
    }
    matched
}

/// Whether a repository is on another machine, and if asked, whether it is reached without encryption. The default of
/// `central` is: it has no address here, but it is no secret that it is far away and encrypted.
fn is_external(repository: &Repository, only_plain_http: bool) -> bool {
    let Some(url) = &repository.url else { return !only_plain_http };
    let Ok((url, _)) = BaseUrl::parse(url) else { return false };
    !url.is_local() && (!only_plain_http || !url.is_secure())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(id: &str, url: &str) -> Repository {
        let url = Some(url.to_owned()).filter(|url| !url.is_empty());
        Repository { id: id.to_owned(), url, releases: true, found_in: String::new() }
    }

    fn mirror(id: &str, mirror_of: &str) -> Mirror {
        let (id, mirror_of) = (id.to_owned(), mirror_of.to_owned());
        Mirror { id, mirror_of, url: String::new(), blocked: false, found_in: String::new() }
    }

    #[test]
    fn patterns_match_as_maven_has_them() {
        let central = repository("central", "");
        let plain = repository("corp", "http://registry.example/m");
        let local = repository("here", "http://localhost:8081/m");
        let file = repository("file", "file:///srv/m");
        for (patterns, expected) in [
            // central, plain http, localhost, file
            ("*", [true, true, true, true]),
            ("central", [true, false, false, false]),
            ("*,!central", [false, true, true, true]),
            ("!central,*", [false, true, true, true]),
            ("external:*", [true, true, false, false]),
            ("external:*,!corp", [true, false, false, false]),
            ("external:http:*", [false, true, false, false]),
            ("corp,here", [false, true, true, false]),
            ("corp, here", [false, true, false, false]),
            ("", [false; 4]),
        ] {
            let found = [&central, &plain, &local, &file].map(|repository| matches(patterns, repository));
            assert_eq!(found, expected, "{patterns}");
        }
    }

    #[test]
    fn an_exact_mirror_goes_before_a_pattern() {
        let mirrors = [mirror("all", "*"), mirror("mine", "central")];
        assert_eq!(of(&mirrors, &repository("central", "")).map(|mirror| mirror.id.as_str()), Some("mine"));
        assert_eq!(
            of(&mirrors, &repository("other", "https://a.example")).map(|mirror| mirror.id.as_str()),
            Some("all")
        );
        assert!(of(&mirrors[1..], &repository("other", "https://a.example")).is_none());
    }
}
