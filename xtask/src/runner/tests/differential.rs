//! Our side of `ci/differential/compare.sh`: builds the cases that it prepared, for comparison with other builders.

use std::{collections::BTreeMap, env, fs, os::unix::fs::PermissionsExt};

use assemble::{
    Context, Layout, Request, Source, build,
    context::{Entry, FileEntry, Ignore},
    run::{Network, Running},
};
use camino::{Utf8Path, Utf8PathBuf};

use super::bench::EPOCH;
use crate::runner::Runner;

#[test]
#[ignore = "started by ci/differential/compare.sh, which says where the cases are"]
fn differential() {
    let work = Utf8PathBuf::from(env::var("DIFFERENTIAL").unwrap());
    let layout = Layout::create(work.join("layout")).unwrap();
    let runner = Runner::new(work.join("sandbox"), catalog::Platform::host().unwrap());
    let make = |folder: &Utf8Path| {
        let mut context = Context::new();
        fill(&mut context, folder, "");
        if let Ok(text) = fs::read_to_string(folder.join(".dockerignore")) {
            context = context.without(&Ignore::parse(&text).unwrap());
        }
        let none = BTreeMap::new();
        let running = Running {
            runner: &runner,
            network: Network::Off { allow: "" },
            caches: &work.join("caches"),
            secrets: &BTreeMap::new(),
            output: &|line| println!("{line}"),
        };
        let request = Request {
            dockerfile: &fs::read_to_string(folder.join("Dockerfile")).unwrap(),
            name: "Dockerfile",
            context: &context,
            args: &none,
            target: None,
            images: &BTreeMap::new(),
            labels: &none,
            epoch: EPOCH,
            platform: &"linux/amd64".parse().unwrap(),
            jobs: 2,
            running: Some(&running),
        };
        build(&layout, &request)
    };
    layout.tag("differential-base", &make(&work.join("base")).unwrap().image).unwrap();
    for case in work.join("cases").read_dir_utf8().unwrap() {
        let case = case.unwrap();
        match make(case.path()) {
            Ok(built) => layout.tag(case.file_name(), &built.image).unwrap(),
            Err(error) => {
                let text = format!("{:#}\n", anyhow::Error::new(error));
                fs::write(work.join(format!("out/{}.failed", case.file_name())), text).unwrap();
            }
        }
    }
}

fn fill(context: &mut Context, folder: &Utf8Path, into: &str) {
    for entry in folder.read_dir_utf8().unwrap() {
        let entry = entry.unwrap();
        let path = format!("{into}{}", entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            context.insert(&path, Entry::Dir).unwrap();
            fill(context, entry.path(), &format!("{path}/"));
            continue;
        }
        if entry.file_type().unwrap().is_symlink() {
            let target = entry.path().read_link_utf8().unwrap().into_string();
            context.insert(&path, Entry::Symlink { target }).unwrap();
            continue;
        }
        let (digest, size) = blob::hash_reader(fs::File::open(entry.path()).unwrap()).unwrap();
        let executable = entry.metadata().unwrap().permissions().mode() & 0o100 != 0;
        let source = Source::Path(entry.path().to_owned());
        context.insert(&path, Entry::File(FileEntry { executable, size, digest, source })).unwrap();
    }
}
