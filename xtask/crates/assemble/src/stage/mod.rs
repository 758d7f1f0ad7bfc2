//! Running the instructions of one stage: what they do to the file tree and to the configuration.

mod add;
mod config;
mod copy;
mod edit;
mod owner;
mod run;

use std::{collections::BTreeMap, sync::Arc};

use blob::Digest;

use crate::{
    dockerfile::{Copy, Expand, Heredoc, Instruction, copy_text},
    layer::{
        plan::Plan,
        tree::{AtRoot, Tree},
        write::Written,
    },
    layout::Layout,
    oci::{Descriptor, History, ImageConfig, rfc3339},
    path::clean,
};

pub(crate) use run::{is_proxy, objection};

use copy::Copying;
use edit::Edit;
use owner::Owner;

/// What cannot be done, in words for the user.
type Refused = String;

/// The PATH that a stage has when its base has none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A stage as far as it has been run.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) config: ImageConfig,
    pub(crate) layers: Vec<Layer>,
    pub(crate) tree: Tree,
    /// What words are expanded with: ENV and ARG, whichever was set last.
    pub(crate) variables: BTreeMap<String, String>,
    /// The names of the ARGs so far, in their order.
    args: Vec<String>,
    /// Whether this stage had a CMD of its own.
    cmd_set: bool,
}

/// A layer of a stage.
#[derive(Debug, Clone)]
pub(crate) enum Layer {
    /// It came with the base.
    Inherited { descriptor: Descriptor, diff_id: Digest, created_by: String },
    /// It was planned here.
    Planned { plan: Arc<Plan>, created_by: String },
    /// It was made here and is in the layout.
    Made { written: Written, created_by: String },
}

/// What an instruction may look at beside its stage.
pub(crate) struct Surroundings<'s> {
    /// The name of the Dockerfile in errors.
    pub(crate) file: &'s str,
    pub(crate) layout: &'s Layout,
    pub(crate) escape: char,
    pub(crate) epoch: i64,
    /// The values that a user gave to ARGs.
    pub(crate) args: &'s BTreeMap<String, String>,
    /// The ARGs before the first FROM.
    pub(crate) globals: &'s BTreeMap<String, String>,
    /// What COPY and ADD see when they name no stage.
    pub(crate) context: &'s Tree,
}

impl State {
    /// A stage on top of a base with this configuration, these layers and this tree.
    pub(crate) fn new(mut config: ImageConfig, layers: Vec<Layer>, tree: Tree) -> Self {
        config.created = None;
        let mut variables = BTreeMap::new();
        if !config.config.env.iter().any(|entry| entry.starts_with("PATH=")) {
            config.config.env.push(format!("PATH={PATH}"));
        }
        for entry in &config.config.env {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            variables.insert(name.to_owned(), value.to_owned());
        }
        Self { config, layers, tree, variables, args: Vec::new(), cmd_set: false }
    }

    /// A stage that begins where this one ended.
    pub(crate) fn child(&self) -> Self {
        Self { cmd_set: false, ..self.clone() }
    }

    /// Runs an instruction. `from` is what its `--from` names.
    pub(crate) fn run(
        &mut self,
        instruction: &Instruction,
        from: Option<&Tree>,
        around: &Surroundings<'_>,
    ) -> Result<(), Refused> {
        match instruction {
            Instruction::Copy(copy) => self.copy(copy, from, around),
            Instruction::Workdir(path) => self.workdir(path, around),
            Instruction::Run(run) => Err(objection(run, None).unwrap_or_default()),
            other => self.configure(other, around),
        }
    }

    fn copy(&mut self, copy: &Copy, from: Option<&Tree>, around: &Surroundings<'_>) -> Result<(), Refused> {
        let copy = self.expand_copy(copy, around)?;
        let owner = copy
            .chown
            .as_deref()
            .map(|text| if copy.link { Owner::numbers(text) } else { Owner::named(text, &self.tree) });
        let mode = copy.chmod.as_deref().map(parse_mode).transpose()?;
        let target = self.target(&copy.target);
        let mut linked = Tree::default();
        // A linked layer does not look at what lies below it.
        let mut edit = Edit::new(if copy.link { &mut linked } else { &mut self.tree }, around.epoch);
        let mut copying = Copying {
            from: from.unwrap_or(around.context),
            at_root: if from.is_some() { AtRoot::Stay } else { AtRoot::Refuse },
            edit: &mut edit,
            owner: owner.transpose()?,
            mode,
            target: &target,
            renamed: false,
        };
        let archives = copy.add.then_some(around.layout);
        let mut refused = Vec::new();
        for source in &copy.sources {
            if let Err(reason) = copying.source(source, archives) {
                refused.push(reason);
            }
        }
        for heredoc in &copy.heredocs {
            if let Err(reason) = copying.heredoc(&heredoc.name, &heredoc.content) {
                refused.push(reason);
            }
        }
        if !refused.is_empty() {
            return Err(refused.join("; "));
        }
        let paths = edit.finish();
        if copy.link {
            for path in &paths {
                let node = linked.node(path).ok_or_else(|| format!("`{path}` was lost"))?;
                self.tree.insert(path.clone(), node.clone());
            }
            self.commit(Plan::new(&linked, &paths), copy_text(&copy), around);
        } else {
            self.commit(Plan::new(&self.tree, &paths), copy_text(&copy), around);
        }
        Ok(())
    }

    /// Where a target is, seen from the root. A slash at its end stays. `..` is taken out of the text, as BuildKit does,
    /// without a look at what is a link.
    fn target(&self, target: &str) -> String {
        let full = match target.strip_prefix('/') {
            Some(_) => target.to_owned(),
            None => format!("{}/{target}", self.config.config.working_dir),
        };
        let clean = format!("/{}", clean(&full));
        let folder = clean.len() > 1
            && (target.is_empty() || target.ends_with('/') || target.split('/').next_back() == Some("."));
        if folder { clean + "/" } else { clean }
    }

    fn expand_copy(&self, copy: &Copy, around: &Surroundings<'_>) -> Result<Copy, Refused> {
        let expand = self.expand(around);
        let word = |text: &String| expand.word(text);
        let flag = |text: &Option<String>| {
            let expanded = text.as_ref().map(word).transpose()?;
            Ok::<_, Refused>(expanded.filter(|text| !text.is_empty()))
        };
        let heredoc = |heredoc: &Heredoc| {
            let content = match heredoc.expand {
                true => expand.document(&heredoc.content)?,
                false => heredoc.content.clone(),
            };
            Ok::<_, Refused>(Heredoc { content, ..heredoc.clone() })
        };
        Ok(Copy {
            chown: flag(&copy.chown)?,
            chmod: flag(&copy.chmod)?,
            sources: copy.sources.iter().map(word).collect::<Result<_, _>>()?,
            heredocs: copy.heredocs.iter().map(heredoc).collect::<Result<_, _>>()?,
            target: word(&copy.target)?,
            ..copy.clone()
        })
    }

    fn workdir(&mut self, path: &str, around: &Surroundings<'_>) -> Result<(), Refused> {
        let path = self.expand(around).word(path)?;
        let joined = if path.starts_with('/') { path } else { format!("{}/{path}", self.config.config.working_dir) };
        let clean = format!("/{}", clean(&joined));
        self.config.config.working_dir.clone_from(&clean);
        let lost = |_| format!("`{clean}` cannot be followed: its links lead in a circle");
        let folder = self.tree.resolve(&clean, true, AtRoot::Stay).map_err(lost)?;
        let text = format!("WORKDIR {clean}");
        if self.tree.is_dir(&folder) {
            self.history(text, true, around);
            return Ok(());
        }
        let user = &self.config.config.user;
        let owner = if user.is_empty() { None } else { Some(Owner::named(user, &self.tree)?) };
        let mut edit = Edit::new(&mut self.tree, around.epoch);
        edit.make_dirs(&folder, owner, 0o755)?;
        let paths = edit.finish();
        self.commit(Plan::new(&self.tree, &paths), text, around);
        Ok(())
    }

    fn expand<'e>(&'e self, around: &Surroundings<'_>) -> Expand<'e> {
        Expand { escape: around.escape, variables: &self.variables }
    }

    fn commit(&mut self, plan: Plan, created_by: String, around: &Surroundings<'_>) {
        self.history(created_by.clone(), false, around);
        self.layers.push(Layer::Planned { plan: Arc::new(plan), created_by });
    }

    fn history(&mut self, created_by: String, empty_layer: bool, around: &Surroundings<'_>) {
        let created = Some(rfc3339(around.epoch));
        self.config.history.push(History { created, created_by: Some(created_by), empty_layer, ..History::default() });
    }
}

fn parse_mode(text: &str) -> Result<u32, Refused> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 => Ok(mode),
        _ => Err(format!("--chmod must be octal, 0 to 7777, found `{text}`; write --chmod=0755 for instance")),
    }
}
