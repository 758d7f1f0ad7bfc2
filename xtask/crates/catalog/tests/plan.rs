//! Lock, plan and selection on a small tree: base <- custom <- layer <- runtime.

use std::collections::BTreeMap;

use blob::Digest;
use catalog::{
    Artifact, Catalog, Content, Decision, Image, ImageRef, Inputs, Local, Lock, LockError, LockedCatalog, LockedShims,
    Origin, Origins, Plan, Platform, Problems, Reason, Record, Request, Requests, SelectError, Selection, Source,
    Stale, Unfit, Unresolved,
};

const TABLE: &str = include_str!("table.toml");

const IMAGES: [(&str, &str); 4] = [
    ("base", "name = \"base\"\nabout = \"a\"\ntags = [\"1\"]\n"),
    (
        "custom",
        "name = \"custom\"\nabout = \"a\"\nper = \"spark\"\ntags = [\"{spark}\"]\n[parents]\nPARENT = \"base\"\n\
         [[stage]]\ninto = \"jars/\"\nmaven = [\"g:shared:1\", \"g:own_{scala}:{spark}\"]\n[[smoke]]\nonly-here = true\njobs = [\"long.sh\"]\n[[smoke]]\nchecks = [\"spark\"]\nexpect = { SPARK = \"{spark}\" }\n",
    ),
    (
        "layer",
        "name = \"layer\"\nabout = \"a\"\nper = \"spark\"\ntags = [\"{spark}-{variant}\"]\n[parents]\nPARENT = \"custom\"\n\
         [[stage]]\ninto = \"python/\"\nvariants = [\"b\"]\npython = [\"x==1\"]\n[variants.a]\n[variants.b]\ngroup = \"gpu\"\n\
         [[smoke]]\nchecks = [\"spark\", \"layer\"]\n[[smoke]]\nvariants = [\"b\"]\njobs = [\"b.sh\"]\n",
    ),
    (
        "runtime",
        "name = \"runtime\"\nabout = \"a\"\nper = \"spark\"\ntags = [\"{spark}\", \"{line}\"]\n[parents]\nPARENT = \"layer:a\"\n",
    ),
];

fn catalog_of(table: &str) -> Catalog {
    catalog_with(table, IMAGES)
}

fn catalog_with(table: &str, images: [(&str, &str); 4]) -> Catalog {
    let source = |path: String, text: &str| Source { path, text: text.into() };
    let images = images.map(|(id, text)| source(format!("docker/{id}/image.toml"), text));
    Catalog::read(&source("docker/versions.toml".into(), table), &images)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

fn catalog() -> Catalog {
    catalog_of(TABLE)
}

/// A lock that answers everything, with digests that follow from the names.
fn lock_for(catalog: &Catalog) -> Lock {
    let requests = Requests::of(catalog);
    let mut lock = Lock { requests: Some(requests.digest()), ..Lock::default() };
    for request in requests.iter() {
        let key = request.key();
        match request {
            Request::Maven(_) => {
                let id: catalog::Coordinate = key.parse().unwrap();
                let artifact = Artifact { id: id.clone(), size: 1, sha256: Digest::of(key.as_bytes()), path: None };
                lock.artifacts.insert(id, artifact);
            }
            Request::Shims { jar, files } => {
                let known = vec!["356".to_owned(), "357".to_owned(), "411".to_owned()];
                let jar = catalog::Coordinate::Maven(jar.clone());
                lock.shims.insert(key, LockedShims { jar, files: files.clone(), known });
            }
            _ => {
                let set = catalog::LockedSet { name: key.clone(), request: request.digest(), members: Vec::new() };
                lock.sets.insert(key, set);
            }
        }
    }
    lock
}

fn stale(locked: Result<LockedCatalog, Unfit>) -> Stale {
    match locked {
        Err(Unfit::Stale(stale)) => stale,
        other => panic!("expected a stale lock, found {other:?}"),
    }
}

fn references(images: &[&Image]) -> Vec<String> {
    images.iter().map(|image| image.reference.to_string()).collect()
}

#[test]
fn parents_come_before_children() {
    let catalog = catalog();
    let order = references(&catalog.images().iter().collect::<Vec<_>>());
    let expected = [
        "base:1",
        "custom:3.5.7",
        "custom:4.1.0",
        "layer:3.5.7-a",
        "layer:3.5.7-b",
        "layer:4.1.0-a",
        "layer:4.1.0-b",
        "runtime:3.5.7",
        "runtime:4.1.0",
    ];
    assert_eq!(order, expected);
}

#[test]
fn children_inherit_the_checks_of_their_parents() {
    let catalog = catalog();
    let runtime = catalog.image(&ImageRef { name: "runtime".into(), tag: "3.5".into() }).unwrap();
    let smoke = catalog.smoke(runtime);
    assert_eq!(smoke.checks, ["spark", "layer"]);
    assert_eq!(smoke.jobs, Vec::<String>::new());
    assert_eq!(smoke.expect["SPARK"], "3.5.7");
    let custom = catalog.image(&ImageRef { name: "custom".into(), tag: "3.5.7".into() }).unwrap();
    assert_eq!(catalog.smoke(custom).jobs, ["long.sh"]);
}

#[test]
fn the_python_packages_of_an_image_are_those_of_the_lock_and_of_its_platform() {
    let runtime = IMAGES[3].1.replace("layer:a", "layer:b");
    let catalog = catalog_with(TABLE, [IMAGES[0], IMAGES[1], IMAGES[2], ("runtime", &runtime)]);
    let mut lock = lock_for(&catalog);
    let platform = catalog.table.default_platform();
    let set = lock.sets.get_mut("python layer b 3.5.7").unwrap();
    set.members = ["pypi:y==2/y-2.whl", "pypi:x==1/x-1.whl"].map(|id| id.parse().unwrap()).into();
    let packages = |name: &str, tag: &str, platform| {
        let image = catalog.image(&ImageRef { name: name.into(), tag: tag.into() }).unwrap();
        catalog.python(&lock, platform, image).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(packages("runtime", "3.5", platform), ["x==1", "y==2"]);
    assert_eq!(packages("runtime", "3.5", "linux/arm64".parse().unwrap()), Vec::<String>::new());
    assert_eq!(packages("custom", "3.5.7", platform), Vec::<String>::new());
}

#[test]
fn a_lock_reads_what_it_writes() {
    let mut lock = lock_for(&catalog());
    let unresolved = Unresolved { request: "maven:g:gone:1".into(), reason: "nobody has it".into() };
    lock.unresolved.insert(unresolved.request.clone(), unresolved);
    let text = lock.to_text().unwrap();
    assert_eq!(Lock::parse(&text).unwrap(), lock);
    assert!(matches!(Lock::parse("format = 9\n"), Err(LockError::Format { found: 9, expected: 1 })));
    assert!(matches!(Lock::parse(&text[..text.len() / 2]), Err(LockError::Syntax(_))));
}

#[test]
fn only_what_is_asked_for_makes_a_lock_stale() {
    let lock = lock_for(&catalog());
    let commented = catalog_of(&format!("# a comment\n{}", TABLE.replace("nobody tried", "still nobody tried")));
    LockedCatalog::new(commented, lock.clone(), Origin::Release).unwrap();
    let older = catalog_of(&TABLE.replace("4.1.0", "4.1.1"));
    let stale = stale(LockedCatalog::new(older, lock, Origin::Release));
    assert_eq!(stale.missing, ["maven:g:own_2.13:4.1.1", "python layer b 4.1.1", "sdist pyspark==4.1.1"]);
    assert_eq!(stale.left_over, ["maven:g:own_2.13:4.1.0", "python layer b 4.1.0", "sdist pyspark==4.1.0"]);
    assert!(stale.to_string().ends_with("to bring it up to date: cargo xtask lock"), "{stale}");
}

#[test]
fn what_nobody_has_blocks_what_needs_it_and_nothing_else() {
    let catalog = catalog();
    let mut lock = lock_for(&catalog);
    let key = "maven:g:own_2.13:4.1.0";
    lock.artifacts.remove(&key.parse().unwrap());
    lock.unresolved.insert(key.into(), Unresolved { request: key.into(), reason: "nobody has it".into() });
    let locked = LockedCatalog::new(catalog, lock, Origin::Release).unwrap();
    let blocked = locked.blocked(Platform::Amd64);
    let names: Vec<String> = blocked.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["custom:4.1.0", "layer:4.1.0-a", "layer:4.1.0-b", "runtime:4.1.0"]);
    assert_eq!(blocked.values().next().unwrap(), &["maven:g:own_2.13:4.1.0: nobody has it"]);
    assert_eq!(blocked.values().nth(1).unwrap(), &["custom:4.1.0 is blocked"]);
}

/// Plans all images; `input` is the one input of each besides its parents, `records` what was built before.
fn plan<'a>(catalog: &'a Catalog, input: impl Fn(&Image) -> String, records: &BTreeMap<String, Record>) -> Plan<'a> {
    let images: Vec<&Image> = catalog.images().iter().collect();
    let inputs = |image: &Image| {
        let mut inputs = Inputs::default();
        inputs.add("Dockerfile", input(image));
        inputs
    };
    Plan::new(Platform::Amd64, &images, &BTreeMap::new(), inputs, |image| {
        records.get(&image.reference.to_string()).cloned().map(Ok)
    })
}

/// Builds a plan: every image's digest follows from its fingerprint, unless `same` says that it comes out as before.
fn build(
    plan: &Plan<'_>,
    records: &BTreeMap<String, Record>,
    same: &[&str],
) -> (BTreeMap<String, Record>, Vec<String>) {
    let mut digests = BTreeMap::new();
    let mut after = records.clone();
    let mut built = Vec::new();
    for planned in &plan.images {
        let name = planned.image.reference.to_string();
        let (decision, inputs) = planned.settle(&digests, records.get(&name).cloned());
        let manifest = match decision {
            Decision::Cached(digest) => digest,
            Decision::Build(_) => {
                built.push(name.clone());
                let before = records.get(&name).filter(|_| same.contains(&name.as_str()));
                before.map_or_else(|| inputs.fingerprint(), |record| record.manifest)
            }
            Decision::Blocked(reasons) => panic!("{reasons:?}"),
        };
        digests.insert(&planned.image.reference, manifest);
        after.insert(name, Record { inputs, manifest });
    }
    (after, built)
}

#[test]
fn a_change_reaches_its_descendants_by_name_and_nothing_else() {
    let catalog = catalog();
    let (records, built) = build(&plan(&catalog, |_| "1".into(), &BTreeMap::new()), &BTreeMap::new(), &[]);
    assert_eq!(built.len(), 9);
    let again = plan(&catalog, |_| "1".into(), &records);
    assert!(again.images.iter().all(|planned| matches!(planned.decision, Decision::Cached(_))));
    let changed = |image: &Image| if image.reference.to_string() == "custom:3.5.7" { "2".into() } else { "1".into() };
    let plan = plan(&catalog, changed, &records);
    let reasons =
        |name: &str| match &plan.images.iter().find(|p| p.image.reference.to_string() == name).unwrap().decision {
            Decision::Build(reasons) => reasons.clone(),
            _ => Vec::new(),
        };
    assert_eq!(reasons("custom:3.5.7"), [Reason::Changed("Dockerfile".into())]);
    assert_eq!(reasons("layer:3.5.7-a"), [Reason::Parent("custom:3.5.7".into())]);
    assert_eq!(reasons("custom:4.1.0"), []);
    let (_, built) = build(&plan, &records, &[]);
    assert_eq!(built, ["custom:3.5.7", "layer:3.5.7-a", "layer:3.5.7-b", "runtime:3.5.7"]);
}

#[test]
fn an_image_whose_parent_came_out_as_before_is_not_built() {
    let catalog = catalog();
    let (records, _) = build(&plan(&catalog, |_| "1".into(), &BTreeMap::new()), &BTreeMap::new(), &[]);
    let changed = |image: &Image| if image.id == "custom" { "2".into() } else { "1".into() };
    let plan = plan(&catalog, changed, &records);
    let (_, built) = build(&plan, &records, &["custom:3.5.7"]);
    assert_eq!(built, ["custom:3.5.7", "custom:4.1.0", "layer:4.1.0-a", "layer:4.1.0-b", "runtime:4.1.0"]);
}

fn select(images: &[&str], sparks: &[&str], with: &[&str]) -> Result<Vec<String>, SelectError> {
    let own = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    let selection = Selection { images: own(images), sparks: own(sparks), with: own(with) };
    selection.with_parents(&catalog()).map(|images| references(&images))
}

#[test]
fn a_selection_brings_its_parents() {
    assert_eq!(select(&["layer:3.5.7-a"], &[], &[]).unwrap(), ["base:1", "custom:3.5.7", "layer:3.5.7-a"]);
    assert_eq!(
        select(&["runtime"], &["4.1"], &[]).unwrap(),
        ["base:1", "custom:4.1.0", "layer:4.1.0-a", "runtime:4.1.0"]
    );
    assert_eq!(select(&["runtime:3.5"], &[], &[]).unwrap().last().unwrap(), "runtime:3.5.7");
    assert_eq!(select(&[], &["3.5.7"], &[]).unwrap(), ["base:1", "custom:3.5.7", "layer:3.5.7-a", "runtime:3.5.7"]);
    assert_eq!(select(&[], &[], &["gpu"]).unwrap().len(), 9);
    assert_eq!(select(&[], &[], &[]).unwrap().len(), 7);
}

#[test]
fn a_selection_of_what_is_not_there_says_what_is() {
    let error = |images: &[&str], sparks: &[&str], with: &[&str]| select(images, sparks, with).unwrap_err().to_string();
    assert!(error(&["custm"], &[], &[]).contains("did you mean `custom`?"));
    assert!(error(&["layer:3.5.7-b"], &[], &[]).contains("add `--with gpu`"));
    assert!(error(&["custom:3.5.7"], &["4.1.0"], &[]).contains("it is not built for Spark 4.1.0"));
    assert!(error(&[], &["3.5.8"], &[]).contains("nobody tried\nto add it: cargo xtask add-version 3.5.8"));
    assert!(error(&[], &[], &["gpo"]).contains("groups: gpu"));
}

#[test]
fn a_tree_of_the_users_own_takes_the_place_of_a_version_and_moves_no_tag_of_the_table() {
    let source = |path: String, text: &str| Source { path, text: text.into() };
    let images = IMAGES.map(|(id, text)| source(format!("docker/{id}/image.toml"), text));
    let local = Local {
        spark: "3.5.7".into(),
        version: "3.5.8-SNAPSHOT".into(),
        pyspark: "3.5.8.dev0".into(),
        hash: "abc".into(),
    };
    let catalog =
        Catalog::read_with(&source("docker/versions.toml".into(), TABLE), &images, |_| Ok::<_, Problems>(Some(local)))
            .unwrap();
    let names = |selection: &Selection| -> Vec<String> {
        selection.chosen(&catalog).unwrap().iter().map(|image| image.reference.to_string()).collect()
    };
    // What nobody named is what the tree is for, and what that stands on.
    let expected =
        ["base:1", "custom:3.5.8-SNAPSHOT-src.abc", "layer:3.5.8-SNAPSHOT-a-src.abc", "runtime:3.5.8-SNAPSHOT-src.abc"];
    assert_eq!(names(&Selection::default()), expected);
    for spark in ["3.5", "3.5.7", "3.5.8-SNAPSHOT"] {
        assert_eq!(names(&Selection { sparks: vec![spark.into()], ..Selection::default() }), expected, "{spark}");
    }
    assert_eq!(names(&Selection { sparks: vec!["4.1".into()], ..Selection::default() })[1], "custom:4.1.0");
    let of = |name: &str| catalog.images().iter().find(|image| image.reference.to_string() == name).unwrap();
    let runtime = of("runtime:3.5.8-SNAPSHOT-src.abc");
    assert_eq!(runtime.also[0].to_string(), "runtime:3.5-src.abc");
    assert_eq!(catalog.smoke(runtime).expect["SPARK"], "3.5.8-SNAPSHOT");
    // The lock answers it as it is: what registries are asked for goes by the table's version.
    let lock = lock_for(&self::catalog());
    LockedCatalog::new(catalog, lock, Origin::Release).unwrap();
}

#[test]
fn an_archive_that_cannot_be_had_blocks_the_origin_that_compiles_it() {
    let table = TABLE.replacen(
        "[spark.\"4.1.0\"]",
        "[spark.\"3.5.7\".source]\narchive = \"spark.tgz\"\nurls = [\"https://a.example/spark.tgz\"]\nprofiles = []\n[spark.\"4.1.0\"]",
        1,
    );
    let source = |path: String, text: &str| Source { path, text: text.into() };
    let images = IMAGES.map(|(id, text)| {
        let home = "[[stage]]\ninto = \"spark/\"\nspark-home = true\n";
        source(format!("docker/{id}/image.toml"), &if id == "custom" { format!("{text}{home}") } else { text.into() })
    });
    let catalog = Catalog::read(&source("docker/versions.toml".into(), &table), &images).unwrap();
    let mut lock = lock_for(&catalog);
    let key = "archive:spark.tgz";
    lock.sets.remove(key);
    lock.unresolved.insert(key.into(), Unresolved { request: key.into(), reason: "it could not be had".into() });
    let mut locked = LockedCatalog::new(catalog, lock, Origin::Release).unwrap();
    assert!(locked.blocked(Platform::Amd64).is_empty());
    locked.set_origins(Origins { default: Origin::Release, of: [("3.5.7".into(), Origin::Source)].into() });
    let blocked = locked.blocked(Platform::Amd64);
    assert_eq!(blocked.values().next().unwrap(), &["archive:spark.tgz: it could not be had"]);
    let custom = locked.catalog().images().iter().find(|image| image.reference.to_string() == "custom:3.5.7").unwrap();
    assert_eq!(locked.unresolved(Platform::Amd64, custom), [key]);
    assert_eq!(locked.origin_labels(Platform::Amd64, custom)["io.spark-images.origin"], "source");
    assert!(!blocked.keys().any(|image| image.tag.starts_with('4')));
}

/// The table for two platforms, or for these.
fn on(platforms: &str) -> Catalog {
    catalog_of(&TABLE.replace("platforms = [\"linux/amd64\"]", &format!("platforms = [{platforms}]")))
}

#[test]
fn a_command_is_about_what_it_is_told_or_about_this_machine() {
    let names = |catalog: &Catalog, asked: &[&str]| {
        let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
        let platforms = catalog.table.platforms(&asked)?;
        Ok::<_, String>(platforms.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let both = on("\"linux/amd64\", \"linux/arm64\"");
    // In the table's order, each once.
    let asked = ["linux/arm64", "linux/amd64", "linux/arm64"];
    assert_eq!(names(&both, &asked).unwrap(), ["linux/amd64", "linux/arm64"]);
    let host = Platform::host().unwrap_or(Platform::Amd64);
    assert_eq!(names(&both, &[]).unwrap(), [host.to_string()]);
    let (other, text) = match host {
        Platform::Amd64 => (Platform::Arm64, "\"linux/arm64\""),
        Platform::Arm64 => (Platform::Amd64, "\"linux/amd64\""),
    };
    assert_eq!(on(text).table.default_platform(), other, "the main one where the table does not have this machine's");
    let error = names(&both, &["linux/arm64/v8"]).unwrap_err();
    assert_eq!(error, "`linux/arm64/v8` is no platform: expected linux/amd64 or linux/arm64");
    let error = names(&on("\"linux/amd64\""), &["linux/arm64"]).unwrap_err();
    assert!(error.starts_with("docker/versions.toml does not build for linux/arm64: it has linux/amd64\n"), "{error}");
}

#[test]
fn a_platform_is_added_to_a_lock_that_knew_of_none() {
    let one = catalog();
    let old = lock_for(&one);
    let text = old.to_text().unwrap();
    assert!(text.contains("name = \"python layer b 3.5.7\"\n"), "{text}");
    let both = on("\"linux/amd64\", \"linux/arm64\"");
    let stale = stale(LockedCatalog::new(both.clone(), Lock::parse(&text).unwrap(), Origin::Release));
    assert_eq!(stale.missing, ["python layer b 3.5.7 linux/arm64", "python layer b 4.1.0 linux/arm64"]);
    assert_eq!(stale.left_over, Vec::<String>::new());
    let new = lock_for(&both);
    assert!(old.sets.iter().all(|(key, set)| new.sets.get(key) == Some(set)), "something moved");
    assert_eq!(old.artifacts, new.artifacts, "jars are for every processor");
    assert_eq!(Lock::parse(&new.to_text().unwrap()).unwrap(), new);
    // The order says which is the main one, and changes no answer.
    let turned = Requests::of(&on("\"linux/arm64\", \"linux/amd64\""));
    assert!(new.answers(&turned));
}

#[test]
fn what_a_platform_lacks_blocks_images_of_that_platform_alone() {
    let both = on("\"linux/amd64\", \"linux/arm64\"");
    let mut lock = lock_for(&both);
    let key = "python layer b 4.1.0 linux/arm64";
    lock.sets.remove(key);
    lock.unresolved.insert(key.into(), Unresolved { request: key.into(), reason: "no wheel".into() });
    let locked = LockedCatalog::new(both, lock, Origin::Release).unwrap();
    assert!(locked.blocked(Platform::Amd64).is_empty());
    let blocked = locked.blocked(Platform::Arm64);
    let blocked: Vec<String> = blocked.iter().map(|(name, why)| format!("{name}: {}", why.join("; "))).collect();
    assert_eq!(blocked, ["layer:4.1.0-b: python layer b 4.1.0 linux/arm64: no wheel"]);
}

#[test]
fn a_stage_may_be_for_one_platform() {
    let text = "name = \"x\"\nabout = \"a\"\ntags = [\"1\"]\n\
                [[stage]]\ninto = \"jars/\"\nplatforms = [\"linux/amd64\"]\nmaven = [\"g:x:1\"]\n\
                [[stage]]\ninto = \"jars/\"\nplatforms = [\"linux/arm64\"]\nmaven = [\"g:x:1:arm64\"]\n";
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let keys = |platforms: &str| {
        let table = TABLE.replace("platforms = [\"linux/amd64\"]", &format!("platforms = [{platforms}]"));
        let files = [source("docker/x/image.toml", text)];
        let catalog = Catalog::read(&source("docker/versions.toml", &table), &files).unwrap();
        let locked = LockedCatalog::new(catalog.clone(), lock_for(&catalog), Origin::Release).unwrap();
        let image = &catalog.images()[0];
        let of = |platform| {
            let stages = locked.stages(platform, image);
            let artifacts = stages.flat_map(|stage| locked.artifacts(platform, image, stage));
            artifacts.map(|artifact| artifact.id.to_string()).collect::<Vec<_>>()
        };
        (of(Platform::Amd64), of(Platform::Arm64), locked.lock().artifacts.len())
    };
    let (amd64, arm64, all) = keys("\"linux/amd64\", \"linux/arm64\"");
    assert_eq!((amd64, arm64, all), (vec!["maven:g:x:1".to_owned()], vec!["maven:g:x:1:arm64".to_owned()], 2));
    // What no platform of the table needs is not locked.
    assert_eq!(keys("\"linux/amd64\"").2, 1);
}

/// A plugin that knows 3.5.7 and not 4.1.0, below an image that has its jar from it.
const PLUGIN: [(&str, &str); 2] = [
    (
        "plugin",
        "name = \"plugin\"\nabout = \"a\"\nper = \"spark\"\ntags = [\"{spark}\"]\n\
         [[stage]]\ninto = \"jars/\"\nmaven = [\"g:plugin:1\"]\nshims = { plugin = \"p\", files = \"spark*/a\" }\n\
         [[stage]]\ninto = \"on/\"\nshim = \"own\"\ntexts = { a = \"{p-shim}\" }\n\
         [[stage]]\ninto = \"off/\"\nshim = \"forced\"\ntexts = { a = \"{p-shim}\" }\n\
         [[smoke]]\nshim = \"own\"\ndefaults = { a = \"\" }\n[[smoke]]\nexpect = { SHIM = \"{p-shim}\" }\n",
    ),
    (
        "child",
        "name = \"child\"\nabout = \"a\"\nper = \"spark\"\ntags = [\"{spark}\"]\n[parents]\nPARENT = \"plugin\"\n",
    ),
];

fn with_plugin(shims: &str) -> Result<LockedCatalog, Unfit> {
    let source = |path: String, text: &str| Source { path, text: text.into() };
    let images = PLUGIN.map(|(id, text)| source(format!("docker/{id}/image.toml"), text));
    let table = TABLE.replace("scala = \"2.13\"\n", &format!("scala = \"2.13\"\n{shims}"));
    let catalog = Catalog::read(&source("docker/versions.toml".into(), &table), &images)
        .unwrap_or_else(|problems| panic!("{problems}"));
    let lock = lock_for(&catalog);
    assert_eq!(Lock::parse(&lock.to_text().unwrap()).unwrap(), lock);
    LockedCatalog::new(catalog, lock, Origin::Release)
}

#[test]
fn a_plugin_knows_its_spark_or_is_told_what_to_take() {
    let entry =
        |take: &str| format!("[spark.\"4.1.0\".shims]\np = {{ take = \"{take}\", reason = \"the nearest\" }}\n");
    let locked = with_plugin(&entry("411")).unwrap();
    let image = |name: &str, tag: &str| {
        locked.catalog().image(&ImageRef { name: name.into(), tag: tag.into() }).unwrap().clone()
    };
    for (tag, into, shim, defaults) in [("3.5.7", "on/", "357", 1), ("4.1.0", "off/", "411", 0)] {
        let plugin = image("plugin", tag);
        let texts = BTreeMap::from([("a".to_owned(), shim.to_owned())]);
        assert_eq!(plugin.stages.len(), 2);
        assert_eq!((plugin.stages[1].into.as_str(), &plugin.stages[1].content), (into, &Content::Texts(texts)));
        assert_eq!((plugin.smoke.defaults.len(), plugin.smoke.expect["SHIM"].as_str()), (defaults, shim));
    }
    let label = ("io.spark-images.shim.p".to_owned(), "shim 411 forced for Spark 4.1.0: the nearest".to_owned());
    assert_eq!(locked.shim_labels(&image("child", "4.1.0")), BTreeMap::from([label]));
    assert_eq!(locked.shim_labels(&image("child", "3.5.7")), BTreeMap::new());
    for (shims, says) in [
        (String::new(), "g:plugin:1 does not know Spark 4.1.0: it has shims for 356, 357, 411, and none for 410"),
        (entry("412"), "docker/versions.toml:19: p is told to take shim 412 for Spark 4.1.0, and g:plugin:1 has none"),
        (
            format!("{}[spark.\"3.5.7\".shims]\np = {{ take = \"356\", reason = \"a\" }}\n", entry("411")),
            "docker/versions.toml:21: p is told to take shim 356 for Spark 3.5.7, and g:plugin:1 has one for 357",
        ),
    ] {
        let unfit = with_plugin(&shims).unwrap_err();
        assert!(matches!(&unfit, Unfit::Shims(_)) && unfit.to_string().starts_with(says), "{unfit}");
    }
}
