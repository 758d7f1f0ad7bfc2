//! Which links stay in a tree.

/// Whether a link at `path`, below the root of a tree and with no link among its folders, stays in the tree, given that
/// all other links of the tree do. `..` may only stand at the beginning: behind the name of another link it would lead
/// to wherever that one points.
pub(crate) fn stays_inside(path: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') {
        return false;
    }
    let ups = target.split('/').take_while(|part| matches!(*part, ".." | "." | ""));
    let up = ups.filter(|part| *part == "..").count();
    let down = target.split('/').skip_while(|part| matches!(*part, ".." | "." | ""));
    let folders = path.split('/').count() - 1;
    up <= folders && !down.into_iter().any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::stays_inside;

    #[test]
    fn a_link_may_not_leave() {
        for (path, target) in
            [("a", "b"), ("a/b", "../c"), ("a/b/c", "../../d/e"), ("a", "./b"), ("a/b", ".."), ("a", "a")]
        {
            assert!(stays_inside(path, target), "{path} -> {target}");
        }
        for (path, target) in
            [("a", ".."), ("a", "../b"), ("a/b", "../../c"), ("a", "/b"), ("a/b", "c/../d"), ("a", "")]
        {
            assert!(!stays_inside(path, target), "{path} -> {target}");
        }
    }
}
