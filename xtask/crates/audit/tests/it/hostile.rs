//! Input that is not what it says: a finding or an error that names it, and never a panic.

use audit::Severity;

use crate::bench::{Bench, Entry, file, jar, lines, link, put_layer, spark_jar, worst};

/// What is found of one file at the place of a jar.
fn of(bytes: Vec<u8>) -> Vec<String> {
    Bench::with(vec![file("opt/spark/jars/own.jar", 0o644, bytes)]).found()
}

const BROKEN: &str = "error broken-jar opt/spark/jars/own.jar ";

#[test]
fn jars_that_are_cut_off() {
    let whole = jar(&[("a/A.class", "a"), ("a/B.class", &"b".repeat(10_000))]);
    for length in [0, 1, 21, 22, 40, whole.len() / 2, whole.len() - 30, whole.len() - 1] {
        let found = of(whole[..length].to_vec());
        assert_eq!(found.len(), 1, "{length}: {found:#?}");
        assert!(found[0].starts_with(&format!("{BROKEN}cannot be read: ")), "{length}: {found:#?}");
    }
    assert!(of(b"PK\x03\x04 and then something else".to_vec())[0].starts_with(BROKEN));
}

/// Where the end record begins: there is no comment.
fn end(jar: &[u8]) -> usize {
    jar.len() - 22
}

#[test]
fn directories_that_lie() {
    let whole = jar(&[("common-version-info.properties", "version=3.4.2\n"), ("a/A.class", "a")]);
    let changed = |at: usize, bytes: &[u8]| {
        let mut jar = whole.clone();
        jar[at..at + bytes.len()].copy_from_slice(bytes);
        of(jar)
    };
    let end = end(&whole);
    // More entries than there are; fewer.
    for number in [3_u16, 0x7fff, 1, 0] {
        let bytes = number.to_le_bytes();
        let mut jar = whole.clone();
        jar[end + 8..end + 10].copy_from_slice(&bytes);
        jar[end + 10..end + 12].copy_from_slice(&bytes);
        let found = of(jar);
        assert!(found.len() == 1 && found[0].starts_with(BROKEN), "{number}: {found:#?}");
    }
    // A directory outside of the file, or in the middle of something else.
    assert!(changed(end + 16, &u32::MAX.to_le_bytes())[0].starts_with(BROKEN));
    assert!(changed(end + 16, &5_u32.to_le_bytes())[0].starts_with(BROKEN));
    // A text whose bytes are said to lie outside.
    let directory = u32::from_le_bytes(whole[end + 16..end + 20].try_into().unwrap()) as usize;
    let found = changed(directory + 42, &0x7fff_0000_u32.to_le_bytes());
    assert!(found.len() == 1 && found[0].starts_with(BROKEN), "{found:#?}");
    // A text that is damaged.
    let found = changed(40 + 30, &[0xff; 8]);
    assert!(
        found.len() == 1
            && found[0].starts_with(&format!("{BROKEN}cannot be read: its entry `common-version-info.properties`")),
        "{found:#?}"
    );
}

#[test]
fn a_text_that_unpacks_to_very_much_is_not_unpacked() {
    let text = "version=3.3.4\n".to_owned() + &" ".repeat(4 << 20);
    // What is larger than any such file is not believed to be one.
    assert_eq!(of(jar(&[("common-version-info.properties", &text)])), [] as [&str; 0]);
}

#[test]
fn a_class_that_a_jar_has_twice() {
    let mut bytes = jar(&[("a/A.class", "a"), ("a/B.class", "b")]);
    // `zip` writes no name twice, so the second gets the first's name here.
    while let Some(at) = bytes.windows(9).position(|window| window == b"a/B.class") {
        bytes[at..at + 9].copy_from_slice(b"a/A.class");
    }
    assert_eq!(of(bytes), [format!("{BROKEN}has a/A.class twice")]);
}

#[test]
fn a_jar_with_a_hundred_thousand_classes() {
    let names: Vec<String> =
        (0..100_000).map(|n| format!("com/example/generated/package{}/Class{n}.class", n % 97)).collect();
    let entries: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let found = Bench::with(vec![spark_jar("a.jar", &entries), spark_jar("b.jar", &entries[..10_000])]).found();
    assert_eq!(found.len(), 1, "{}", found.len());
    assert!(
        found[0].starts_with("warning duplicate-class opt/spark/jars/b.jar 10000 classes of a.jar again"),
        "{}",
        found[0]
    );
}

#[test]
fn names_that_lead_out_and_links_in_circles() {
    let entries: Vec<Entry> = vec![
        link("opt/spark/jars/circle.jar", "circle.jar"),
        link("opt/spark/jars/out.jar", "../../../../../../etc/passwd"),
        link("opt/spark/jars/nothing.jar", "/no/such"),
        link("opt/spark/jars/empty.jar", "."),
        spark_jar(
            "own.jar",
            &[("../../../etc/cron.d/x.class", "x"), ("/absolute.class", "x"), ("a\\b.class", "x"), (".class", "x")],
        ),
    ];
    // Nothing is unpacked, so that such names are names.
    assert_eq!(Bench::with(entries).found(), [] as [&str; 0]);
    let error = Bench::with(vec![file("../../etc/cron.d/x", 0o644, "x")]).judge().unwrap_err().to_string();
    assert!(error.contains("../../etc/cron.d/x"), "{error}");
}

#[test]
fn layers_that_are_none_or_are_cut_off() {
    let bench = Bench::clean();
    let (layout, _) = bench.write();
    let reader = audit::layer::LayerReader::default();
    for bytes in [b"no archive, and longer than one block".repeat(40), vec![0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3]] {
        let layer = put_layer(&layout, &bytes);
        let error = reader.read(&layout, &layer).unwrap_err().to_string();
        assert!(error.contains(&layer.digest.hex()), "{error}");
    }
    let missing = oci::Descriptor::new(oci::media_type::LAYER, blob::Digest::of(b"nothing"), 7);
    assert!(reader.read(&layout, &missing).unwrap_err().to_string().contains(&missing.digest.hex()));
}

#[test]
fn a_broken_jar_does_not_hide_what_else_is_wrong() {
    let mut bench = Bench::with(vec![file("opt/spark/jars/own.jar", 0o666, "no jar")]);
    bench.layer("COPY more/ /", vec![file("usr/bin/su", 0o4755, "x")]);
    let found = bench.judge().unwrap();
    assert_eq!(found.len(), 3, "{:#?}", lines(&found));
    assert_eq!(worst(&found), Some(Severity::Error));
}
