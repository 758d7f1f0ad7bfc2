//! As much of addresses as links in pages need: joining a reference to the page's address, and the file name at the end.
//!
//! Source: [RFC 3986](https://www.rfc-editor.org/rfc/rfc3986#section-5.2), section 5.2. A parser of whole URLs with
//! international host names would be thirty crates.

/// The absolute address of `reference` on the page at `base`. A base that is no address gives the reference itself.
pub(super) fn join(base: &str, reference: &str) -> String {
    if has_scheme(reference) {
        return reference.to_owned();
    }
    let Some((scheme, rest)) = base.split_once("://") else { return reference.to_owned() };
    if let Some(rest) = reference.strip_prefix("//") {
        return format!("{scheme}://{rest}");
    }
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    let (target, query) = reference.split_at(reference.find('?').unwrap_or(reference.len()));
    let merged = match target {
        "" => path.to_owned(),
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        relative => format!("{}/{relative}", path.rsplit_once('/').map_or("", |(folder, _)| folder)),
    };
    format!("{scheme}://{authority}{}{query}", without_dots(&merged))
}

fn has_scheme(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

/// Removes `.` and `..` from an absolute path; `..` at the root stays at the root.
fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let is_folder = matches!(path.rsplit('/').next(), Some("." | ".."));
    format!("/{}{}", parts.join("/"), if is_folder && !parts.is_empty() { "/" } else { "" })
}

/// The last part of the address's path, percent-decoded; `None` for a folder, or for a name that is no plain file name.
pub(super) fn filename(url: &str) -> Option<String> {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest).split(['?', '#']).next()?;
    let (_, last) = path.rsplit_once('/')?;
    let name = String::from_utf8(percent_decoded(last)).ok()?;
    let plain = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0']);
    plain.then_some(name)
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => (*high as char).to_digit(16).zip((*low as char).to_digit(16)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &rest[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_joined() {
        let base = "https://user:pw@registry.example:8443/a/b/page?x=1#y";
        for (reference, expected) in [
            ("https://files.example/x", "https://files.example/x"),
            ("//files.example/x", "https://files.example/x"),
            ("/x/y", "https://user:pw@registry.example:8443/x/y"),
            ("x", "https://user:pw@registry.example:8443/a/b/x"),
            ("./x", "https://user:pw@registry.example:8443/a/b/x"),
            ("../x?q=../z", "https://user:pw@registry.example:8443/a/x?q=../z"),
            ("../../../../x", "https://user:pw@registry.example:8443/x"),
            ("..", "https://user:pw@registry.example:8443/a/"),
            ("?q", "https://user:pw@registry.example:8443/a/b/page?q"),
            ("foo-1!2.0.whl", "https://user:pw@registry.example:8443/a/b/foo-1!2.0.whl"),
        ] {
            assert_eq!(join(base, reference), expected);
        }
        assert_eq!(join("https://registry.example", "x"), "https://registry.example/x");
    }

    #[test]
    fn file_names_are_decoded_and_plain() {
        assert_eq!(filename("https://h.example/a/x%2By-1.whl?token=1").as_deref(), Some("x+y-1.whl"));
        assert_eq!(filename("https://h.example/a%zz").as_deref(), Some("a%zz"));
        for url in [
            "https://h.example/a/",
            "https://h.example",
            "https://h.example/%2e%2e",
            "https://h.example/a%2Fb",
            "https://h.example/%ff",
        ] {
            assert_eq!(filename(url), None, "{url}");
        }
    }
}
