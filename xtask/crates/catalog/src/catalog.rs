//! From the table and the image files to the images themselves and the graph between them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    check,
    coordinate::Coordinate,
    image::{
        Content, ContentFile, Image, ImageFile, ImageRef, Jar, Only, PythonSet, ShimOf, Smoke, Stage, StageFile,
        Variant, folder_of,
    },
    lock::Lock,
    pin::{Pin, Pins},
    platform::Platform,
    problem::{Collector, Problems, Source, nearest},
    reader::{At, Sink},
    request::python_key,
    shims::{Shims, digits},
    table::{Origin, Spark, Table},
    template::Scope,
};

/// The checked table and all images that follow from it, every parent before its children.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The table.
    pub table: Table,
    /// The Spark tree that takes the place of one version's archive.
    pub local: Option<Local>,
    images: Vec<Image>,
    pins: Vec<Pin>,
}

/// A Spark tree of the user's own. It is built as the version of the table that it is nearest to, and its images carry a
/// version and tags of their own: the table's tags never move to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The version of the table that it takes the place of, `3.5.7`.
    pub spark: String,
    /// The version that its pom names, `3.5.8-SNAPSHOT`.
    pub version: String,
    /// The version that PySpark gives itself: `3.5.8.dev0` where Maven's is `3.5.8-SNAPSHOT`.
    pub pyspark: String,
    /// What its content is told apart by: the end of every tag, behind `-src.`.
    pub hash: String,
}

impl Catalog {
    /// Reads the table and the image files.
    ///
    /// # Errors
    /// All that is wrong with any of them, each with its place and what to do about it.
    pub fn read(table: &Source, image_files: &[Source]) -> Result<Self, Problems> {
        Self::read_with(table, image_files, |_| Ok(None))
    }

    /// Reads the table and the image files. `local` sees a table with nothing wrong, and may name a tree that takes the
    /// place of one version's archive.
    ///
    /// # Errors
    /// As [`Catalog::read`], and what `local` reports.
    pub fn read_with<E: From<Problems>>(
        table: &Source,
        image_files: &[Source],
        local: impl FnOnce(&Table) -> Result<Option<Local>, E>,
    ) -> Result<Self, E> {
        let sink: Sink = RefCell::default();
        let files: Vec<ImageFile> = image_files.iter().filter_map(|source| ImageFile::read(source, &sink)).collect();
        let source = table;
        let table = Table::read(table, &sink);
        let local = match &table {
            Some(table) if sink.borrow().is_empty() => local(table)?,
            _ => None,
        };
        let catalog = table.map(|table| {
            let mut builder = Builder {
                table: &table,
                local: local.as_ref(),
                sink: &sink,
                images: Vec::new(),
                used_substitutes: BTreeSet::new(),
                plugins: BTreeSet::new(),
                pins: Pins::default(),
            };
            files.iter().for_each(|file| builder.expand(file));
            let pins = std::mem::take(&mut builder.pins);
            let images = builder.finish();
            table.legacy.check(&source.path, &images, &sink);
            (images, pins, table)
        });
        let sources: Vec<Source> = [source].into_iter().chain(image_files).cloned().collect();
        let catalog = catalog.map(|(images, pins, table)| {
            let pins = pins.in_sources(&sources);
            Catalog { table, local, images, pins }
        });
        let problems: Collector = sink.into_inner();
        problems.finish(&sources)?;
        Ok(catalog.expect("a table that cannot be read is a problem"))
    }

    /// All images, every parent before its children, otherwise in the order of their names.
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// Which versions the images ask for, and where each is written.
    pub fn pins(&self) -> &[Pin] {
        &self.pins
    }

    /// The image of this name and tag; further tags count.
    pub fn image(&self, reference: &ImageRef) -> Option<&Image> {
        self.images.iter().find(|image| image.reference == *reference || image.also.contains(reference))
    }

    /// The image and all images below it, parents first.
    pub fn with_ancestors(&self, wanted: &BTreeSet<ImageRef>) -> Vec<&Image> {
        let mut needed = wanted.clone();
        for image in self.images.iter().rev() {
            if needed.contains(&image.reference) {
                needed.extend(image.parents.values().cloned());
            }
        }
        self.images.iter().filter(|image| needed.contains(&image.reference)).collect()
    }

    /// What proves an image: what proves everything it stands on, lowest first, then its own.
    pub fn smoke(&self, image: &Image) -> Smoke {
        let mut smoke = Smoke::default();
        for image in self.with_ancestors(&BTreeSet::from([image.reference.clone()])) {
            smoke.extend(&image.smoke);
        }
        smoke.extend(&image.own_smoke);
        smoke
    }

    /// The Python packages of an image and of all it stands on, as `name==version`: those of the sets that the lock
    /// answers.
    pub fn python(&self, lock: &Lock, platform: Platform, image: &Image) -> BTreeSet<String> {
        let images = self.with_ancestors(&BTreeSet::from([image.reference.clone()]));
        let stages = images.iter().flat_map(|image| &image.stages).filter(|stage| stage.is_for(platform));
        let sets = stages.filter_map(|stage| match &stage.content {
            Content::Python(set) => lock.sets.get(&python_key(&set.name, platform)),
            _ => None,
        });
        let packages = sets.flat_map(|set| &set.members).filter_map(|member| match member {
            Coordinate::Pypi { name, version, .. } => Some(format!("{name}=={version}")),
            _ => None,
        });
        packages.collect()
    }
}

/// An image whose parents are still names.
struct Draft<'a> {
    image: Image,
    file: &'a ImageFile,
    parents: Vec<(String, At<String>)>,
    python: Vec<(usize, Vec<String>)>,
}

struct Builder<'a> {
    table: &'a Table,
    local: Option<&'a Local>,
    sink: &'a Sink,
    images: Vec<Draft<'a>>,
    used_substitutes: BTreeSet<usize>,
    plugins: BTreeSet<String>,
    pins: Pins,
}

impl<'a> Builder<'a> {
    fn note<T>(&self, at: &At<T>, message: impl Into<String>, help: impl Into<String>) {
        self.sink.borrow_mut().add(&at.path, at.span.clone(), message).help(help);
    }

    /// One draft for each Spark version and variant of the file.
    fn expand(&mut self, file: &'a ImageFile) {
        let sparks = self.sparks_of(file);
        for spark in sparks {
            if file.variants.is_empty() {
                self.draft(file, spark, None);
            }
            for variant in &file.variants {
                self.draft(file, spark, Some(variant));
            }
        }
    }

    fn sparks_of(&self, file: &ImageFile) -> Vec<Option<&'a Spark>> {
        if !file.per_spark {
            return vec![None];
        }
        if file.sparks.is_empty() {
            return self.table.sparks.values().map(Some).collect();
        }
        let known = |at: &At<String>| {
            let spark = self.table.sparks.get(&at.value);
            if spark.is_none() {
                let why = self.table.why_not(&at.value);
                let (message, help) = why.split_once('\n').unwrap_or((&why, ""));
                self.note(at, message, help);
            }
            spark.map(Some)
        };
        file.sparks.iter().filter_map(known).collect()
    }

    fn scope(&self, spark: Option<&Spark>, variant: Option<&Variant>) -> Scope {
        let mut scope = Scope::default();
        // `3.11` of `3.11.2`: packages and folders are named by it.
        let python: Vec<&str> = self.table.debian.python.splitn(3, '.').take(2).collect();
        scope.set("python", &python.join("."));
        scope.set("suite", self.table.debian.suites.first().map_or("", String::as_str));
        for (name, value) in self.table.versions.iter().chain(spark.iter().flat_map(|spark| &spark.versions)) {
            scope.set(name, &value.value);
        }
        if let Some(spark) = spark {
            scope.set("spark", &spark.version);
            scope.set("pyspark", &spark.version);
            scope.set("line", &spark.line);
            scope.set("scala", &spark.scala);
        }
        if let Some(variant) = variant {
            scope.set("variant", &variant.name.value);
        }
        scope
    }

    /// `{PLUGIN-shim}` for each plugin of the file: the shim that it takes with this Spark. Whether one is forced.
    fn set_shims(&mut self, file: &ImageFile, spark: Option<&Spark>, scope: &mut Scope) -> bool {
        let Some(spark) = spark else { return false };
        let mut is_forced = false;
        for Shims { plugin, .. } in file.stages.iter().filter_map(|stage| stage.shims.as_ref()) {
            let forced = spark.shims.get(plugin);
            is_forced |= forced.is_some();
            let shim = forced.map_or_else(|| digits(&spark.version), |forced| forced.take.clone());
            scope.set(&format!("{plugin}-shim"), &shim);
            self.plugins.insert(plugin.clone());
        }
        is_forced
    }

    fn draft(&mut self, file: &'a ImageFile, spark: Option<&Spark>, variant: Option<&'a Variant>) {
        // What is looked for, in the repository and in registries, goes by the table's version; what the image says of
        // itself goes by its own.
        let mut scope = self.scope(spark, variant);
        let is_forced = self.set_shims(file, spark, &mut scope);
        // An image that holds no Spark and stands on no other is the same whatever tree is built.
        let has_spark = |stage: &StageFile| matches!(stage.content, ContentFile::Spark(_));
        let holds = !file.parents.is_empty() || file.stages.iter().any(has_spark);
        let local = self.local.filter(|local| holds && spark.is_some_and(|spark| spark.version == local.spark));
        let mut own = scope.clone();
        if let Some(local) = local {
            own.set("spark", &local.version);
            own.set("pyspark", &local.pyspark);
        }
        let suffix = local.map_or_else(String::new, |local| format!("-src.{}", local.hash));
        let render = |at: &At<String>| own.render(at, self.sink);
        let render_map = |map: &[(String, At<String>)]| {
            map.iter().map(|(key, at)| (key.clone(), render(at))).collect::<BTreeMap<_, _>>()
        };
        let name = render(&file.name);
        let templates = variant.map(|variant| &variant.tags).filter(|tags| !tags.is_empty()).unwrap_or(&file.tags);
        let mut tags: Vec<ImageRef> =
            templates.iter().map(|tag| ImageRef { name: name.clone(), tag: render(tag) + &suffix }).collect();
        for tag in &tags {
            check::tag(tag, file, self.sink);
        }
        if tags.is_empty() {
            tags.push(ImageRef { name, tag: String::new() });
        }
        let folder = folder_of(&file.path);
        let applies = |only: &Only| {
            self.variants_known(file, only);
            let has = |list: &[At<String>], value: Option<&str>| {
                list.is_empty() || list.iter().any(|at| Some(at.value.as_str()) == value)
            };
            only.shim.is_none_or(|shim| (shim == ShimOf::Forced) == is_forced)
                && has(&only.variants, variant.map(|variant| variant.name.value.as_str()))
                && has(&only.sparks, spark.map(|spark| spark.version.as_str()))
        };
        let reference = tags.remove(0);
        let mut parents: BTreeMap<&String, &At<String>> = file.parents.iter().map(|(arg, at)| (arg, at)).collect();
        parents.extend(variant.iter().flat_map(|variant| &variant.parents).map(|(arg, at)| (arg, at)));
        let parents = parents.into_iter().map(|(arg, at)| (arg.clone(), at.map(scope.render(at, self.sink)))).collect();
        let group = variant.and_then(|variant| variant.group.as_ref()).or(file.group.as_ref()).map(|at| {
            if !self.table.groups.contains_key(&at.value) {
                let known = self.table.groups.keys().cloned().collect::<Vec<_>>().join(", ");
                self.note(at, format!("there is no group `{}`", at.value), format!("groups of the table: {known}"));
            }
            at.value.clone()
        });
        let mut image = Image {
            reference,
            also: tags,
            id: file.id.value.clone(),
            about: render(&file.about),
            spark: spark.map(|spark| spark.version.clone()),
            variant: variant.map(|variant| variant.name.value.clone()),
            group,
            file: file.path.clone(),
            dockerfile: format!("{folder}/{}", scope.render(&file.dockerfile, self.sink)),
            target: file.target.as_ref().map(render),
            network: file.network,
            parents: BTreeMap::new(),
            args: render_map(&file.args),
            labels: render_map(&file.labels),
            stages: Vec::new(),
            smoke: Smoke::default(),
            own_smoke: Smoke::default(),
        };
        let stage_files: Vec<&StageFile> = file.stages.iter().filter(|stage| applies(&stage.only)).collect();
        for part in file.smoke.iter().filter(|part| applies(&part.only)) {
            let list = |list: &[At<String>]| list.iter().map(render).collect();
            let smoke = if part.only_here { &mut image.own_smoke } else { &mut image.smoke };
            smoke.extend(&Smoke {
                checks: list(&part.checks),
                jobs: list(&part.jobs),
                writable: list(&part.writable),
                readable: list(&part.readable),
                expect: render_map(&part.expect),
                defaults: render_map(&part.defaults),
            });
        }
        let mut draft = Draft { image, file, parents, python: Vec::new() };
        for stage in stage_files {
            let content = self.content(stage, (&scope, &own), spark, &mut draft);
            let (into, platforms) = (stage.into.value.clone(), stage.platforms.clone());
            draft.image.stages.push(Stage { into, content, origin: stage.origin, platforms });
        }
        self.images.push(draft);
    }

    fn variants_known(&self, file: &ImageFile, only: &Only) {
        for at in &only.variants {
            if !file.variants.iter().any(|variant| variant.name.value == at.value) {
                let known =
                    file.variants.iter().map(|variant| variant.name.value.as_str()).collect::<Vec<_>>().join(", ");
                self.note(at, format!("the image has no variant `{}`", at.value), format!("its variants: {known}"));
            }
        }
    }

    fn content(
        &mut self,
        stage: &StageFile,
        (scope, own): (&Scope, &Scope),
        spark: Option<&Spark>,
        draft: &mut Draft<'a>,
    ) -> Content {
        let folder = folder_of(&draft.file.path);
        let render_all = |list: &[At<String>]| list.iter().map(|at| scope.render(at, self.sink)).collect::<Vec<_>>();
        let render_map = |map: &[(String, At<String>)]| {
            map.iter()
                .map(|(name, at)| (own.render(&at.map(name.clone()), self.sink), own.render(at, self.sink)))
                .collect()
        };
        match &stage.content {
            ContentFile::Maven(jars) => {
                jars.iter().for_each(|at| self.pins.jar(at, scope, spark, self.table));
                let release = stage.origin != Some(Origin::Source);
                let jars = jars.iter().filter_map(|at| self.jar(at, scope, spark, release));
                Content::Maven(jars.map(|jar| Jar { shims: stage.shims.clone(), ..jar }).collect())
            }
            ContentFile::Folder(at) => Content::Folder(format!("{folder}/{}", scope.render(at, self.sink))),
            ContentFile::File(at) => Content::File(format!("{folder}/{}", scope.render(at, self.sink))),
            ContentFile::Python(requirements) => {
                requirements.iter().for_each(|at| self.pins.requirement(at, scope, spark, self.table));
                let requirements = render_all(requirements);
                draft.python.push((draft.image.stages.len(), requirements.clone()));
                let parts = [Some(&draft.image.id), draft.image.variant.as_ref(), draft.image.spark.as_ref()];
                let name = parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
                Content::Python(PythonSet { name, requirements, on: Vec::new() })
            }
            ContentFile::Spark(leave_out) => {
                if spark.is_none() {
                    self.note(&stage.into, "the Spark home of no Spark version", "add `per = \"spark\"` to the image");
                }
                Content::Spark { leave_out: render_all(leave_out) }
            }
            ContentFile::Links(map) => Content::Links(render_map(map)),
            ContentFile::Texts(map) => Content::Texts(render_map(map)),
            ContentFile::Debian { packages, recipe } => Content::Debian {
                packages: render_all(packages),
                recipe: format!("{folder}/{}", scope.render(recipe, self.sink)),
            },
        }
    }

    fn jar(&mut self, at: &At<String>, scope: &Scope, spark: Option<&Spark>, release: bool) -> Option<Jar> {
        let text = scope.render(at, self.sink);
        let maven: crate::Maven = match text.parse() {
            Ok(maven) => maven,
            Err(error) => {
                self.note(at, format!("{error}"), "write `group:artifact:version`");
                return None;
            }
        };
        check::jar(&maven, at, spark, self.table, self.sink);
        let substitute = self.table.substitutes.iter().enumerate().find(|(_, substitute)| substitute.artifact == maven);
        let Some((index, substitute)) = substitute.filter(|_| release) else {
            return Some(Jar { maven, instead_of: None, shims: None });
        };
        self.used_substitutes.insert(index);
        let taken = crate::Maven { version: substitute.version.clone(), ..maven.clone() };
        Some(Jar { maven: taken, instead_of: Some((maven, substitute.reason.clone())), shims: None })
    }

    fn finish(mut self) -> Vec<Image> {
        self.same_tags();
        for (index, substitute) in self.table.substitutes.iter().enumerate() {
            if !self.used_substitutes.contains(&index) {
                let message = format!("nothing asks for {}, which the table substitutes", substitute.artifact);
                self.sink
                    .borrow_mut()
                    .add("docker/versions.toml", 0..0, message)
                    .help("remove the [[substitute]] entry");
            }
        }
        for forced in self.table.sparks.values().flat_map(|spark| spark.shims.values()) {
            if !self.plugins.contains(&forced.plugin.value) {
                let message = format!("no image has a plugin `{}`", forced.plugin.value);
                let known = self.plugins.iter().cloned().collect::<Vec<_>>().join(", ");
                self.note(&forced.plugin, message, format!("plugins are what stages call so in `shims`: {known}"));
            }
        }
        let drafts = std::mem::take(&mut self.images);
        let mut by_id: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, draft) in drafts.iter().enumerate() {
            by_id.entry(&draft.image.id).or_default().push(index);
        }
        let edges: Vec<BTreeMap<String, usize>> =
            drafts.iter().map(|draft| self.parents_of(draft, &drafts, &by_id)).collect();
        let order = self.topological(&drafts, &edges);
        let references: Vec<ImageRef> = drafts.iter().map(|draft| draft.image.reference.clone()).collect();
        let mut sets: Vec<Vec<String>> = vec![Vec::new(); drafts.len()];
        let mut drafts: Vec<Option<Draft<'_>>> = drafts.into_iter().map(Some).collect();
        let mut images = Vec::new();
        for index in order {
            let Some(mut draft) = drafts[index].take() else { continue };
            let mut on: Vec<String> = Vec::new();
            for name in edges[index].values().flat_map(|&parent| sets[parent].clone()) {
                if !on.contains(&name) {
                    on.push(name);
                }
            }
            let mut image = draft.image;
            image.parents =
                edges[index].iter().map(|(arg, &parent)| (arg.clone(), references[parent].clone())).collect();
            for (stage, _) in draft.python.drain(..) {
                if let Content::Python(set) = &mut image.stages[stage].content {
                    set.on.clone_from(&on);
                    on.push(set.name.clone());
                }
            }
            sets[index] = on;
            images.push(image);
        }
        images
    }

    fn same_tags(&self) {
        let mut seen: BTreeMap<ImageRef, &str> = BTreeMap::new();
        for draft in &self.images {
            for reference in draft.image.references() {
                if let Some(other) = seen.insert(reference.clone(), &draft.image.file) {
                    let place = draft.file.tags.first().unwrap_or(&draft.file.name);
                    let message = format!("two images are called {reference}: this one and one of {other}");
                    self.note(place, message, "put {spark} or {variant} into the tag, or choose another name");
                }
            }
        }
    }

    /// The parents of an image, by build argument. `by_id` has the places of all images.
    fn parents_of(
        &self,
        draft: &Draft<'_>,
        all: &[Draft<'_>],
        by_id: &BTreeMap<&str, Vec<usize>>,
    ) -> BTreeMap<String, usize> {
        let mut edges = BTreeMap::new();
        for (arg, at) in &draft.parents {
            let (id, variant) = at.value.split_once(':').map_or((at.value.as_str(), None), |(id, v)| (id, Some(v)));
            let of_id = by_id.get(id).map_or(&[][..], Vec::as_slice);
            let fits = |other: &usize| {
                let other = &all[*other].image;
                (other.spark.is_none() || other.spark == draft.image.spark) && other.variant.as_deref() == variant
            };
            match of_id.iter().copied().filter(fits).collect::<Vec<usize>>().as_slice() {
                [parent] => {
                    edges.insert(arg.clone(), *parent);
                }
                _ if of_id.is_empty() => {
                    let help = match nearest(id, by_id.keys().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("images: {}", by_id.keys().copied().collect::<Vec<_>>().join(", ")),
                    };
                    self.note(at, format!("unknown parent `{id}`"), help);
                }
                _ => {
                    let variants: BTreeSet<&str> =
                        of_id.iter().filter_map(|&other| all[other].image.variant.as_deref()).collect();
                    let help = match variants.is_empty() {
                        true => format!("write `{id}`; it must exist for this image's Spark version"),
                        false => format!(
                            "write `{id}:VARIANT`, one of {}",
                            variants.into_iter().collect::<Vec<_>>().join(", ")
                        ),
                    };
                    self.note(at, format!("no image `{}` for {}", at.value, draft.image.reference), help);
                }
            }
        }
        edges
    }

    /// Parents before children, otherwise by name. A cycle is noted at each image that is part of it or stands on it.
    fn topological(&self, drafts: &[Draft<'_>], edges: &[BTreeMap<String, usize>]) -> Vec<usize> {
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); drafts.len()];
        let mut missing: Vec<usize> = vec![0; drafts.len()];
        for (child, parents) in edges.iter().enumerate() {
            for &parent in parents.values() {
                children[parent].push(child);
                missing[child] += 1;
            }
        }
        let name = |index: usize| (drafts[index].image.reference.clone(), index);
        let mut ready: BTreeSet<(ImageRef, usize)> =
            (0..drafts.len()).filter(|&index| missing[index] == 0).map(name).collect();
        let mut order = Vec::with_capacity(drafts.len());
        while let Some((_, index)) = ready.pop_first() {
            order.push(index);
            for &child in &children[index] {
                missing[child] -= 1;
                if missing[child] == 0 {
                    ready.insert(name(child));
                }
            }
        }
        if let Some(start) = (0..drafts.len()).find(|&index| missing[index] > 0) {
            self.note_cycle(start, drafts, edges, &missing);
        }
        order
    }

    fn note_cycle(&self, start: usize, drafts: &[Draft<'_>], edges: &[BTreeMap<String, usize>], missing: &[usize]) {
        // Every image that is left has a parent that is left: going from parent to parent must come back.
        let mut path = vec![start];
        let cycle = loop {
            let at = path[path.len() - 1];
            let Some(&parent) = edges[at].values().find(|&&parent| missing[parent] > 0) else { return };
            if let Some(from) = path.iter().position(|&seen| seen == parent) {
                break path.split_off(from);
            }
            path.push(parent);
        };
        let mut names: Vec<&str> = cycle.iter().map(|&index| drafts[index].image.id.as_str()).collect();
        names.push(names[0]);
        let message = format!("the images stand on each other: {}", names.join(" -> "));
        let place = drafts[cycle[0]].parents.first().map(|(_, at)| at);
        self.note(place.unwrap_or(&drafts[cycle[0]].file.name), message, "take one of these parents away");
    }
}
