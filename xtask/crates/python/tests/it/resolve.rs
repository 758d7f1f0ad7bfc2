//! Resolving: what is chosen, what stays, and what is said when there is nothing to choose.

use blob::Digest;
use python::{
    resolve::{Pin, ResolveError},
    simple::CoreMetadata,
};

use crate::index::{Fake, chain, fresh, names, with};

#[test]
fn a_closure_is_resolved() {
    let index = Fake::new(&[
        "Pandas 2.3.3 | numpy>=1.22 ; python_version < '3.12' | numpy>=2 ; python_version >= '3.12' | tz (>=2020)",
        "pandas 2.3.3.dev1",
        "numpy 1.26.4 | nothing-like-it ; sys_platform == 'win32'",
        "numpy 2.0.0",
        "tz 2025.1 | pandas",
        "tz 2026.1rc1",
    ]);
    let pins = fresh(&index, "pandas|numpy<2|absent; python_version < '3'").unwrap();
    let filename = "Pandas-2.3.3-py3-none-any.whl".to_owned();
    let (sha256, size) = (Digest::of(filename.as_bytes()), 29);
    assert_eq!(names(&pins), ["numpy==1.26.4", "pandas==2.3.3", "tz==2025.1"]);
    let (name, version) = ("pandas".parse().unwrap(), "2.3.3".parse().unwrap());
    assert_eq!(pins[1], Pin { name, version, filename, sha256, size, requested: true });
    assert!(pins[0].requested && !pins[2].requested);
}

#[test]
fn extras_bring_what_they_need() {
    let index = Fake::new(&[
        "foo 1.0 | +a | +b | +all | bar ; extra == 'a' | baz>=2 ; extra == 'b' | foo[a,b] ; extra == 'all'",
        "bar 1.0 | foo[gone]",
        "baz 1.0",
        "baz 2.0",
    ]);
    assert_eq!(names(&fresh(&index, "foo").unwrap()), ["foo==1.0"]);
    assert_eq!(names(&fresh(&index, "foo[b]").unwrap()), ["baz==2.0", "foo==1.0"]);
    assert_eq!(names(&fresh(&index, "foo[ALL]").unwrap()), ["bar==1.0", "baz==2.0", "foo==1.0"]);
}

#[test]
fn an_older_version_is_taken_where_the_newest_does_not_fit() {
    let index =
        Fake::new(&["a 3.0 | b>=3", "a 2.0 | b>=2,<3", "a 1.0 | b", "b 3.0 | c>=9", "b 2.0 | c", "b 1.0", "c 1.0"]);
    assert_eq!(names(&fresh(&index, "a").unwrap()), ["a==2.0", "b==2.0", "c==1.0"]);
    assert_eq!(names(&fresh(&index, "a|b<2").unwrap()), ["a==1.0", "b==1.0"]);
}

#[test]
fn what_was_locked_stays_until_it_is_freed() {
    let before = Fake::new(&["a 1.0 | b", "b 1.0"]);
    let locked = fresh(&before, "a").unwrap();
    let mut now = Fake::new(&["a 1.0 | b", "a 2.0 | b", "b 1.0", "b 2.0", "c 1.0"]);
    now.add("b-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", "Name: b\nVersion: 1.0\n");

    let same = with(&now, "a|c", &locked, &[], &[]).unwrap();
    assert_eq!(names(&same), ["a==1.0", "b==1.0", "c==1.0"]);
    assert_eq!(same[1], locked[1], "a better wheel of the same version is no reason to move");
    assert_eq!(names(&with(&now, "a", &locked, &["a"], &[]).unwrap()), ["a==2.0", "b==1.0"]);
    assert_eq!(names(&with(&now, "a", &locked, &["B"], &[]).unwrap()), ["a==1.0", "b==2.0"]);
    assert_eq!(names(&with(&now, "a>1", &locked, &[], &[]).unwrap()), ["a==2.0", "b==1.0"]);

    now.file("b-1.0-py3-none-any.whl").yanked = Some("leaks".to_owned());
    assert_eq!(with(&now, "a", &locked, &[], &[]).unwrap(), locked, "a yanked file that is locked stays");
}

#[test]
fn a_file_that_changed_under_its_name_is_an_error() {
    let mut index = Fake::new(&["a 1.0"]);
    let locked = fresh(&index, "a").unwrap();
    let other = Digest::of(b"other");
    index.file("a-1.0-py3-none-any.whl").sha256 = Some(other);
    let error = with(&index, "a", &locked, &[], &[]).unwrap_err().to_string();
    let expected = locked[0].sha256;
    assert_eq!(error, format!("a-1.0-py3-none-any.whl has changed: expected {expected}, found {other}"));
}

#[test]
fn a_layer_adds_only_what_is_not_below() {
    let index = Fake::new(&[
        "numpy 1.26.4",
        "numpy 2.0",
        "pandas 2.3 | numpy | +sql | db ; extra == 'sql'",
        "db 1.0 | numpy",
        "lake 1.0 | pandas[sql]>=2 | fs",
        "fs 1.0",
    ]);
    let below = fresh(&index, "numpy<2|pandas").unwrap();
    let pins = with(&index, "lake|numpy", &[], &[], &below).unwrap();
    assert_eq!(names(&pins), ["db==1.0", "fs==1.0", "lake==1.0"]);
    let asked = index.asked.lock().unwrap().clone();
    assert!(!asked.contains("page numpy"), "what is below is known: {asked:?}");
    assert_eq!(with(&index, "pandas|numpy==1.26.4", &[], &[], &below).unwrap(), []);
}

#[test]
fn a_package_below_is_never_upgraded() {
    let index =
        Fake::new(&["numpy 1.26.4", "numpy 2.0", "gpu 2.0 | numpy>=2 ; python_version > '3'", "gpu 1.0 | numpy>=2"]);
    let below = fresh(&index, "numpy<2").unwrap();
    let error = with(&index, "gpu", &[], &[], &below).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no set of versions satisfies the requirements; change one that these facts are about:\
         \n  the requirements ask for gpu\
         \n  gpu 2.0 needs numpy>=2 (one other version needs numpy, too)\
         \n  numpy stays at 1.26.4, which the layer below holds"
    );
}

#[test]
fn a_conflict_lists_the_facts() {
    let mut index = Fake::new(&[
        "status 1.76 | protobuf>=6,<7",
        "protobuf 5.0",
        "protobuf 6.0",
        "web 1.0 | +tls",
        "odd 1.0 | foo >== 1",
    ]);
    index.add("late-1.0-py3-none-any.whl", "");
    index.file("late-1.0-py3-none-any.whl").requires_python = Some(">=3.13".to_owned());
    for (text, facts) in [
        (
            "status==1.76|protobuf<6",
            &[
                "the requirements ask for protobuf<6",
                "the requirements ask for status==1.76",
                "status 1.76 needs protobuf>=6,<7",
            ][..],
        ),
        ("absent", &["the requirements ask for absent", "the index has no project absent"]),
        (
            "protobuf>=7",
            &[
                "the requirements ask for protobuf>=7",
                "no version of protobuf will do, the newest that can be used being 6.0, 5.0",
            ],
        ),
        (
            "late",
            &["the requirements ask for late", "no version of late on the index can be used; 1.0 needs Python >=3.13"],
        ),
        (
            "web[tsl]",
            &[
                "the requirements ask for web[tsl]",
                "web[tsl] 1.0 cannot be used: it has no extra `tsl`; its extras are tls",
            ],
        ),
        (
            "protobuf<6|protobuf>5",
            &[
                "the requirements ask for protobuf<6 and protobuf>5",
                "no version of protobuf will do, the newest that can be used being 6.0, 5.0",
            ],
        ),
    ] {
        let Err(ResolveError::Conflict(mut found)) = fresh(&index, text) else { panic!("{text} has a solution") };
        // The order inside of a group is PubGrub's.
        found.sort_by_key(|fact| !fact.starts_with("the requirements"));
        let (mut found, mut facts) = (found, facts.to_vec());
        found.sort();
        facts.sort_unstable();
        assert_eq!(found, facts);
    }
    let error = fresh(&index, "odd").unwrap_err().to_string();
    assert!(
        error.contains("odd 1.0 cannot be used: its metadata cannot be read: `foo >== 1` is no requirement"),
        "{error}"
    );
}

#[test]
fn metadata_that_lies_is_not_used() {
    let mut index = Fake::new(&["a 1.0", "a 2.0"]);
    let liar = "a-2.0-py3-none-any.whl";
    index.metadata.insert(liar.to_owned(), "Name: b\nVersion: 2.0\n".to_owned());
    index.file(liar).metadata = CoreMetadata::Absent;
    assert_eq!(names(&fresh(&index, "a").unwrap()), ["a==1.0"]);
    let error = fresh(&index, "a==2.0").unwrap_err().to_string();
    assert!(error.contains("a 2.0 cannot be used: its metadata is that of b 2.0"), "{error}");

    index.file(liar).metadata = CoreMetadata::Beside(Some(Digest::of(b"promised")));
    let error = fresh(&index, "a").unwrap_err().to_string();
    assert!(error.starts_with("the metadata of a-2.0-py3-none-any.whl has changed: expected sha256:"), "{error}");
}

#[test]
fn what_a_page_does_not_say_is_found_out_for_the_chosen_wheels_alone() {
    let mut index = Fake::new(&["a 1.0 | b", "a 2.0 | b", "b 1.0"]);
    index.file("a-1.0-py3-none-any.whl").sha256 = None;
    index.file("a-2.0-py3-none-any.whl").sha256 = None;
    index.file("b-1.0-py3-none-any.whl").size = None;
    let pins = fresh(&index, "a").unwrap();
    assert!(
        pins.iter()
            .all(|pin| pin.sha256 == Digest::of(pin.filename.as_bytes()) && pin.size == pin.filename.len() as u64)
    );
    let asked: Vec<String> =
        index.asked.lock().unwrap().iter().filter(|what| what.starts_with("identify")).cloned().collect();
    assert_eq!(asked, ["identify a-2.0-py3-none-any.whl", "identify b-1.0-py3-none-any.whl"]);

    let b = index.file("b-1.0-py3-none-any.whl");
    (b.sha256, b.size) = (Some(Digest::of(b"promised")), None);
    let error = fresh(&index, "a").unwrap_err().to_string();
    assert!(error.starts_with("b-1.0-py3-none-any.whl has changed"), "{error}");
}

#[test]
fn an_index_that_fails_is_named() {
    let mut index = Fake::new(&["a 1.0 | b", "b 1.0"]);
    index.broken.insert("b".parse().unwrap());
    assert_eq!(chain(&fresh(&index, "a").unwrap_err()), "reading the index page of b: the connection was reset");
}

#[test]
fn the_order_of_pages_and_requirements_does_not_matter() {
    let releases = ["a 1.0 | b | c>1", "a 2.0 | b>1 | c", "b 1.0 | c", "b 2.0 | c<3", "c 1.0", "c 2.0", "c 3.0"];
    let mut backwards = releases;
    backwards.reverse();
    let one = fresh(&Fake::new(&releases), "a|b|c").unwrap();
    assert_eq!(names(&one), ["a==2.0", "b==2.0", "c==2.0"]);
    assert_eq!(fresh(&Fake::new(&backwards), "c|b|a").unwrap(), one);
}
