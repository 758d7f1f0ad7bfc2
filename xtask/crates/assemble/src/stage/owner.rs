//! Owners by number, and by the names that an image knows.

use super::Refused;
use crate::layer::tree::{Body, Tree};

/// `/etc/passwd` is not read when it is larger than this.
const MAX_SIZE: u64 = 10 << 20;

/// A user and a group, by number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Owner {
    /// `user` or `user:group`, each a number or a name that the tree's `/etc/passwd` or `/etc/group` knows.
    ///
    /// A user without a group has the group that `/etc/passwd` gives it, and a number without a group has the same
    /// number as its group. A name that is not known is an error, where BuildKit takes root.
    pub(super) fn named(text: &str, tree: &Tree) -> Result<Self, Refused> {
        let (user, group) = split(text);
        let mut owner = Self::default();
        match (user.parse(), user) {
            (Ok(uid), _) => owner = Self { uid, gid: uid },
            (Err(_), "") => {}
            (Err(_), name) => {
                let fields = look_up(tree, "etc/passwd", name)?;
                owner = Self { uid: number(&fields, 2, name)?, gid: number(&fields, 3, name)? };
            }
        }
        match group.map(|name| (name.parse(), name)) {
            None => {}
            Some((Ok(gid), _)) => owner.gid = gid,
            Some((Err(_), name)) => owner.gid = number(&look_up(tree, "etc/group", name)?, 2, name)?,
        }
        Ok(owner)
    }

    /// `user` or `user:group`, each a number.
    pub(super) fn numbers(text: &str) -> Result<Self, Refused> {
        let (user, group) = split(text);
        let names = || format!("--chown={text} with --link needs numbers, since no image is there to know names");
        let uid = user.parse().map_err(|_| names())?;
        let gid = group.map_or(Ok(uid), str::parse).map_err(|_| names())?;
        Ok(Self { uid, gid })
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((user, "")) => (user, None),
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    }
}

/// The fields of the line in which `name` comes first.
fn look_up(tree: &Tree, path: &str, name: &str) -> Result<Vec<String>, Refused> {
    let unknown = || format!("`{name}` is not in /{path} of the image; use its number or add it there");
    let Some(Body::File(file)) = tree.follow(path).map(|node| &node.body) else { return Err(unknown()) };
    let bytes = file.bytes(MAX_SIZE).map_err(|error| format!("/{path} of the image cannot be read: {error}"))?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().map(str::trim).find(|line| line.split(':').next() == Some(name));
    Ok(line.ok_or_else(unknown)?.split(':').map(str::to_owned).collect())
}

fn number(fields: &[String], index: usize, name: &str) -> Result<u32, Refused> {
    let field = fields.get(index).and_then(|field| field.parse().ok());
    field.ok_or_else(|| {
        format!("the line of `{name}` in the image's user database has no number in field {}", index + 1)
    })
}
