//! Manifests and tags.

use blob::Digest;
use distribution::Found;

use crate::{
    fake::{Act, Skills},
    helpers::{Scene, told},
};

const TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const BYTES: &[u8] = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;

#[test]
fn what_is_put_is_found_and_gotten() {
    for digests in [true, false] {
        let scene = Scene::new(Skills { digests, ..Skills::default() });
        let registry = scene.registry();
        let repository = registry.repository("a");
        assert_eq!(repository.find("1").unwrap(), None);
        assert_eq!(repository.get("1").unwrap(), None);
        let digest = Digest::of(BYTES);
        repository.put(&digest.to_string(), TYPE, BYTES).unwrap();
        assert_eq!(repository.find("1").unwrap(), None);
        repository.put("1", TYPE, BYTES).unwrap();
        assert_eq!(repository.find("1").unwrap(), Some(Found { digest, media_type: TYPE.to_owned() }));
        let document = repository.get(&digest.to_string()).unwrap().unwrap();
        assert_eq!((document.bytes.as_slice(), document.digest), (BYTES, digest));
        assert!(repository.untag("1").unwrap());
        assert_eq!(repository.find("1").unwrap(), None);
    }
}

#[test]
fn not_every_registry_takes_a_tag_away() {
    let scene = Scene::new(Skills { untag: false, ..Skills::default() });
    let registry = scene.registry();
    registry.repository("a").put("1", TYPE, BYTES).unwrap();
    assert!(!registry.repository("a").untag("1").unwrap());
}

#[test]
fn a_registry_that_lies_about_manifests_is_not_believed() {
    let scene = Scene::new(Skills::default());
    let registry = scene.registry();
    let repository = registry.repository("a");
    let (digest, other) = (Digest::of(BYTES), Digest::of(b"other").to_string());
    scene.fake.fault("PUT", "/manifests/", Act::Lie("docker-content-digest", other.clone()));
    let text = told(repository.put("1", TYPE, BYTES));
    assert!(text.contains(&format!("expected {digest}, found {other}")), "{text}");
    let get = |reference: &str| told(repository.get(reference));
    // Other bytes than those of the digest that was asked for.
    scene.fake.fault("GET", "/manifests/", Act::Answer(200, &[("content-type", TYPE)], "{}"));
    let text = get(&digest.to_string());
    assert!(text.contains(&format!("expected {digest}, found {} (2 bytes)", Digest::of(b"{}"))), "{text}");
    // Other bytes than the header says.
    scene.fake.fault("GET", "/manifests/", Act::Lie("docker-content-digest", other.clone()));
    assert!(get("1").contains(&format!("expected {other}, found {digest}")));
    // A page in place of a document.
    let html = Act::Answer(200, &[("content-type", "text/html")], "<html>\n<title>Log in</title>");
    scene.fake.fault("GET", "/manifests/", html);
    let text = get("1");
    assert!(text.contains("expected a JSON document, found text/html: <html> <title>Log in</title>"), "{text}");
    // Less than was announced.
    scene.fake.fault("GET", "/manifests/", Act::Lie("content-length", "4000".to_owned()));
    for _ in 0..3 {
        scene.fake.fault("GET", "/manifests/", Act::Cut(0));
    }
    let text = get("1");
    assert!(text.contains("127.0.0.1"), "{text}");
}
