//! Paths inside of images and contexts, as texts: below the root, with slashes between the parts and none at the ends.

/// `folder/name`, where the root has no name.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The folder that `path` lies in; nothing for the root.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The last part of `path`.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A path as people and archives write it (`./a//b/`, `/a/x/../b`) as a path below the root (`a/b`).
///
/// # Errors
/// It leads above the root.
pub(crate) fn relative(path: &str) -> Result<String, String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Err(format!("`{path}` leads out of it"));
                }
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// A path as people and archives write it as a path below the root, above which there is the root again.
pub fn clean(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether a layer that holds this path means by it that something is not there.
pub(crate) fn is_whiteout(path: &str) -> bool {
    name(path).starts_with(".wh.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_what_is_superfluous() {
        for (path, expected) in [("", ""), ("/", ""), ("./a//b/", "a/b"), ("/a/x/../b", "a/b"), ("a/..", "")] {
            assert_eq!(clean(path), expected);
            assert_eq!(relative(path).as_deref(), Ok(expected));
        }
        assert_eq!(clean("../a/../../b"), "b");
        assert_eq!(relative("a/../../b"), Err("`a/../../b` leads out of it".to_owned()));
    }
}
