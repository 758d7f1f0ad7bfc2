//! What is built for `front` is not built once more for `xtask`.

use std::{collections::BTreeSet, process::Command};

/// Cargo builds a crate anew when it is asked for other features of it. So each crate below `front` must have the features
/// there that it has below `xtask`. Where this fails, a feature is missing in the table `[workspace.dependencies]` or, for a
/// crate that nobody here names, in the Cargo.toml of `front`.
#[test]
fn crates_below_both_have_the_same_features() {
    let both: BTreeSet<String> = crates_below("xtask").collect();
    let other: Vec<String> =
        crates_below("front").filter(|name| !name.starts_with("front ") && !both.contains(name)).collect();
    let found: Vec<&String> = both
        .iter()
        .filter(|name| other.iter().any(|other| name.split(' ').next() == other.split(' ').next()))
        .collect();
    assert!(other.is_empty(), "below front: {other:#?}\nbelow xtask: {found:#?}");
}

/// `name version [features]` of each crate that is built for a package.
fn crates_below(package: &str) -> impl Iterator<Item = String> {
    #[expect(clippy::disallowed_methods, reason = "the question is what cargo will do")]
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--edges", "normal,build", "--prefix", "none", "--no-dedupe"])
        .args(["--format", "{p} [{f}]", "--package", package])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<String> = text.lines().map(|line| line.replace(" (proc-macro)", "")).collect();
    assert!(lines.len() > 20, "{lines:?}");
    lines.into_iter().filter(|line| !line.is_empty())
}
