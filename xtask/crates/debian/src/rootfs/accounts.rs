//! `/etc/passwd`, `/etc/group` and their shadows, as the scripts of `base-passwd` and `passwd` leave them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Recipe, tree::Tree, writer::Meta};

/// The master files of the package `base-passwd`.
pub(super) const MASTERS: [&str; 2] = ["usr/share/base-passwd/group.master", "usr/share/base-passwd/passwd.master"];

/// The group that may read the shadow files (<https://www.debian.org/doc/debian-policy/ch-opersys.html>: base-passwd
/// gives it the id 42 on every system).
const SHADOW: u64 = 42;

/// Adds the four files. `captured` holds the master files; without them there are only the recipe's accounts.
pub(super) fn generate(
    recipe: &Recipe,
    captured: &BTreeMap<String, Vec<u8>>,
    epoch: u64,
    tree: &mut Tree,
    faults: &mut Vec<String>,
) {
    let master = |path: &str| captured.get(path).map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
    let [group_master, passwd_master] = MASTERS.map(master);
    if recipe.users.is_empty() && recipe.groups.is_empty() && passwd_master.is_empty() {
        return;
    }
    let mut passwd: Vec<String> = passwd_master.lines().map(|line| line.replacen(":*:", ":x:", 1)).collect();
    let mut group: Vec<String> = group_master.lines().map(|line| line.replacen(":*:", ":x:", 1)).collect();
    for added in &recipe.groups {
        group.push(format!("{}:x:{}:{}", added.name, added.gid, added.members.join(",")));
    }
    for user in &recipe.users {
        let fields = [&user.name, &user.gecos, &user.home, &user.shell];
        if fields.iter().any(|field| field.contains([':', '\n'])) {
            faults.push(format!("the user `{}` has a colon or a line break in a field", user.name));
        }
        if !group.iter().any(|line| line.split(':').nth(2) == Some(&user.gid.to_string())) {
            faults.push(format!("the group {} of the user `{}` is not there: add it", user.gid, user.name));
        }
        let (uid, gid) = (user.uid, user.gid);
        passwd.push(format!("{}:x:{uid}:{gid}:{}:{}:{}", user.name, user.gecos, user.home, user.shell));
    }
    faults.extend(doubles("user", &passwd));
    faults.extend(doubles("group", &group));
    // A shadow line says on which day the password changed; `*` is a password that nobody has.
    let days = epoch / 86_400;
    let name = |line: &String| line.split(':').next().unwrap_or_default().to_owned();
    let members = |line: &String| line.split(':').nth(3).unwrap_or_default().to_owned();
    let shadow: Vec<_> = passwd.iter().map(|line| format!("{}:*:{days}:0:99999:7:::", name(line))).collect();
    let gshadow: Vec<_> = group.iter().map(|line| format!("{}:*::{}", name(line), members(line))).collect();

    let hidden = Meta { mode: 0o640, uid: 0, gid: SHADOW };
    for (path, meta, lines) in [
        ("etc/passwd", Meta::root(0o644), passwd),
        ("etc/group", Meta::root(0o644), group),
        ("etc/shadow", hidden, shadow),
        ("etc/gshadow", hidden, gshadow),
    ] {
        tree.file(path, meta, lines.join("\n") + "\n", faults);
    }
}

/// Names and ids that stand in more than one line.
fn doubles(what: &str, lines: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let keys = lines.iter().flat_map(|line| [("name", line.split(':').next()), ("id", line.split(':').nth(2))]);
    let keys = keys.filter_map(|(kind, key)| Some((kind, key?)));
    keys.filter(|key| !seen.insert(*key)).map(|(kind, key)| format!("two {what}s have the {kind} `{key}`")).collect()
}
