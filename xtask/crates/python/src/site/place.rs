//! Where an entry of a wheel is installed.

use camino::{Utf8Path, Utf8PathBuf};

use super::Layout;

/// What kind of place an entry goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// The site directory.
    Site,
    /// The folder of scripts.
    Scripts,
    /// Anything else below the prefix.
    Other,
}

/// The place of `entry`, relative to the prefix. `project` is the project's name as its wheel spells it.
///
/// # Errors
/// A sentence: the entry lies in a `.data` folder that the format does not know.
pub(super) fn place(entry: &str, project: &str, layout: &Layout) -> Result<(Scheme, Utf8PathBuf), String> {
    let mut parts = entry.splitn(3, '/');
    let (top, scheme, rest) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    if !top.ends_with(".data") || scheme.is_none() {
        return Ok((Scheme::Site, layout.site.join(entry)));
    }
    match (scheme, rest) {
        (Some("purelib" | "platlib"), Some(rest)) => Ok((Scheme::Site, layout.site.join(rest))),
        (Some("scripts"), Some(rest)) => Ok((Scheme::Scripts, layout.scripts.join(rest))),
        (Some("headers"), Some(rest)) => Ok((Scheme::Other, layout.headers.join(project).join(rest))),
        (Some("data"), Some(rest)) => Ok((Scheme::Other, rest.into())),
        _ => Err(format!(
            "expected `{entry}` in one of the folders purelib, platlib, scripts, headers, data of its .data folder"
        )),
    }
}

/// The path of `path` as `RECORD` writes it: relative to the site directory, both being relative to the prefix.
pub(super) fn recorded(path: &Utf8Path, layout: &Layout) -> String {
    match path.strip_prefix(&layout.site) {
        Ok(inside) => inside.to_string(),
        Err(_) => format!("{}{path}", "../".repeat(layout.site.components().count())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_has_its_place() {
        let layout = Layout::debian_local((3, 11));
        for (entry, path, recorded_as) in [
            ("foo/__init__.py", "lib/python3.11/dist-packages/foo/__init__.py", "foo/__init__.py"),
            ("foo-1.data/purelib/foo/a.py", "lib/python3.11/dist-packages/foo/a.py", "foo/a.py"),
            ("foo-1.data/platlib/foo/a.so", "lib/python3.11/dist-packages/foo/a.so", "foo/a.so"),
            ("foo-1.data/scripts/foo", "bin/foo", "../../../bin/foo"),
            ("foo-1.data/data/share/man/a.1", "share/man/a.1", "../../../share/man/a.1"),
            ("foo-1.data/headers/a.h", "include/python3.11/Foo/a.h", "../../../include/python3.11/Foo/a.h"),
            ("odd.data", "lib/python3.11/dist-packages/odd.data", "odd.data"),
        ] {
            let (_, found) = place(entry, "Foo", &layout).unwrap();
            assert_eq!(found, path);
            assert_eq!(recorded(&found, &layout), recorded_as);
        }
        for entry in ["foo-1.data/scripts", "foo-1.data/other/x"] {
            assert!(place(entry, "foo", &layout).unwrap_err().contains(entry));
        }
    }
}
