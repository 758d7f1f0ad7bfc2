//! RUN: its command, network and mounts, before variables are expanded.
//!
//! The flags are BuildKit's (<https://docs.docker.com/reference/dockerfile/#run>). What is not supported here is refused
//! with what to do instead, never passed over.

use super::{
    Heredoc,
    instruction::CommandLine,
    lines::heredoc_word,
    parse::{Parsed, json},
};

/// A command that changes the files of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) command: CommandLine,
    /// Nothing if the instruction does not say.
    pub(crate) network: Option<Network>,
    pub(crate) mounts: Vec<Mount>,
}

/// The network that an instruction asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    None,
    Default,
}

/// What a command sees beside the files of its stage. Texts may hold variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) kind: MountKind,
    /// A stage or an image; else it is the context, or nothing for a cache.
    pub(crate) from: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) read_only: bool,
    pub(crate) sharing: Sharing,
    pub(crate) required: bool,
    pub(crate) size: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) uid: Option<String>,
    pub(crate) gid: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum MountKind {
    #[default]
    Bind,
    Cache,
    Secret,
    Tmpfs,
}

/// Who may use a cache at the same time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Sharing {
    #[default]
    Shared,
    Locked,
    Private,
}

impl MountKind {
    fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Cache => "cache",
            Self::Secret => "secret",
            Self::Tmpfs => "tmpfs",
        }
    }

    /// The keys that a mount of this kind may have, beside `type`.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Bind => &["from", "readonly", "source", "target"],
            Self::Cache => &["from", "gid", "id", "mode", "readonly", "sharing", "source", "target", "uid"],
            Self::Secret => &["gid", "id", "mode", "required", "source", "target", "uid"],
            Self::Tmpfs => &["size", "target"],
        }
    }
}

impl Run {
    /// A RUN with these flags; `rest` is the command as it is written.
    pub(super) fn new(flags: &[(String, Option<String>)], rest: &str, heredocs: &[Heredoc]) -> Parsed<Self> {
        let mut run = Self { command: command(rest, heredocs)?, network: None, mounts: Vec::new() };
        for (name, value) in flags {
            let value = value.as_deref().unwrap_or_default();
            match (name.as_str(), value) {
                ("mount", value) => run.mounts.push(Mount::parse(value)?),
                ("network", "none") => run.network = Some(Network::None),
                ("network", "default") => run.network = Some(Network::Default),
                ("network", "host") => {
                    return Err("--network=host is not supported; use --network=default, or none".to_owned());
                }
                ("network", other) => return Err(format!("--network must be none or default, found `{other}`")),
                ("security", "sandbox") => {}
                ("security", _) => {
                    return Err("--security=insecure is not supported: commands have no privileges here".to_owned());
                }
                (other, _) => {
                    return Err(format!("RUN has no flag --{other}; there are --mount, --network and --security"));
                }
            }
        }
        Ok(run)
    }
}

/// The command, with its here-documents where the shell, or its list of arguments, expects them.
fn command(rest: &str, heredocs: &[Heredoc]) -> Parsed<CommandLine> {
    if let Some(words) = json(rest)? {
        return match words.first().is_none_or(String::is_empty) {
            true => Err("RUN needs a command, found an empty list".to_owned()),
            false => Ok(CommandLine::Exec(words)),
        };
    }
    let line = match heredocs {
        [] => rest.to_owned(),
        // A here-document alone is the script itself.
        [script] if heredoc_word(rest).is_some() => {
            if script.content.starts_with("#!") {
                let what = "a here-document that names its interpreter is not supported";
                return Err(format!("{what}; COPY it to a file and run that"));
            }
            script.content.clone()
        }
        several => {
            let ends = several.iter().map(|heredoc| format!("\n{}{}", heredoc.content, heredoc.name));
            rest.to_owned() + &ends.collect::<String>()
        }
    };
    match line.trim() {
        "" => Err("RUN needs a command".to_owned()),
        _ => Ok(CommandLine::Shell(line)),
    }
}

impl Mount {
    /// Reads `type=cache,target=/x,…`.
    fn parse(text: &str) -> Parsed<Self> {
        let fields: Vec<_> = text.split(',').map(|field| field.split_once('=').unwrap_or((field, ""))).collect();
        let mut mount = Self::default();
        if let Some((_, kind)) = fields.iter().find(|(key, _)| *key == "type") {
            mount.kind = match *kind {
                "bind" => MountKind::Bind,
                "cache" => MountKind::Cache,
                "secret" => MountKind::Secret,
                "tmpfs" => MountKind::Tmpfs,
                "ssh" => {
                    let what = "--mount=type=ssh is not supported";
                    return Err(format!("{what}; use a secret, or put what it fetches into the context"));
                }
                other => {
                    return Err(format!("`{other}` is no type of a mount; there are bind, cache, secret and tmpfs"));
                }
            };
        }
        mount.read_only = mount.kind == MountKind::Bind;
        for (key, value) in fields {
            mount.set(key, value)?;
        }
        mount.check()
    }

    fn set(&mut self, key: &str, value: &str) -> Parsed<()> {
        let (key, negated) = match key {
            "type" => return Ok(()),
            "src" => ("source", false),
            "dst" | "destination" => ("target", false),
            "ro" => ("readonly", false),
            "rw" | "readwrite" => ("readonly", true),
            other => (other, false),
        };
        let kind = self.kind.name();
        if !self.kind.keys().contains(&key) {
            let known = self.kind.keys().join(", ");
            return Err(format!("a mount of type {kind} has no `{key}`; there are {known}"));
        }
        let flag = || match value {
            "" | "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            other => Err(format!("`{key}` of a mount must be true or false, found `{other}`")),
        };
        let place = match key {
            "readonly" => {
                self.read_only = flag()? != negated;
                return Ok(());
            }
            "required" => {
                self.required = flag()?;
                return Ok(());
            }
            "sharing" => {
                self.sharing = match value {
                    "shared" => Sharing::Shared,
                    "locked" => Sharing::Locked,
                    "private" => Sharing::Private,
                    other => return Err(format!("sharing must be shared, locked or private, found `{other}`")),
                };
                return Ok(());
            }
            "from" => {
                if value.contains('$') {
                    return Err(format!("from={value} cannot have variables; make it a stage: FROM {value} AS name"));
                }
                &mut self.from
            }
            "source" => &mut self.source,
            "target" => &mut self.target,
            "id" => &mut self.id,
            "size" => &mut self.size,
            "mode" => &mut self.mode,
            "uid" => &mut self.uid,
            _ => &mut self.gid,
        };
        if value.is_empty() {
            return Err(format!("`{key}` of a mount of type {kind} needs a value: {key}=…"));
        }
        *place = Some(value.to_owned());
        Ok(())
    }

    fn check(self) -> Parsed<Self> {
        match (self.kind, &self.target, &self.id) {
            (MountKind::Secret, None, None) => Err("a secret needs an id: --mount=type=secret,id=…".to_owned()),
            (MountKind::Secret, ..) | (_, Some(_), _) => Ok(self),
            (kind, None, _) => Err(format!("a mount of type {} needs a target: target=/…", kind.name())),
        }
    }
}
