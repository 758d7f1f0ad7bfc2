//! Images as a whole: stages, configuration, history, and the same bytes every time.

use std::fs;

use crate::common::{Bench, EPOCH, listing};
use assemble::{BuiltLayer, Context, Layout, Origin, Source, context::Entry, oci::rfc3339, tree};
use blob::Digest;

#[test]
fn the_configuration_is_what_the_instructions_say() {
    let bench = Bench::new();
    let built = bench.build(
        "FROM scratch\nENV A=1 B=\"x y\"\nENV C $A  $B\nLABEL a=$A \"b c\"='$A'\nUSER 185:0\nWORKDIR /w\nEXPOSE 8080 53/UDP 9000-9001\n\
         VOLUME /v [no json\nVOLUME [\"/x y\"]\nSTOPSIGNAL SIGINT\nSHELL [\"/bin/bash\", \"-c\"]\nCMD run $A\n\
         HEALTHCHECK --interval=1m30s --retries=2 CMD [\"true\"]\nENTRYPOINT [\"/bin/e\", \"$A\"]",
    );
    let config = serde_json::to_value(&built.config.config).unwrap();
    let expected = serde_json::json!({
        "User": "185:0",
        "ExposedPorts": {"53/udp": {}, "8080/tcp": {}, "9000/tcp": {}, "9001/tcp": {}},
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "A=1", "B=x y", "C=1  x y"],
        "Entrypoint": ["/bin/e", "$A"],
        "Cmd": ["/bin/bash", "-c", "run $A"],
        "ArgsEscaped": true,
        "Volumes": {"/v": {}, "/x y": {}, "[no": {}, "json": {}},
        "WorkingDir": "/w",
        "Labels": {"a": "1", "b c": "$A"},
        "StopSignal": "SIGINT",
        "Shell": ["/bin/bash", "-c"],
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 90_000_000_000_i64, "Retries": 2},
    });
    assert_eq!(config, expected);
    assert_eq!((built.config.os.as_str(), built.config.architecture.as_str()), ("linux", "amd64"));
    assert_eq!(built.config.created, Some(rfc3339(EPOCH)));
}

#[test]
fn an_entry_point_forgets_the_command_that_it_inherited() {
    let bench = Bench::new();
    let built = bench.build("FROM scratch AS a\nCMD [\"a\"]\nFROM a\nENTRYPOINT [\"e\"]");
    assert_eq!(built.config.config.cmd, None);
    let built = bench.build("FROM scratch\nCMD [\"a\"]\nENTRYPOINT [\"e\"]");
    assert_eq!(built.config.config.cmd, Some(vec!["a".to_owned()]));
    let built = bench.build("FROM scratch\nENTRYPOINT [\"bad\",]\nCMD []");
    let shell = ["/bin/sh", "-c", "[\"bad\",]"].map(str::to_owned);
    assert_eq!(built.config.config.entrypoint.as_deref(), Some(&shell[..]));
    assert_eq!(built.config.config.cmd, None);
}

#[test]
fn arguments_come_from_outside_from_the_top_and_from_defaults() {
    let mut bench = Bench::with(&[("a", "")]);
    bench.args.insert("V".to_owned(), "7".to_owned());
    bench.args.insert("NOBODY".to_owned(), String::new());
    let dockerfile = "ARG V=1\nARG W=${V}2\nARG BASE=one\nFROM scratch AS one\nARG V=3\nARG W\nARG X=${W:+x}\n\
                      ENV E=$V-$W-$X-${U:-u}\nCOPY a /$V/\nFROM $BASE AS two\nENV F=$V$E";
    let built = bench.build(dockerfile);
    assert_eq!(built.config.config.env[1..], ["E=7-72-x-u", "F=77-72-x-u"]);
    assert_eq!(built.unused_args, ["NOBODY"]);
    assert_eq!(listing(&tree(&bench.layout, &built.image).unwrap()), ["d0755 0:0 7", "-0644 0:0 7/a 0"]);
    bench.args.insert("BASE".to_owned(), String::new());
    assert!(bench.refuse(dockerfile).contains("`$BASE` names no image; give the ARG in it a value"));
}

#[test]
fn only_what_the_target_needs_is_built() {
    let mut bench = Bench::with(&[("a", "")]);
    let dockerfile =
        "FROM scratch AS a\nCOPY a /\nFROM missing AS b\nCOPY gone /\nFROM scratch AS c\nCOPY --from=A /a /c";
    bench.target = Some("C");
    assert_eq!(bench.files(dockerfile), ["-0644 0:0 c 0"]);
    bench.target = Some("b");
    assert!(bench.refuse(dockerfile).contains("`missing` is neither a stage before this nor an image in the layout"));
    bench.target = Some("d");
    assert!(bench.refuse(dockerfile).contains("there is no stage `d` to build; there are a, b, c"));
}

#[test]
fn the_platform_is_the_request_s() {
    let bench = Bench::new();
    let built = bench.build("FROM --platform=$TARGETPLATFORM scratch\nARG TARGETARCH\nENV T=$TARGETARCH");
    assert_eq!(built.config.config.env[1], "T=amd64");
    let error = bench.refuse("FROM --platform=linux/arm64 scratch");
    assert_eq!(error, "Dockerfile:1: --platform=linux/arm64 is not what is built, which is linux/amd64");
}

#[test]
fn history_fits_the_layers() {
    let bench = Bench::with(&[("a", "")]);
    let base = bench.build("FROM scratch\nCOPY a /a\nENV X=1");
    bench.layout.tag("base", &base.image).unwrap();
    let built = bench.build("FROM base\nLABEL a=b\nCOPY --chown=1:2 a /b");
    let history = built.config.history.iter();
    let history: Vec<_> = history.map(|step| (step.created_by.as_deref().unwrap(), step.empty_layer)).collect();
    let expected = [("COPY a /a", false), ("ENV X=1", true), ("LABEL a=b", true), ("COPY --chown=1:2 a /b", false)];
    assert_eq!(history, expected);
    assert!(built.config.history.iter().all(|step| step.created == Some(rfc3339(EPOCH))));
    let layers: Vec<_> = built.layers.iter().map(|layer| (layer.created_by.as_str(), layer.origin)).collect();
    assert_eq!(layers, [("COPY a /a", Origin::Base), ("COPY --chown=1:2 a /b", Origin::Written)]);
    assert_eq!(built.config.rootfs.diff_ids, built.layers.iter().map(|layer| layer.diff_id).collect::<Vec<_>>());
}

#[test]
fn the_same_request_gives_the_same_image_wherever_the_bytes_lie() {
    let dockerfile = "FROM scratch\nCOPY . /x/\nCOPY --chown=1:2 b /y\nLABEL z=1 a=2\nWORKDIR /w";
    let one = Bench::with(&[("a", "1"), ("b/c*", "2"), ("b/d -> c", "")]);
    let image = one.build(dockerfile).image;

    let mut two = Bench::with(&[("b/d -> c", "")]);
    let file = two.folder.join("elsewhere");
    fs::write(&file, "2").unwrap();
    let archive = two.folder.join("a.zip");
    let mut zip = zip::ZipWriter::new(fs::File::create(&archive).unwrap());
    zip.start_file("in/side", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut zip, b"1").unwrap();
    zip.finish().unwrap();
    let source = |executable, text: &str, source| {
        Entry::File(assemble::context::FileEntry { executable, size: 1, digest: Digest::of(text.as_bytes()), source })
    };
    two.context.insert("b/c", source(true, "2", Source::Path(file))).unwrap();
    let zipped = Source::Zip { archive, entry: "in/side".to_owned() };
    two.context.insert("a", source(false, "1", zipped)).unwrap();
    assert_eq!(two.build(dockerfile).image, image);
}

#[test]
fn a_layer_is_the_same_under_every_parent_and_written_once() {
    let bench = Bench::with(&[("jars/a.jar", "a"), ("jars/b.jar", "b"), ("one", "1"), ("two", "2")]);
    let build = |other| bench.build(&format!("FROM scratch\nCOPY {other} /other\nCOPY jars /opt/jars/"));
    let (first, second) = (build("one"), build("two"));
    let last = |layers: &[BuiltLayer]| layers.last().unwrap().clone();
    assert_eq!(last(&first.layers).diff_id, last(&second.layers).diff_id);
    assert_eq!(last(&first.layers).origin, Origin::Written);
    assert_eq!(last(&second.layers).origin, Origin::Cached);
    assert_ne!(first.image, second.image);
}

#[test]
fn what_was_built_is_not_built_again() {
    let bench = Bench::with(&[("a", "1")]);
    let dockerfile = "FROM scratch\nCOPY a /";
    let first = bench.build(dockerfile);
    let again = bench.build(dockerfile);
    assert_eq!((&again.image, &again.config, &again.unused_args), (&first.image, &first.config, &first.unused_args));
    assert_eq!(again.layers[0].origin, Origin::Cached);
    // Nothing that is remembered is needed.
    fs::remove_dir_all(bench.layout.root().join(".assemble")).unwrap();
    let layout = Layout::open(bench.layout.root()).unwrap();
    let mut fresh = Bench::with(&[("a", "1")]);
    fresh.layout = layout;
    assert_eq!(fresh.build(dockerfile).image, first.image);
}

#[test]
fn what_an_ignore_file_hides_cannot_be_copied() {
    let mut bench = Bench::with(&[("a.log", ""), ("keep.log", ""), ("d/x.pyc", ""), ("d/x.py", "")]);
    let ignore = assemble::context::Ignore::parse("*.log\n!keep.log\n**/*.pyc").unwrap();
    bench.context = bench.context.without(&ignore);
    assert_eq!(bench.files("FROM scratch\nCOPY . /"), ["d0755 0:0 d", "-0644 0:0 d/x.py 0", "-0644 0:0 keep.log 0"]);
}

#[test]
fn dockerfiles_without_stages_are_refused() {
    let bench = Bench::new();
    for (text, expected) in [
        ("", "Dockerfile:1: there is no FROM; begin with `FROM scratch` or `FROM image`"),
        ("# nothing\r\n\r\n", "Dockerfile:1: there is no FROM"),
        ("ENV A=1\nFROM scratch", "Dockerfile:1: ENV comes before the first FROM; only ARG may"),
        ("FROM scratch AS a\nFROM scratch AS A", "Dockerfile:2: stage `a` has the name of that on line 1"),
        ("FROM scratch AS 1a", "Dockerfile:1: `1a` is no name for a stage"),
        ("FROM a b", "Dockerfile:1: FROM needs an image, or `image AS name`"),
    ] {
        let error = bench.refuse(text);
        assert!(error.starts_with(expected), "{text}\n{error}");
    }
    assert_eq!(bench.files("\u{feff}FROM scratch\r\nENV A=1\r\n"), Vec::<String>::new());
}

#[test]
fn a_context_is_a_value() {
    let (one, two) = (Bench::with(&[("a", "1"), ("b/c", "2")]), Bench::with(&[("b/c", "2"), ("a", "1")]));
    assert_eq!(one.context.digest(), two.context.digest());
    assert_ne!(one.context.digest(), Bench::with(&[("a*", "1"), ("b/c", "2")]).context.digest());
    assert_ne!(one.context.digest(), Context::new().digest());
}
