//! The user of an image: its USER string, `/etc/passwd` and `/etc/group`, and what the user may do to a file.

use std::collections::BTreeSet;

use camino::Utf8Path;

use crate::{Entry, Error, Root};

/// Who runs a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups. Only root can give them to a process.
    pub groups: BTreeSet<u32>,
    /// The home folder that the image's `/etc/passwd` names, `/` if it does not know the user. For `HOME`, which engines
    /// set when the image does not.
    pub home: String,
}

/// What somebody wants to do to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read a file, list a folder.
    Read,
    /// Write a file, add to and remove from a folder.
    Write,
    /// Run a file, pass through a folder.
    Execute,
}

impl Identity {
    /// A user that no file of the image knows, as OpenShift gives one to a pod: any uid, with the group root.
    pub fn unknown(uid: u32) -> Self {
        Self { uid, gid: 0, groups: BTreeSet::new(), home: "/".to_owned() }
    }

    /// The user that `text` names in the image, as engines read the USER of a configuration: empty (root), `185`,
    /// `spark`, `185:0`, `spark:root`. A number needs no entry in `/etc/passwd`; its group is then 0. Supplementary groups
    /// come from `/etc/group` unless a group is given.
    ///
    /// # Errors
    /// [`Error::NoSuchName`] for a name that the image does not have.
    pub fn of(root: &Root, text: &str) -> Result<Self, Error> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let user = if user.is_empty() { "0" } else { user };
        let passwd = lines(root, PASSWD)?;
        // name:password:uid:gid:comment:home:shell
        let by_name = passwd.iter().find(|fields| fields[0] == user);
        let known = by_name.or_else(|| passwd.iter().find(|fields| fields.get(2).is_some_and(|uid| uid == user)));
        let mut identity = match (known, user.parse()) {
            (Some(fields), _) => {
                let number = |n: usize| fields.get(n).and_then(|text| text.parse().ok());
                let (Some(uid), Some(gid)) = (number(2), number(3)) else {
                    return Err(no_such("user", user, PASSWD));
                };
                let home = fields.get(5).filter(|home| !home.is_empty()).cloned().unwrap_or_else(|| "/".to_owned());
                Self { uid, gid, groups: BTreeSet::new(), home }
            }
            (None, Ok(uid)) => Self::unknown(uid),
            (None, Err(_)) => return Err(no_such("user", user, PASSWD)),
        };
        // name:password:gid:member,member
        let groups = lines(root, GROUP)?;
        match group.filter(|group| !group.is_empty()) {
            Some(group) => {
                let known = groups.iter().find(|fields| fields[0] == group).and_then(|fields| fields.get(2));
                let number = known.map_or(group, String::as_str).parse();
                identity.gid = number.map_err(|_| no_such("group", group, GROUP))?;
            }
            None => {
                let name = known.map(|fields| fields[0].as_str());
                let member = |fields: &&Vec<String>| {
                    fields.get(3).is_some_and(|members| members.split(',').any(|member| Some(member) == name))
                };
                let numbers = groups.iter().filter(member).filter_map(|fields| fields.get(2)?.parse().ok());
                identity.groups = numbers.collect();
            }
        }
        Ok(identity)
    }

    /// The kernel's rule for a process without capabilities: the owner's bits for the owner, else the group's bits for a
    /// member, else the others'. Root may everything but run what nobody may run.
    pub(crate) fn may(&self, access: Access, entry: &Entry) -> bool {
        let bit = match access {
            Access::Read => 4,
            Access::Write => 2,
            Access::Execute => 1,
        };
        if self.uid == 0 {
            return access != Access::Execute || entry.mode & 0o111 != 0;
        }
        let shift = if self.uid == entry.uid {
            6
        } else if self.gid == entry.gid || self.groups.contains(&entry.gid) {
            3
        } else {
            0
        };
        entry.mode >> shift & bit != 0
    }
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

fn no_such(kind: &'static str, name: &str, file: &'static str) -> Error {
    Error::NoSuchName { kind, name: name.to_owned(), file }
}

/// The fields of each line of a colon-separated file of the image; none if it has no such file.
fn lines(root: &Root, file: &str) -> Result<Vec<Vec<String>>, Error> {
    let bytes = root.read(Utf8Path::new(file))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect())
}
