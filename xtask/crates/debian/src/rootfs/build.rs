//! The making of one root file system: the packages' files as they pass, then what is generated.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
};

use super::{
    File, Inputs, Recipe, RootfsError, accounts, alternatives, certificates, database,
    layout::{self, Filter},
    linker,
    package::Package,
    stream::{Entries, Entry, EntryKind},
    tree::Tree,
    writer::{Meta, Writer},
};

/// The name under which the recipe's own paths appear in errors.
const RECIPE: &str = "the recipe";

/// A root file system that is being written.
pub(super) struct Build<'a, W: Write> {
    recipe: &'a Recipe,
    writer: Writer<W>,
    filter: Filter,
    /// Paths that the recipe takes from the packages.
    taken: BTreeSet<String>,
    /// Files whose bytes are looked at again, and those bytes.
    wanted: BTreeSet<String>,
    captured: BTreeMap<String, Vec<u8>>,
    libraries: linker::Libraries,
}

impl<'a, W: Write> Build<'a, W> {
    /// Begins with what must come before the packages: the links into /usr, and directories whose mode the recipe sets.
    pub(super) fn begin(recipe: &'a Recipe, architecture: &str, writer: Writer<W>) -> Result<Self, RootfsError> {
        let place = |path: &str| layout::relative(path).map(layout::placed);
        let paths = recipe.files.iter().map(|file| &file.path).chain(recipe.links.iter().map(|link| &link.path));
        let copies = recipe.files.iter().filter_map(|file| place(file.copy_of.as_deref()?));
        let mut build = Self {
            recipe,
            writer,
            filter: Filter::new(&recipe.exclude, &recipe.include).map_err(|wrong| {
                let line = |text| format!("expected a shell pattern of absolute paths, found `{text}`");
                RootfsError::Recipe(wrong.into_iter().map(line).collect())
            })?,
            taken: paths.filter_map(|path| place(path)).collect(),
            wanted: copies.chain(accounts::MASTERS.map(str::to_owned)).collect(),
            captured: BTreeMap::new(),
            libraries: linker::Libraries::new(architecture),
        };
        for name in ["bin", "lib", "sbin"] {
            build.merge(name)?;
        }
        build.directories()?;
        Ok(build)
    }

    /// Writes the files of one package.
    pub(super) fn package(&mut self, package: &mut Package, entries: &mut Entries<'_>) -> Result<(), RootfsError> {
        while let Some(entry) = entries.next()? {
            if matches!(entry.path.as_str(), "./" | "." | "/") {
                package.list.push("/.".into());
                continue;
            }
            let path = layout::relative(&entry.path)
                .ok_or_else(|| RootfsError::Path { package: package.name.clone(), path: entry.path.clone() })?
                .to_owned();
            let result = self.entry(package, &path, &entry, entries);
            // That the package cannot be read explains whatever failed in writing it.
            if let Some(failure) = entries.failure() {
                return Err(failure.into());
            }
            result?;
        }
        Ok(())
    }

    /// Ends with what the maintainer scripts would have made. Returns the number of entries.
    pub(super) fn finish(mut self, packages: &[Package], inputs: &Inputs<'_>) -> Result<usize, RootfsError> {
        self.generate(packages, inputs)?.write(&mut self.writer)?;
        self.writer.finish()
    }

    /// Makes the root's link into /usr of this name, if it is not there.
    fn merge(&mut self, name: &str) -> Result<(), RootfsError> {
        if self.writer.kind(name).is_none() {
            self.writer.directory(&format!("usr/{name}"), Meta::root(0o755), RECIPE)?;
            self.writer.link(name, &format!("usr/{name}"), RECIPE)?;
        }
        Ok(())
    }

    fn directories(&mut self) -> Result<(), RootfsError> {
        let mut directories = BTreeMap::new();
        let mut faults = Vec::new();
        for directory in &self.recipe.directories {
            let meta = Meta { mode: directory.mode.0, uid: directory.uid.into(), gid: directory.gid.into() };
            let path = layout::relative(&directory.path).map(layout::placed);
            match path.map(|path| directories.insert(path, meta)) {
                Some(None) => {}
                Some(Some(_)) => faults.push(format!("`{}` is made twice", directory.path)),
                None => faults.push(format!("`{}` is no path within the root", directory.path)),
            }
        }
        if !faults.is_empty() {
            return Err(RootfsError::Recipe(faults));
        }
        directories.into_iter().try_for_each(|(path, meta)| self.writer.directory(&path, meta, RECIPE))
    }

    fn entry(
        &mut self,
        package: &mut Package,
        path: &str,
        entry: &Entry,
        content: &mut dyn Read,
    ) -> Result<(), RootfsError> {
        if let Some(top) = layout::merged(path) {
            self.merge(top)?;
            if path == top {
                package.list.push(format!("/{path}"));
                return Ok(());
            }
        }
        let placed = layout::placed(path);
        let by = package.name.clone();
        let is_file = matches!(entry.kind, EntryKind::File(_) | EntryKind::HardLink(_));
        let replaced = self.taken.contains(&placed);
        let left_out = replaced || self.filter.leaves_out(path, is_file);
        if replaced || !left_out {
            package.list.push(format!("/{path}"));
        }
        if left_out {
            package.left_out.insert(path.to_owned());
        }
        let mut meta = entry.meta;
        if !matches!(entry.kind, EntryKind::Directory) && meta.mode & 0o6000 != 0 && !self.recipe.keep_setuid {
            meta.mode &= 0o777;
            if !left_out {
                package.stripped.push((format!("/{path}"), meta));
            }
        }
        match &entry.kind {
            EntryKind::File(size) => self.file(package, path, placed, meta, &mut content.take(*size)),
            EntryKind::Directory if left_out => {
                self.writer.skip_directory(&placed, meta);
                Ok(())
            }
            EntryKind::Directory => self.writer.directory(&placed, meta, &by),
            EntryKind::Link(_) | EntryKind::HardLink(_) if left_out => Ok(()),
            EntryKind::Link(target) => {
                self.libraries.link(&placed, target);
                self.writer.link(&placed, target, &by)
            }
            EntryKind::HardLink(target) => {
                let wrong = || RootfsError::Path { package: by.clone(), path: target.clone() };
                let target = layout::placed(layout::relative(target).ok_or_else(wrong)?);
                self.writer.hard_link(&placed, &target, meta, &by)
            }
            EntryKind::Other(kind) => {
                let path = entry.path.clone();
                Err(RootfsError::Kind { package: by, path, kind: char::from(*kind) })
            }
        }
    }

    /// Writes a file of a package, unless it is left out, and keeps its bytes if something is made of them.
    fn file(
        &mut self,
        package: &mut Package,
        path: &str,
        placed: String,
        meta: Meta,
        content: &mut std::io::Take<&mut dyn Read>,
    ) -> Result<(), RootfsError> {
        let (name, size, left_out) = (package.name.clone(), content.limit(), package.left_out.contains(path));
        let conffile = package.conffiles.contains_key(&format!("/{path}"));
        let certificate = certificates::is_certificate(&placed) && !left_out;
        let wanted = self.wanted.contains(&placed) || certificate;
        if !conffile && !wanted && !self.libraries.may_hold(&placed) {
            return match left_out {
                true => Ok(()),
                false => self.writer.file(&placed, meta, size, content, &name),
            };
        }
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(RootfsError::Write)?;
        if !left_out {
            self.libraries.file(&placed, &bytes);
            self.writer.file(&placed, meta, size, &mut bytes.as_slice(), &name)?;
        }
        if let Some(sum) = package.conffiles.get_mut(&format!("/{path}")).filter(|_| !left_out) {
            *sum = Some(database::md5(&bytes));
        }
        if wanted {
            self.captured.insert(placed, bytes);
        }
        Ok(())
    }

    fn generate(&self, packages: &[Package], inputs: &Inputs<'_>) -> Result<Tree, RootfsError> {
        let mut tree = Tree::default();
        let mut faults = Vec::new();
        self.recipe_files(&mut tree, &mut faults);
        alternatives::generate(self.recipe, |path| self.writer.kind(path).is_some(), &mut tree, &mut faults);
        accounts::generate(self.recipe, &self.captured, inputs.epoch, &mut tree, &mut faults);
        let names: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
        certificates::generate(&names, &self.captured, inputs, &mut tree, &mut faults)?;
        if let Some(package) = packages.iter().find(|package| package.name == "libc-bin") {
            self.libraries.generate(&package.version, &mut tree, &mut faults);
        }
        database::generate(packages, self.recipe, &mut tree, &mut faults);
        self.check_links(&tree, &mut faults);
        if faults.is_empty() { Ok(tree) } else { Err(RootfsError::Recipe(faults)) }
    }

    fn recipe_files(&self, tree: &mut Tree, faults: &mut Vec<String>) {
        for file in &self.recipe.files {
            match self.recipe_file(file) {
                Ok(bytes) => {
                    let meta = Meta { mode: file.mode.0, uid: file.uid.into(), gid: file.gid.into() };
                    tree.file(&file.path, meta, bytes, faults);
                }
                Err(fault) => faults.push(fault),
            }
        }
        for link in &self.recipe.links {
            tree.link(&link.path, &link.target, faults);
        }
    }

    fn recipe_file(&self, file: &File) -> Result<Vec<u8>, String> {
        let path = &file.path;
        let mut text = match (&file.content, &file.copy_of) {
            (Some(content), None) => content.clone(),
            (None, Some(origin)) => {
                let bytes = layout::relative(origin).and_then(|origin| self.captured.get(&layout::placed(origin)));
                let bytes = bytes.ok_or_else(|| format!("`{path}` is to copy `{origin}`, which no package holds"))?;
                let text = String::from_utf8(bytes.clone());
                text.map_err(|_| format!("`{path}` is to copy `{origin}`, which is no text in UTF-8"))?
            }
            _ => return Err(format!("`{path}` needs exactly one of content and copy-of")),
        };
        for (old, new) in &file.replace {
            if !text.contains(old) {
                return Err(format!("`{path}` is to replace `{}`, which does not occur", old.trim_end()));
            }
            text = text.replace(old, new);
        }
        Ok(text.into_bytes())
    }

    /// A link of the recipe must lead somewhere, but for what only a running system has.
    fn check_links(&self, tree: &Tree, faults: &mut Vec<String>) {
        const AT_RUN_TIME: [&str; 5] = ["dev", "proc", "run", "sys", "tmp"];
        for link in &self.recipe.links {
            let Some(path) = layout::relative(&link.path) else { continue };
            let target = layout::target_of(path, &link.target);
            let at_run_time = target.split('/').next().is_some_and(|top| AT_RUN_TIME.contains(&top));
            if !at_run_time && self.writer.kind(&target).is_none() && !tree.contains(&target) {
                faults.push(format!("the link `{}` leads to `{}`, which is not there", link.path, link.target));
            }
        }
    }
}
