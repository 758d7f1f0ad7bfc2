//! What a root file system has beside the files of its packages, as data.
//!
//! A recipe says what the maintainer scripts of a chosen set of packages would have done, and what the image wants to
//! have otherwise. It is checked when the file system is written: a link into nothing or a file of a package that is no
//! longer there is an error, so that a recipe cannot silently outlive the packages it was written for.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The whole recipe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Recipe {
    /// Whether set-user-id and set-group-id bits of files stay. Those of directories always do.
    pub keep_setuid: bool,
    /// Shell patterns of absolute paths that are left out, with dpkg's meaning: `*` also stands for `/`. They are also
    /// written to `/etc/dpkg/dpkg.cfg.d`, so that packages installed later are treated alike.
    pub exclude: Vec<String>,
    /// Patterns of paths that stay although an `exclude` pattern holds.
    pub include: Vec<String>,
    /// Accounts beside those of `base-passwd`.
    #[serde(rename = "user")]
    pub users: Vec<User>,
    /// Groups beside those of `base-passwd`.
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
    /// Directories. They take the place of those that a package brings.
    #[serde(rename = "directory")]
    pub directories: Vec<Directory>,
    /// Files. They take the place of those that a package brings.
    #[serde(rename = "file")]
    pub files: Vec<File>,
    /// Symbolic links. They take the place of whatever a package brings.
    #[serde(rename = "link")]
    pub links: Vec<Link>,
    /// Alternatives, as `update-alternatives --install` would register them.
    #[serde(rename = "alternative")]
    pub alternatives: Vec<Alternative>,
    /// Diversions, as `dpkg-divert --add` would register them. Nothing is renamed.
    #[serde(rename = "diversion")]
    pub diversions: Vec<Diversion>,
}

/// A line of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Full name, may be empty.
    #[serde(default)]
    pub gecos: String,
    /// Home directory, absolute. It is not made by this entry.
    pub home: String,
    /// Login shell, absolute.
    pub shell: String,
}

/// A line of `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Name of the group.
    pub name: String,
    /// Group id.
    pub gid: u32,
    /// Login names of the members beside those whose primary group it is.
    #[serde(default)]
    pub members: Vec<String>,
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Absolute path.
    pub path: String,
    /// Permissions, in octal.
    #[serde(default = "Mode::directory")]
    pub mode: Mode,
    /// Owner.
    #[serde(default)]
    pub uid: u32,
    /// Group.
    #[serde(default)]
    pub gid: u32,
}

/// A file: exactly one of `content` and `copy-of`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// Absolute path.
    pub path: String,
    /// Permissions, in octal.
    #[serde(default = "Mode::file")]
    pub mode: Mode,
    /// Owner.
    #[serde(default)]
    pub uid: u32,
    /// Group.
    #[serde(default)]
    pub gid: u32,
    /// The text of the file.
    #[serde(default)]
    pub content: Option<String>,
    /// Absolute path of a file of a package whose bytes are taken.
    #[serde(default)]
    pub copy_of: Option<String>,
    /// Texts in the copied file and what takes their place. Each must occur.
    #[serde(default)]
    pub replace: BTreeMap<String, String>,
}

/// A symbolic link.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Absolute path of the link.
    pub path: String,
    /// What it says, as it stands in the link.
    pub target: String,
}

/// One choice of a group of alternatives. The highest priority of a name wins.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alternative {
    /// Name in `/etc/alternatives`.
    pub name: String,
    /// The link that leads there, absolute.
    pub link: String,
    /// The file that this choice stands for, absolute.
    pub path: String,
    /// Priority.
    pub priority: i32,
    /// Links that follow the choice.
    #[serde(default, rename = "slave")]
    pub slaves: Vec<Slave>,
}

/// A link that follows an [`Alternative`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slave {
    /// Name in `/etc/alternatives`.
    pub name: String,
    /// The link that leads there, absolute.
    pub link: String,
    /// The file that it stands for, absolute. Links to files that were left out are left out.
    pub path: String,
}

/// A path of other packages that a package takes over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Diversion {
    /// The path, absolute.
    pub path: String,
    /// Where other packages' file of that path goes, absolute.
    pub to: String,
    /// The package whose file of that path stays.
    pub package: String,
}

/// Permission bits of a file or directory, written in octal in a recipe: `mode = "2775"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub u32);

impl Mode {
    fn directory() -> Self {
        Self(0o755)
    }

    fn file() -> Self {
        Self(0o644)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match u32::from_str_radix(&text, 8) {
            Ok(mode) if mode <= 0o7777 => Ok(Self(mode)),
            _ => Err(serde::de::Error::custom(format!("`{text}` is no mode: expected octal digits up to 7777"))),
        }
    }
}

impl Recipe {
    /// The recipe with `{arch}` replaced by the name of the architecture (`amd64`) and `{triplet}` by that of its
    /// library directory (`x86_64-linux-gnu`) in all paths.
    pub(super) fn for_architecture(&self, architecture: &str) -> Self {
        let triplet = triplet(architecture);
        let fill = |text: &str| text.replace("{arch}", architecture).replace("{triplet}", triplet);
        let mut recipe = self.clone();
        let file_paths = recipe.files.iter_mut().flat_map(|file| [Some(&mut file.path), file.copy_of.as_mut()]);
        let paths = file_paths
            .flatten()
            .chain(recipe.exclude.iter_mut())
            .chain(recipe.include.iter_mut())
            .chain(recipe.directories.iter_mut().map(|directory| &mut directory.path))
            .chain(recipe.links.iter_mut().flat_map(|link| [&mut link.path, &mut link.target]))
            .chain(recipe.diversions.iter_mut().flat_map(|diversion| [&mut diversion.path, &mut diversion.to]))
            .chain(recipe.alternatives.iter_mut().flat_map(|alternative| {
                let slaves = alternative.slaves.iter_mut().flat_map(|slave| [&mut slave.link, &mut slave.path]);
                [&mut alternative.link, &mut alternative.path].into_iter().chain(slaves)
            }));
        for path in paths {
            *path = fill(path);
        }
        recipe
    }
}

/// The name of the library directory of an architecture: the first column and the GNU name of
/// <https://wiki.debian.org/Multiarch/Tuples>.
pub(super) fn triplet(architecture: &str) -> &str {
    match architecture {
        "amd64" => "x86_64-linux-gnu",
        "arm64" => "aarch64-linux-gnu",
        "armhf" => "arm-linux-gnueabihf",
        "i386" => "i386-linux-gnu",
        "ppc64el" => "powerpc64le-linux-gnu",
        "riscv64" => "riscv64-linux-gnu",
        "s390x" => "s390x-linux-gnu",
        other => other,
    }
}
