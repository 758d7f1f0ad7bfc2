//! Images of one name for several platforms.

use std::collections::BTreeSet;

use assemble::{
    Built, Layout, Origin, Platform,
    export::{Format, export},
    oci::{Index, media_type},
};

use crate::common::Bench;

fn on(text: &str) -> Platform {
    text.parse().unwrap()
}

/// Builds for a platform and gives the image a name, beside those of all others.
fn named(bench: &Bench, name: &str, platform: &str, dockerfile: &str) -> Built {
    let built = bench.try_build_for(&on(platform), dockerfile).unwrap();
    bench.layout.tag_for(name, &on(platform), &built.image, |_| true).unwrap();
    built
}

fn platforms(layout: &Layout, name: &str) -> Vec<String> {
    let named = layout.lookup(name).unwrap().unwrap();
    layout.images_of(&named).unwrap().into_iter().map(|(platform, _)| platform.to_string()).collect()
}

#[test]
fn a_name_with_one_image_is_that_image_and_with_two_an_index() {
    let bench = Bench::with(&[("a", "1")]);
    let (dockerfile, layout) = ("FROM scratch\nCOPY a /", &bench.layout);
    let arm = named(&bench, "x:1", "linux/arm64", dockerfile);
    assert_eq!(layout.lookup("x:1").unwrap().unwrap().digest, arm.image.digest);
    let amd = named(&bench, "x:1", "linux/amd64", dockerfile);
    assert_ne!(amd.image.digest, arm.image.digest);
    // The layer is one file, written once.
    assert_eq!((amd.layers[0].diff_id, amd.layers[0].origin), (arm.layers[0].diff_id, Origin::Cached));
    let index = layout.lookup("x:1").unwrap().unwrap();
    assert_eq!((index.media_type.as_str(), &index.platform), (media_type::INDEX, &None));
    let text = std::fs::read_to_string(layout.blob_path(&index.digest)).unwrap();
    let index: Index = serde_json::from_str(&text).unwrap();
    let entries: Vec<_> = index.manifests.iter().map(|image| (image.platform.clone().unwrap(), image.digest)).collect();
    assert_eq!(entries, [(on("linux/amd64"), amd.image.digest), (on("linux/arm64"), arm.image.digest)]);
    assert!(text.contains(r#""platform":{"os":"linux","architecture":"amd64"}"#), "{text}");
    for (platform, image) in entries {
        assert_eq!(layout.lookup_for("x:1", &platform).unwrap().unwrap().digest, image);
    }
    assert_eq!(layout.lookup_for("x:1", &on("linux/s390x")).unwrap(), None);
    let both = BTreeSet::from([amd.image.digest, arm.image.digest]);
    assert_eq!(layout.named_manifests().unwrap()["x:1"], both);
    // Whoever does not know of platforms is told, and takes no wrong image.
    let error = layout.manifest(&layout.lookup("x:1").unwrap().unwrap()).unwrap_err().to_string();
    assert!(error.contains("is no image manifest"), "{error}");
}

#[test]
fn a_name_keeps_the_images_that_still_belong_to_it() {
    let bench = Bench::with(&[("a", "1"), ("b", "2")]);
    named(&bench, "x:1", "linux/amd64", "FROM scratch\nCOPY a /");
    named(&bench, "x:1", "linux/arm64", "FROM scratch\nCOPY a /");
    let again = named(&bench, "x:1", "linux/arm64", "FROM scratch\nCOPY b /");
    assert_eq!(platforms(&bench.layout, "x:1"), ["linux/amd64", "linux/arm64"]);
    bench.layout.tag_for("x:1", &on("linux/arm64"), &again.image, |_| false).unwrap();
    assert_eq!(platforms(&bench.layout, "x:1"), ["linux/arm64"]);
    assert_eq!(bench.layout.lookup("x:1").unwrap().unwrap().digest, again.image.digest);
    // An index that is damaged keeps nobody from building again.
    named(&bench, "x:1", "linux/amd64", "FROM scratch\nCOPY a /");
    let index = bench.layout.lookup("x:1").unwrap().unwrap();
    bench.layout.discard(&index.digest).unwrap();
    assert!(bench.layout.named_manifests().unwrap()["x:1"].is_empty());
    named(&bench, "x:1", "linux/amd64", "FROM scratch\nCOPY a /");
    assert_eq!(platforms(&bench.layout, "x:1"), ["linux/amd64"]);
}

#[test]
fn a_build_stands_on_the_image_of_its_own_platform() {
    let bench = Bench::with(&[("amd", "1"), ("arm", "2")]);
    named(&bench, "base", "linux/amd64", "FROM scratch\nCOPY amd /");
    let dockerfile = "FROM base\nCOPY --from=base / /copied/";
    let error = bench.try_build_for(&on("linux/arm64"), dockerfile).unwrap_err().to_string();
    let expected = "`base` is in the layout for linux/amd64, not for linux/arm64; build it for that first";
    assert!(error.contains(expected), "{error}");
    named(&bench, "base", "linux/arm64", "FROM scratch\nCOPY arm /");
    for (platform, file) in [("linux/amd64", "amd"), ("linux/arm64", "arm")] {
        let built = bench.try_build_for(&on(platform), dockerfile).unwrap();
        let tree = assemble::tree(&bench.layout, &built.image).unwrap();
        let files: Vec<&str> =
            ["amd", "arm", "copied/amd", "copied/arm"].into_iter().filter(|path| tree.get(path).is_some()).collect();
        assert_eq!(files, [file, &format!("copied/{file}")]);
        assert_eq!(format!("linux/{}", built.config.architecture), platform);
    }
}

#[test]
fn one_image_or_the_index_is_exported() {
    let bench = Bench::with(&[("a", "1")]);
    let amd = named(&bench, "x:1", "linux/amd64", "FROM scratch\nCOPY a /");
    named(&bench, "x:1", "linux/arm64", "FROM scratch\nCOPY a /");
    let index = bench.layout.lookup("x:1").unwrap().unwrap();
    let names = ["x:1".to_owned()];
    let path = bench.folder.join("both");
    export(&bench.layout, &index, Format::OciDir, &names, &path, false).unwrap();
    let exported = Layout::open(&path).unwrap();
    assert_eq!(exported.verify(1).unwrap(), []);
    assert_eq!(platforms(&exported, "x:1"), ["linux/amd64", "linux/arm64"]);
    // One layer, two configurations, two manifests, the index.
    assert_eq!(std::fs::read_dir(path.join("blobs/sha256")).unwrap().count(), 6);
    let path = bench.folder.join("docker.tar");
    let error = export(&bench.layout, &index, Format::DockerArchive, &names, &path, false).unwrap_err().to_string();
    assert!(error.contains("a docker-archive holds one"), "{error}");
    // One image of it comes out as if there were no other.
    let alone = Bench::with(&[("a", "1")]);
    named(&alone, "x:1", "linux/amd64", "FROM scratch\nCOPY a /");
    let write = |bench: &Bench, path: &str| {
        let image = bench.layout.lookup_for("x:1", &on("linux/amd64")).unwrap().unwrap();
        assert_eq!(image.digest, amd.image.digest);
        let path = bench.folder.join(path);
        export(&bench.layout, &image, Format::DockerArchive, &names, &path, false).unwrap();
        std::fs::read(path).unwrap()
    };
    assert_eq!(write(&bench, "one.tar"), write(&alone, "one.tar"));
}
