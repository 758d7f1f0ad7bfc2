//! Everything that can be wrong with a table or an image file is reported, all of it at once, each with its place.

use catalog::{Catalog, Source};

const TABLE: &str = include_str!("table.toml");

const BASE: &str = "name = \"base\"\nabout = \"a\"\ntags = [\"1\"]\n";

fn source(path: &str, text: &str) -> Source {
    Source { path: path.into(), text: text.into() }
}

/// The problems of a table and image files, as `path:line:column: message; help`.
fn problems(table: &str, images: &[(&str, &str)]) -> Vec<String> {
    let images: Vec<Source> =
        images.iter().map(|(id, text)| source(&format!("docker/{id}/image.toml"), text)).collect();
    let Err(problems) = Catalog::read(&source("docker/versions.toml", table), &images) else { return Vec::new() };
    let line = |problem| {
        let (line, column) = problems.place(problem);
        let help = problem.help.as_deref().unwrap_or("");
        format!("{}:{line}:{column}: {}; {help}", problem.path, problem.message)
    };
    problems.iter().map(line).collect()
}

#[track_caller]
fn assert_problem(table: &str, images: &[(&str, &str)], expected: &str) {
    let found = problems(table, images);
    assert!(found.iter().any(|problem| problem.contains(expected)), "expected {expected:?} in {found:#?}");
}

#[test]
fn a_right_table_has_no_problem() {
    assert_eq!(problems(TABLE, &[("base", BASE)]), Vec::<String>::new());
}

#[test]
fn files_that_are_no_toml_are_named() {
    assert_problem("", &[], "docker/versions.toml:1:1: the file is empty; restore it");
    assert_problem("\u{feff}epoch = 1", &[], "begins with a byte order mark; save it as UTF-8 without");
    assert_problem("epoch = = 1\n", &[], "docker/versions.toml:1:9: this is not TOML");
    assert_problem(TABLE, &[("base", "name \"x\"")], "docker/base/image.toml:1:");
}

#[test]
fn line_ends_of_windows_are_no_problem() {
    assert_eq!(problems(&TABLE.replace('\n', "\r\n"), &[("base", &BASE.replace('\n', "\r\n"))]), Vec::<String>::new());
}

#[test]
fn unknown_keys_and_wrong_types_are_all_reported_at_once() {
    let table = TABLE.replace("[versions]", "orign = \"x\"\n[versions]").replace("scala = \"2.12\"", "scla = 1");
    let base = format!("{BASE}nane = \"x\"\nper = 3\n");
    let found = problems(&table, &[("base", &base)]);
    for expected in [
        "docker/base/image.toml:4:1: unknown key `nane` in the top level; did you mean `name`?",
        "docker/base/image.toml:5:7: `per` in the top level is integer, expected a string",
        "docker/versions.toml:5:1: unknown key `orign` in the top level; did you mean `origin`?",
        "unknown key `scla` in [spark.3.5.7]; did you mean `scala`?",
        "`scala` is missing in [spark.3.5.7]",
    ] {
        assert!(found.iter().any(|problem| problem.contains(expected)), "expected {expected:?} in {found:#?}");
    }
}

#[test]
fn unknown_parents_and_cycles_are_named() {
    let child = "name = \"c\"\nabout = \"a\"\ntags = [\"1\"]\n[parents]\nPARENT = \"bsae\"\n";
    assert_problem(
        TABLE,
        &[("base", BASE), ("c", child)],
        "docker/c/image.toml:5:10: unknown parent `bsae`; did you mean `base`?",
    );
    let a = "name = \"a\"\nabout = \"a\"\ntags = [\"1\"]\n[parents]\nPARENT = \"b\"\n";
    let b = "name = \"b\"\nabout = \"a\"\ntags = [\"1\"]\n[parents]\nPARENT = \"a\"\n";
    assert_problem(TABLE, &[("a", a), ("b", b)], "the images stand on each other: a -> b -> a");
}

#[test]
fn two_images_with_one_tag_are_refused() {
    let per = "name = \"x\"\nabout = \"a\"\nper = \"spark\"\ntags = [\"latest\"]\n";
    assert_problem(TABLE, &[("x", per)], "docker/x/image.toml:4:9: two images are called x:latest");
}

#[test]
fn jars_must_fit_spark_and_hadoop() {
    let image = |jar: &str| {
        format!(
            "name = \"x\"\nabout = \"a\"\nper = \"spark\"\ntags = [\"{{spark}}\"]\n[[stage]]\ninto = \"j/\"\nmaven = [\"{jar}\"]\n"
        )
    };
    let problem = "docker/x/image.toml:7:10: g:a_2.12:1 is built for Scala 2.12, Spark 4.1.0 for Scala 2.13";
    assert_problem(TABLE, &[("x", &image("g:a_2.12:1"))], problem);
    let problem = "org.apache.hadoop:hadoop-aws:3.3.4 is not the table's Hadoop 3.4.2; write `{hadoop}`";
    assert_problem(TABLE, &[("x", &image("org.apache.hadoop:hadoop-aws:3.3.4"))], problem);
    assert_problem(
        TABLE,
        &[("x", &image("g:a:{hadop}"))],
        "nobody defines the placeholder `{hadop}`; did you mean `{hadoop}`?",
    );
    assert_problem(
        TABLE,
        &[("x", &image("g:a:{iceberg}"))],
        "nobody defines the placeholder `{iceberg}`; add `iceberg = ",
    );
    assert_problem(TABLE, &[("x", &image("g:a"))], "`g:a` is no Maven coordinate: expected group:artifact:version");
    assert_eq!(problems(TABLE, &[("x", &image("g:a_{scala}:{spark}"))]), Vec::<String>::new());
}

#[test]
fn an_unsupported_version_is_answered_with_its_reason_and_the_command() {
    let image = "name = \"x\"\nabout = \"a\"\nper = \"spark\"\nspark = [\"3.5.8\", \"9.9.9\"]\ntags = [\"{spark}\"]\n";
    assert_problem(
        TABLE,
        &[("x", image)],
        "Spark 3.5.8 is not supported: nobody tried; to add it: cargo xtask add-version 3.5.8",
    );
    assert_problem(TABLE, &[("x", image)], "Spark 9.9.9 does not stand in docker/versions.toml; to add it");
}

#[test]
fn groups_variants_and_stages_are_checked() {
    let image = "name = \"x\"\nabout = \"a\"\ntags = [\"{variant}\"]\n[variants.a]\ngroup = \"gpo\"\n[[stage]]\ninto = \"j/\"\nvariants = [\"b\"]\nfolder = \"x\"\nmaven = []\n[[stage]]\ninto = \"k/\"\nvariants = [\"b\"]\nfolder = \"x\"\n";
    assert_problem(TABLE, &[("x", image)], "there is no group `gpo`; groups of the table: gpu");
    assert_problem(TABLE, &[("x", image)], "a stage has exactly one content, this one has maven, folder");
    assert_problem(TABLE, &[("x", image)], "the image has no variant `b`; its variants: a");
}

#[test]
fn names_and_tags_are_what_a_registry_takes() {
    assert_problem(TABLE, &[("x", "name = \"Spark\"\nabout = \"a\"\ntags = [\"1\"]\n")], "`Spark` is no image name");
    assert_problem(TABLE, &[("x", "name = \"x\"\nabout = \"a\"\ntags = [\"a b\"]\n")], "`a b` is no tag");
}

#[test]
fn a_substitute_that_nobody_needs_is_reported() {
    let table = format!("{TABLE}\n[[substitute]]\nartifact = \"g:a:1\"\nversion = \"2\"\nreason = \"r\"\n");
    assert_problem(&table, &[("base", BASE)], "nothing asks for g:a:1, which the table substitutes");
}

#[test]
fn problems_show_the_line() {
    let Err(problems) = Catalog::read(&source("docker/versions.toml", &TABLE.replace("origin", "orign")), &[]) else {
        panic!("a table without `origin` is a problem")
    };
    let text = problems.to_string();
    assert!(text.contains("--> docker/versions.toml:3:1"), "{text}");
    assert!(text.contains("3 | orign = \"release\""), "{text}");
    assert!(text.contains("did you mean `origin`?"), "{text}");
}

#[test]
fn platforms_are_known_and_stand_once() {
    let with = |list: &str| TABLE.replace("platforms = [\"linux/amd64\"]", &format!("platforms = {list}"));
    let place = "docker/versions.toml:4:";
    assert_problem(
        &with("[\"linux/amd64\", \"linux/s390x\"]"),
        &[("base", BASE)],
        &format!(
            "{place}29: `linux/s390x` is no platform: expected linux/amd64 or linux/arm64; write linux/amd64 or linux/arm64"
        ),
    );
    assert_problem(&with("[\"amd64\"]"), &[("base", BASE)], "`amd64` is no platform");
    assert_problem(
        &with("[\"linux/arm64\", \"linux/arm64\"]"),
        &[("base", BASE)],
        &format!("{place}29: linux/arm64 stands twice in `platforms`; keep one of the two"),
    );
    assert_problem(&with("[]"), &[("base", BASE)], "`platforms` names nothing; write `platforms = [\"linux/amd64\"]`");
    let without = TABLE.replace("platforms = [\"linux/amd64\"]\n", "");
    assert_problem(&without, &[("base", BASE)], "`platforms` is missing; add `platforms = [\"linux/amd64\"]`");
    let stage = "[[stage]]\ninto = \"x/\"\nplatforms = [\"windows\"]\nfolder = \"x\"\n";
    assert_problem(
        TABLE,
        &[("base", &format!("{BASE}{stage}"))],
        "docker/base/image.toml:6:14: `windows` is no platform",
    );
    // A platform that this table does not have is none of its business: image files fit many tables.
    let stage = "[[stage]]\ninto = \"x/\"\nplatforms = [\"linux/arm64\"]\nfolder = \"x\"\n";
    assert_eq!(problems(TABLE, &[("base", &format!("{BASE}{stage}"))]), Vec::<String>::new());
}

#[test]
fn what_is_called_legacy_stays_inside_and_is_nothing_that_is_built() {
    let with = |legacy: &str| format!("{TABLE}\n[legacy]\n{legacy}");
    let path = |what: &str| with(&format!("[[legacy.path]]\n{what}\nreason = \"r\"\ninstead = \"i\"\n"));
    let image = |names: &str| with(&format!("[[legacy.image]]\nnames = {names}\nreason = \"r\"\ninstead = \"i\"\n"));
    let images = [("base", BASE)];
    for good in [
        with("told-in = [\"CHANGELOG.md\"]\n"),
        path("folder = \"docker/old\""),
        path("files = [\"Makefile\", \"docker/*/nothing-like-it-*.sh\", \"a[!b]?\"]\nholds = [\"x\"]\nlacks = [\"y\"]"),
        image("[\"old:1\", \"localhost:5000/a/old:1.0-x\"]"),
    ] {
        assert_eq!(problems(&good, &images), Vec::<String>::new(), "{good}");
    }
    for (table, expected) in [
        (with("files = []\n"), "unknown key `files` in [legacy]"),
        (path("folder = \"/etc\""), "`/etc` is no path inside of the repository; write a path relative"),
        (path("folder = \"a/../..\""), "`a/../..` has the part `..`"),
        (path("folder = \"\""), "`` is no path inside of the repository"),
        (path("folder = \"a//b\""), "`a//b` has the part ``"),
        (path("folder = \".git/hooks\""), "has the part `.git`"),
        (path("folder = \"docker/*\""), "`docker/*` has the wildcard `*`"),
        (path("files = [\"docker/*\"]"), "`docker/*` matches whatever lies there"),
        (path("files = [\"docker/**/build.sh\"]"), "has the wildcard `**`"),
        (path("files = [\"docker/[a\"]"), "`docker/[a` is no pattern: "),
        (path("files = [\"a\\nb\"]"), "`a\\nb` is no path inside of the repository"),
        (path("folder = \"a\"\nfiles = [\"b\"]"), "names one `folder`, or `files`"),
        (path("folder = \"a\"\nholds = [\"b\"]"), "`holds` and `lacks` are about `files`"),
        (path("folder = \"a\"\nfolders = \"b\""), "unknown key `folders` in [legacy.path]; did you mean `folder`?"),
        (with("[[legacy.path]]\nfolder = \"a\"\n"), "`reason` is missing"),
        (path("folder = \"docker\""), "[legacy] calls `docker` legacy, and base:1 is made of docker/base/image.toml"),
        (
            path("files = [\"docker/*/Docker*\"]"),
            "and base:1 is made of docker/base/Dockerfile; make the pattern narrower",
        ),
        (image("[\"old\"]"), "`old` is no image with its tag"),
        (image("[\"old:*\"]"), "`old:*` is no image with its tag; write the whole name"),
        (image("[\"--all:1\"]"), "`--all:1` is no image with its tag"),
        (image("[]"), "`names` in [[legacy.image]] names nothing"),
        (
            image("[\"base:1\"]"),
            "[legacy] calls the image base:1 legacy, and docker/base/image.toml says that it is built",
        ),
    ] {
        assert_problem(&table, &images, expected);
    }
}

#[test]
fn a_lookup_reads_one_thing_from_a_pom() {
    let lookup = |text: &str| format!("{TABLE}\n[lookup]\nkafka = {text}\n");
    let good = "{ pom = \"g:a_{scala}:{spark}\", property = \"kafka.version\" }";
    assert_eq!(problems(&lookup(good), &[("base", BASE)]), Vec::<String>::new());
    assert_eq!(problems(&lookup(&format!("[{good}, {good}]")), &[("base", BASE)]), Vec::<String>::new());
    assert_problem(&lookup("{ property = \"a\" }"), &[], "`pom` is missing in [lookup.kafka]");
    assert_problem(&lookup("{ pom = \"g:a:1\" }"), &[], "a lookup reads one thing, this one nothing");
    assert_problem(&lookup("{ pom = \"g:a:1\", property = \"a\", dependency = \"b\" }"), &[], "this one two things");
    assert_problem(&lookup("{ pom = \"g:a\", property = \"a\" }"), &[], "`g:a` is no Maven coordinate");
    assert_problem(&lookup("{ pom = \"g:a:1\", property = \"a\", propery = \"a\" }"), &[], "did you mean `property`?");
    assert_problem(&lookup("3"), &[], "`kafka` in [lookup] is integer, expected a table");
}

#[test]
fn open_questions_are_reported_once_and_alone() {
    let table = TABLE.replace(
        "[spark.\"4.1.0\"]\nscala = \"2.13\"\n",
        "[spark.\"4.1.0\"]\nscala = \"?\"\n[spark.\"4.1.0\".shims]\np = { take = \"? it knows 411\", reason = \"a\" }\n[spark.\"4.1.0\".versions]\nkafka = \"? 3.5.7 has 3.4.1\"\n",
    );
    let custom = format!(
        "{}per = \"spark\"\n[[stage]]\ninto = \"jars/\"\nspark = [\"4.1.0\", \"? 3.5.7: of another line\"]\n\
         maven = [\"g:kafka_{{scala}}:{{kafka}}\"]\nshims = {{ plugin = \"p\", files = \"spark*/a\" }}\n",
        BASE.replace("\"1\"", "\"{spark}\"")
    );
    let table = &table.replace("[versions]\n", "[versions]\nkafka = \"1\"\n");
    assert_eq!(
        problems(table, &[("custom", &custom)]),
        [
            "docker/custom/image.toml:7:19: whether this is for Spark 3.5.7 is an open question; of another line\nwrite `3.5.7`, or take the entry out",
            "docker/versions.toml:18:9: the Scala of Spark 4.1.0 is an open question; write it as `2.13`",
            "docker/versions.toml:20:14: which shim of `p` Spark 4.1.0 takes is an open question; it knows 411\nwrite a version that the jar knows, and the reason",
            "docker/versions.toml:22:9: which `kafka` belongs to Spark 4.1.0 is an open question; 3.5.7 has 3.4.1\nwrite the version in its place",
        ]
    );
    let read = |table: &str| {
        Catalog::read(&source("docker/versions.toml", table), &[source("docker/custom/image.toml", &custom)])
    };
    assert!(read(table).unwrap_err().are_questions());
    assert!(!read(&table.replace("origin", "orign")).unwrap_err().are_questions());
}

#[test]
fn shims_name_a_plugin_and_a_path_with_the_version() {
    let stage = |content: &str| format!("{BASE}[[stage]]\ninto = \"a/\"\n{content}\n");
    for (content, expected) in [
        ("maven = [\"g:a:1\"]\nshims = { plugin = \"p\" }", "`files` is missing in [stage.shims]"),
        ("maven = [\"g:a:1\"]\nshims = { plugin = \"p\", files = \"spark/a\" }", "`files` has no single `*`"),
        ("folder = \"a\"\nshims = { plugin = \"p\", files = \"spark*/a\" }", "`shims` of what is no jar"),
        ("folder = \"a\"\nshim = \"none\"", "`shim = \"none\"`"),
    ] {
        assert_problem(TABLE, &[("base", &stage(content))], expected);
    }
}

#[test]
fn an_action_of_github_is_named_by_its_full_commit() {
    let ci = |actions: &str| {
        format!(
            "{TABLE}\n[ci]\njob-minutes = 3\nmegabytes-per-second = 20\nsmoke-seconds = 20\ncompile-minutes = 90\n\
             [ci.gitlab]\nneeds-per-job = 5\njobs-per-pipeline = 5\nyaml-bytes = 5\nimage = \"i\"\n\
             [ci.github]\njobs-per-matrix = 5\noutput-bytes = 5\n[ci.github.actions]\n{actions}\n"
        )
    };
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let good = format!("\"a/b\" = {{ version = \"v1.2\", commit = \"{commit}\" }}");
    assert_eq!(problems(&ci(&good), &[("base", BASE)]), Vec::<String>::new());
    let wrong = |from: &str, to: &str, expected: &str| {
        assert_problem(&ci(&good.replacen(from, to, 1)), &[("base", BASE)], expected);
    };
    wrong(commit, "v1", "`v1` is no full commit: expected 40 digits");
    wrong(commit, &commit.to_uppercase(), "is no full commit");
    wrong("a/b", "a/b/c", "`a/b/c` is no action: expected `owner/name`");
    wrong("a/b", "./local", "`./local` is no action");
    wrong("v1.2", "v1\\n#", "is no version of an action");
    wrong("version", "vers", "unknown key `vers`");
    wrong(&format!(", commit = \"{commit}\""), "", "`commit` is missing in [ci.github.actions.a/b]");
}
