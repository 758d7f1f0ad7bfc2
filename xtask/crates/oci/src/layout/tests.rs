use std::io::Read;

use blob::Digest;
use camino::Utf8PathBuf;

use super::*;

fn layout() -> (tempfile::TempDir, Layout) {
    let guard = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(guard.path().join("layout")).unwrap();
    (guard, Layout::create(root).unwrap())
}

#[test]
fn names_are_given_moved_and_taken() {
    let (_guard, layout) = layout();
    let image = |text: &str| layout.put(media_type::MANIFEST, &text).unwrap();
    let (one, two) = (image("1"), image("2"));
    layout.tag("b:1", &one).unwrap();
    layout.tag("a:1", &one).unwrap();
    layout.tag("b:1", &two).unwrap();
    assert_eq!(layout.list().unwrap().into_keys().collect::<Vec<_>>(), ["a:1", "b:1"]);
    assert_eq!(layout.lookup("b:1").unwrap().unwrap().digest, two.digest);
    let order: Vec<_> = layout.index().unwrap().manifests.into_iter().map(|image| image.digest).collect();
    assert_eq!(order, [one.digest, two.digest]);
    assert!(layout.untag("b:1").unwrap());
    assert!(!layout.untag("b:1").unwrap());
    assert_eq!(layout.lookup("b:1").unwrap(), None);
}

#[test]
fn images_of_other_tools_stay_in_the_index() {
    let (_guard, layout) = layout();
    let unnamed = layout.put(media_type::MANIFEST, &"other").unwrap();
    layout.write_index(&Index::new(vec![unnamed.clone()])).unwrap();
    layout.tag("a:1", &layout.put(media_type::MANIFEST, &"ours").unwrap()).unwrap();
    layout.untag("a:1").unwrap();
    assert_eq!(layout.index().unwrap().manifests, [unnamed]);
}

#[test]
fn a_reader_that_is_read_in_part_says_nothing_and_read_to_the_end_tells() {
    let (_guard, layout) = layout();
    let mut blob = layout.put(media_type::CONFIG, &"0123456789").unwrap();
    let mut bytes = Vec::new();
    layout.open_blob(&blob).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(Digest::of(&bytes), blob.digest);
    blob.size += 1;
    let mut reader = layout.open_blob(&blob).unwrap();
    reader.read_exact(&mut [0; 4]).unwrap();
    let error = reader.read_to_end(&mut bytes).unwrap_err().to_string();
    assert!(error.contains("expected 13 bytes") && error.contains("found 12 bytes"), "{error}");
}

#[test]
fn leftovers_are_swept_only_by_who_is_alone() {
    let (_guard, layout) = layout();
    let root = layout.root().to_owned();
    let left = root.join(".assemble/pending/.pending-dead");
    std::fs::create_dir_all(left.parent().unwrap()).unwrap();
    std::fs::write(&left, "half").unwrap();
    let other = Layout::create(&root).unwrap();
    assert!(left.exists());
    drop((layout, other));
    Layout::create(&root).unwrap();
    assert!(!left.exists());
}

#[test]
fn an_entry_leads_to_all_that_it_names() {
    let (_guard, layout) = layout();
    let (config, layer) =
        (layout.put(media_type::CONFIG, &"config").unwrap(), layout.put(media_type::LAYER, &"layer").unwrap());
    let manifest = |layers: &[&Descriptor], media_type: &str| {
        let layers = layers.iter().map(|layer| (*layer).clone()).collect();
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(media_type.to_owned()),
            config: config.clone(),
            layers,
            annotations: BTreeMap::new(),
        };
        layout.put(media_type, &manifest).unwrap()
    };
    let one = manifest(&[&layer], media_type::MANIFEST);
    let other = manifest(&[], "application/vnd.docker.distribution.manifest.v2+json");
    let index = layout.put(media_type::INDEX, &Index::new(vec![one.clone(), other.clone()])).unwrap();
    let outer = layout.put(media_type::INDEX, &Index::new(vec![index.clone()])).unwrap();
    let digests = |all: &[&Descriptor]| all.iter().map(|one| one.digest).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(layout.reached(&one).unwrap(), digests(&[&one, &config, &layer]));
    assert_eq!(layout.reached(&outer).unwrap(), digests(&[&outer, &index, &one, &other, &config, &layer]));
    layout.discard(&other.digest).unwrap();
    layout.reached(&outer).unwrap_err();
    assert_eq!(layout.reached(&one).unwrap().len(), 3);
}

#[test]
fn who_has_a_layout_alone_is_not_disturbed() {
    let (_guard, layout) = layout();
    let root = layout.root().to_owned();
    let error = Layout::alone(&root).unwrap_err();
    assert!(matches!(&error, Error::InUse { .. }), "{error}");
    drop(layout);
    let reader = Layout::open(&root).unwrap();
    assert!(Layout::alone(&root).is_err());
    drop(reader);
    let alone = Layout::alone(&root).unwrap();
    alone.put(media_type::CONFIG, &"written").unwrap();
    assert!(Layout::alone(&root).is_err());
    let (sender, waits) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| Layout::open_or_wait(&root, &|holder| sender.send(holder.to_owned()).unwrap()).unwrap());
        waits.recv().unwrap();
        drop(alone);
    });
    // A layout that was never written to by us is read without a lock, and gets none.
    fs::remove_dir_all(root.join(".assemble")).unwrap();
    Layout::open(&root).unwrap();
    assert!(!root.join(".assemble").exists());
}
