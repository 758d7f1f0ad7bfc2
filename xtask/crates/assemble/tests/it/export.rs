//! Images outside of a layout.

use std::{collections::BTreeMap, fs, io::Read};

use crate::common::Bench;
use assemble::{
    Built, Error, Layout,
    export::{Format, archive, export},
};

fn built() -> (Bench, Built) {
    let bench = Bench::with(&[("a", "1"), ("b", "2")]);
    let built = bench.build("FROM scratch\nCOPY a /\nCOPY b /");
    (bench, built)
}

fn names() -> Vec<String> {
    ["repo/image:1.0", "host.example:5000/image"].map(str::to_owned).into()
}

/// The files of a tar archive, by name, and their order.
fn contents(bytes: &[u8]) -> (Vec<String>, BTreeMap<String, Vec<u8>>) {
    let mut files = BTreeMap::new();
    let mut order = Vec::new();
    for entry in tar::Archive::new(bytes).entries().unwrap() {
        let mut entry = entry.unwrap();
        assert_eq!(entry.header().mtime().unwrap(), 0);
        let name = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        order.push(name.clone());
        files.insert(name, content);
    }
    (order, files)
}

#[test]
fn docker_archives_hold_what_docker_and_containerd_look_for() {
    let (bench, built) = built();
    let mut bytes = Vec::new();
    archive(&bench.layout, &built.image, Format::DockerArchive, &names(), &mut bytes).unwrap();
    let (_, files) = contents(&bytes);
    let json = |name: &str| serde_json::from_slice::<serde_json::Value>(&files[name]).unwrap();
    let blob = |digest: blob::Digest| format!("blobs/sha256/{}", digest.hex());
    let layers: Vec<_> = built.layers.iter().map(|layer| blob(layer.diff_id)).collect();
    let manifest = json("manifest.json");
    assert_eq!(manifest[0]["RepoTags"], serde_json::json!(names()));
    assert_eq!(manifest[0]["Layers"], serde_json::json!(layers));
    let config = manifest[0]["Config"].as_str().unwrap();
    assert_eq!(blob(blob::Digest::of(&files[config])), config);
    let top = built.layers[1].diff_id.hex();
    let expected = serde_json::json!({"repo/image": {"1.0": top}, "host.example:5000/image": {"latest": top}});
    assert_eq!(json("repositories"), expected);
    let named: Vec<_> =
        json("index.json")["manifests"].as_array().unwrap().iter().map(|image| image["annotations"].clone()).collect();
    let annotations =
        |name, tag| serde_json::json!({"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag});
    let expected =
        [annotations("docker.io/repo/image:1.0", "1.0"), annotations("host.example:5000/image:latest", "latest")];
    assert_eq!(named, expected);
}

#[test]
fn archives_are_the_same_every_time() {
    let (bench, built) = built();
    for format in [Format::OciArchive, Format::DockerArchive] {
        let write = || {
            let mut bytes = Vec::new();
            archive(&bench.layout, &built.image, format, &names(), &mut bytes).unwrap();
            bytes
        };
        let first = write();
        assert_eq!(first, write());
        let (order, _) = contents(&first);
        assert_eq!(order[0], "blobs/");
        assert!(order[2..6].is_sorted(), "{order:?}");
    }
}

#[test]
fn a_folder_is_a_layout_of_that_image_alone() {
    let (bench, built) = built();
    bench.build("FROM scratch\nLABEL other=1");
    let path = bench.folder.join("out/dir");
    export(&bench.layout, &built.image, Format::OciDir, &names(), &path, false).unwrap();
    let exported = Layout::open(&path).unwrap();
    assert_eq!(exported.verify(1).unwrap(), []);
    assert_eq!(fs::read_dir(path.join("blobs/sha256")).unwrap().count(), 4);
    let image = exported.lookup("repo/image:1.0").unwrap().unwrap();
    assert_eq!(exported.manifest(&image).unwrap(), bench.layout.manifest(&built.image).unwrap());
    // Nothing but the result is left beside it.
    assert_eq!(fs::read_dir(bench.folder.join("out")).unwrap().count(), 1);
}

#[test]
fn nothing_is_replaced_unless_that_is_said() {
    let (bench, built) = built();
    for (name, format) in Format::ALL {
        let path = bench.folder.join(name);
        let write = |replace| export(&bench.layout, &built.image, format, &[], &path, replace);
        write(false).unwrap();
        let error = write(false).unwrap_err();
        assert!(matches!(&error, Error::Exists { path: there } if *there == path), "{error}");
        write(true).unwrap();
    }
    // A folder that is no layout was hardly meant.
    let path = bench.folder.join("home");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("precious"), "").unwrap();
    let error = export(&bench.layout, &built.image, Format::OciDir, &[], &path, true).unwrap_err();
    assert!(error.to_string().contains("is no OCI image layout"), "{error}");
    assert!(path.join("precious").exists());
}

#[test]
fn formats_have_names() {
    assert_eq!("docker-archive".parse(), Ok(Format::DockerArchive));
    let error = "zip".parse::<Format>().unwrap_err();
    assert_eq!(error, "`zip` is no format for images; there are oci-dir, oci-archive, docker-archive");
}
