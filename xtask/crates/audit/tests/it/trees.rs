//! A tree of the shape that this repository had before: the faults that it had, each found at its line.

use audit::{
    Exceptions, Rule, Scope,
    expect::Spark,
    tree::{Content, File, TreeExpect, judge},
};
use blob::Digest;

use crate::bench::lines;

fn spark(version: &str, scala: &str, kafka: &str) -> Spark {
    Spark {
        version: version.to_owned(),
        line: version.rsplit_once('.').unwrap().0.to_owned(),
        scala: scala.to_owned(),
        hadoop: "3.4.2".to_owned(),
        built_with: [("kafka-clients", kafka), ("py4j", "0.10.9.9")].map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
    }
}

fn found_with(files: &[(&str, &str)], exceptions: &str) -> Vec<String> {
    let file =
        |(path, text): &(&str, &str)| File { path: (*path).to_owned(), content: Content::Text((*text).to_owned()) };
    let files: Vec<File> = files.iter().map(file).collect();
    let legacy = ("spark-k8s-jdbc-drivers:latest", "one tag for every Spark version");
    let expect = TreeExpect {
        sparks: vec![spark("3.5.7", "2.12", "3.4.1"), spark("4.1.0", "2.13", "3.9.1")],
        known: Default::default(),
        tags: vec![(legacy.0.to_owned(), legacy.1.to_owned())],
    };
    lines(&judge(&files, &expect, &Exceptions::parse(exceptions, Scope::Tree).unwrap()))
}

fn found(files: &[(&str, &str)]) -> Vec<String> {
    found_with(files, "")
}

/// The one thing that is found in one file.
fn one(path: &str, text: &str) -> String {
    let found = found(&[(path, text)]);
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

/// A RUN that fetches `path` and compares it.
fn fetch(path: &str) -> String {
    format!("RUN wget -q https://repository.example.org/maven2/{path} && sha256sum -c sums\n")
}

#[test]
fn a_dockerfile_without_faults() {
    let text = "ARG PARENT\nFROM ${PARENT}\nCOPY --chmod=775 jars/ /opt/spark/jars/\nENV A=1\n\
                ADD --checksum=sha256:00 https://example.org/a.jar /a.jar\n\
                RUN mkdir -p /data && chown -R 185:0 /data && chmod 1777 /tmp\n";
    assert_eq!(found(&[("docker/Dockerfile", text)]), [] as [&str; 0]);
}

#[test]
fn sdks() {
    let v1 = fetch("com/amazonaws/aws-java-sdk-bundle/1.12.262/aws-java-sdk-bundle-1.12.262.jar");
    let v2 = fetch("software/amazon/awssdk/bundle/2.29.52/bundle-2.29.52.jar");
    let found = found(&[("docker/Dockerfile", &format!("FROM x\n{v2}{v1}RUN rm -f aws-java-sdk-bundle-*.jar\n"))]);
    let expected = [
        "error aws-sdk-v1 docker/Dockerfile:3 fetches aws-java-sdk-bundle",
        "error aws-sdk-twice docker/Dockerfile:3 fetches SDK v1, and line 2 fetches SDK v2",
    ];
    assert_eq!(found, expected);
    let second = fetch("org/apache/iceberg/iceberg-aws-bundle/1.6.1/iceberg-aws-bundle-1.6.1.jar");
    assert!(one("Dockerfile", &second).starts_with("error aws-sdk-twice Dockerfile:1 fetches iceberg-aws-bundle"));
}

#[test]
fn hadoop() {
    let text = "FROM x\nARG HADOOP_VERSION=3.3.4\nRUN wget -q \\\n  https://e.example/org/apache/hadoop/hadoop-aws/${HADOOP_VERSION}/hadoop-aws-${HADOOP_VERSION}.jar && sha256sum -c x\n";
    assert_eq!(one("Dockerfile", text), "error hadoop-version Dockerfile:3 expected Hadoop 3.4.2, found 3.3.4");
    let official =
        "error hadoop-version Dockerfile:1 expected Hadoop 3.4.2; the official image of Spark 3 holds Hadoop 3.3";
    assert_eq!(one("Dockerfile", "FROM apache/spark:3.5.7-scala2.12-java17-ubuntu\n"), official);
    let distribution = "RUN curl -fO https://archive.example.org/dist/spark/spark-3.5.7/spark-3.5.7-bin-hadoop3.tgz && sha512sum -c x\n";
    assert!(
        one("docker/docker-base/spark-core/Dockerfile", distribution).contains("the official distribution of Spark 3")
    );
    assert!(one("build.sh", "mvn package -Dhadoop.version=3.3.6\n").ends_with("expected Hadoop 3.4.2, found 3.3.6"));
}

#[test]
fn scala_line_and_what_spark_was_built_with() {
    let of = |path: &str, text: &str| {
        one("Dockerfile", &format!("ARG SPARK_VERSION=4.1.0\nFROM x\n{}", fetch(&format!("{path}{text}"))))
    };
    assert_eq!(
        of("com/nvidia/rapids-4-spark_2.12/24.02.0/", "x.jar"),
        "error scala-suffix Dockerfile:3 expected Scala 2.13 for Spark 4.1.0, found 2.12"
    );
    assert_eq!(
        of("i/iceberg-spark-runtime-3.5_2.13/1.6.1/", "x.jar"),
        "error spark-line Dockerfile:3 expected a jar for Spark 4.1, found one for 3.5"
    );
    assert_eq!(
        of("org/apache/kafka/kafka-clients/3.7.1/", "x.jar"),
        "error version-of-spark Dockerfile:3 expected kafka-clients 3.9.1 for Spark 4.1.0, found 3.7.1"
    );
    // The file's name says which Spark it is about.
    let kafka = fetch("org/apache/kafka/kafka-clients/3.9.1/kafka-clients-3.9.1.jar");
    assert!(
        one("docker/spark-custom/Dockerfile.3.5.7", &kafka)
            .ends_with("expected kafka-clients 3.4.1 for Spark 3.5.7, found 3.9.1")
    );
    let py4j = "FROM spark-k8s:4.1.0\nENV PYTHONPATH=/opt/spark/python/lib/py4j-0.10.9.7-src.zip\n";
    assert!(one("Dockerfile", py4j).ends_with("expected py4j 0.10.9.9 for Spark 4.1.0, found 0.10.9.7"));
}

#[test]
fn downloads_without_a_digest_or_whose_failure_is_ignored() {
    let run = "FROM x\nRUN wget -q https://example.org/a.jar \\\n && curl -fsSL https://example.org/install | sh\n";
    let expected = [
        "error unpinned-download Dockerfile:2 fetches a.jar and compares it with no digest",
        "error unpinned-download Dockerfile:3 fetches install and compares it with no digest",
    ];
    assert_eq!(found(&[("Dockerfile", run)]), expected);
    assert!(
        one("Dockerfile", "ADD https://example.org/a.jar /opt/\n")
            .starts_with("error unpinned-download Dockerfile:1 fetches a.jar")
    );
    let ignored = "FROM x\nRUN wget https://example.org/a.jar || echo skipped; sha256sum -c a\n";
    assert_eq!(one("Dockerfile", ignored), "error ignored-failure Dockerfile:2 goes on when this fails: `|| echo`");
    assert!(one("build.sh", "docker build -t x:$V . || true\n").starts_with("error ignored-failure build.sh:1"));
    // Asking a service whether it is well fetches nothing, and a failure that ends the script is not ignored.
    for fine in [
        "curl -s http://spark-connect:4040/api || true\n",
        "wget https://example.org/a.jar || exit 1\nsha256sum -c a\n",
        "echo \"cd x && wget https://example.org/a.jar || true\"\n",
    ] {
        assert_eq!(found(&[("test.sh", fine)]), [] as [&str; 0], "{fine}");
    }
}

#[test]
fn modes_and_owners() {
    for mode in ["777", "-R 0777", "a+w", "o+rwx", "666"] {
        let found = one("Dockerfile", &format!("FROM x\nRUN mkdir /d && chmod {mode} /d\n"));
        assert!(found.starts_with("error world-writable Dockerfile:2 gives mode"), "{mode}: {found}");
    }
    assert!(one("Dockerfile", "COPY --chmod=777 a /a\n").starts_with("error world-writable"));
    for mode in ["4755", "u+s", "6755"] {
        assert!(
            one("Dockerfile", &format!("RUN chmod {mode} /usr/bin/x\n")).starts_with("error setuid Dockerfile:1"),
            "{mode}"
        );
    }
    let again = "FROM x\nCOPY dist /opt/spark\nRUN useradd spark \\\n && chown -R spark:spark /opt/spark\n";
    assert_eq!(
        one("Dockerfile", again),
        "warning stored-twice Dockerfile:4 `chown -R` stores all files of /opt/spark in one more layer"
    );
    for fine in ["755", "1777", "g+s", "2775", "g+rwX", "u=rwx,g=rx", "+x", "${MODE}", "00000000777", "z"] {
        assert_eq!(found(&[("Dockerfile", &format!("RUN chmod {fine} /d\n"))]), [] as [&str; 0], "{fine}");
    }
}

#[test]
fn one_tag_for_different_images() {
    let makefile = "REGISTRY ?= localhost:5000\nIMAGE ?= spark\na:\n\tdocker tag $(REGISTRY)/$(IMAGE):3.5.7 $(REGISTRY)/$(IMAGE):3.5\nb:\n\tdocker tag $(REGISTRY)/$(IMAGE):3.5.8 $(REGISTRY)/$(IMAGE):3.5\n";
    let expected =
        "error colliding-tag Makefile:6 localhost:5000/spark:3.5 is given here, and for something else at Makefile:4";
    assert_eq!(one("Makefile", makefile), expected);
    let script = |spark: &str| {
        format!(
            "readonly NAME=\"${{NAME:-own:latest}}\"\ndocker build --build-arg SPARK={spark} \\\n  -t \"$NAME\" .\n"
        )
    };
    let found = found(&[("a/build-3.5.sh", &script("3.5.7")), ("a/build-4.1.sh", &script("4.1.0"))]);
    assert_eq!(
        found,
        ["error colliding-tag a/build-4.1.sh:2 own:latest is given here, and for something else at a/build-3.5.sh:2"]
    );
    let legacy = "docker build -t spark-k8s-jdbc-drivers:latest .\n";
    assert!(
        one("build.sh", legacy)
            .ends_with("spark-k8s-jdbc-drivers:latest is given here: one tag for every Spark version")
    );
    // The same build in two scripts, and a tag that nobody can know.
    let same = "docker build -f docker/Dockerfile.3.5.7 -t own:3.5.7 .\n";
    assert_eq!(
        found_with(&[("a.sh", same), ("b.sh", same), ("c.sh", "docker tag a $B:latest\ndocker tag c $B:latest\n")], ""),
        [] as [&str; 0]
    );
}

#[test]
fn secrets_in_dockerfiles_compose_files_and_anywhere() {
    let key = ["AKIA", "Q7ZL2MPX9RT4BVWC"].concat();
    assert_eq!(
        one("notes.md", &format!("\n{key}\n")),
        "error secret notes.md:2 looks like a secret (AWS access key): `AKIA…`"
    );
    let compose = "services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: spark\n      OTHER: $X\n      DB_TOKEN: ${TOKEN}\n";
    assert_eq!(
        one("docker-compose.yaml", compose),
        "warning secret docker-compose.yaml:4 the variable POSTGRES_PASSWORD is called like a secret and has a value here"
    );
    assert!(one("Dockerfile", "ENV A=1 \\\n    MY_TOKEN=x1\n").starts_with("warning secret Dockerfile:2"));
    assert!(one("Dockerfile", "ARG MY_TOKEN=x1\n").starts_with("warning secret Dockerfile:1"));
    assert_eq!(found(&[("Dockerfile", "ARG MY_TOKEN\n")]), [] as [&str; 0]);
}

#[test]
fn jars_that_lie_in_the_tree() {
    let folder = tempfile::tempdir().unwrap();
    let state = |bytes: &[u8]| {
        let path = folder.path().join("x.jar");
        std::fs::write(&path, bytes).unwrap();
        audit::tree::read_jar(std::fs::File::open(path).unwrap(), bytes.len() as u64)
    };
    let jar = |path: &str, bytes: &[u8]| File {
        path: path.to_owned(),
        content: Content::Jar(Digest::of(bytes), Box::new(state(bytes))),
    };
    let v1 = crate::bench::jar(&[("com/amazonaws/A.class", "x")]);
    let files = [
        jar("docker/hadoop-aws-3.3.4.jar", &v1),
        jar("docker/iceberg-spark-runtime-4.0_2.13-1.10.0.jar", &crate::bench::jar(&[])),
        jar("docker/pointer.jar", b"version https://git-lfs"),
    ];
    let sparks = vec![spark("3.5.7", "2.12", "3.4.1")];
    let known = [Digest::of(b"version https://git-lfs"), Digest::of(&crate::bench::jar(&[]))].into();
    let expect = TreeExpect { sparks, known, tags: Vec::new() };
    let found = judge(&files, &expect, &Exceptions::default());
    let rules: Vec<Rule> = found.iter().map(|finding| finding.rule).collect();
    let expected = [Rule::JarNotInLock, Rule::HadoopVersion, Rule::AwsSdkV1, Rule::SparkLine, Rule::BrokenJar];
    assert_eq!(rules, expected, "{:#?}", lines(&found));
}

#[test]
fn exceptions_of_the_tree() {
    let text = "[[allow]]\nrule = \"setuid\"\npaths = [\"usr/bin/su\"]\nreason = \"images\"\n\
                [[allow-in-tree]]\nrule = \"setuid\"\npaths = [\"ci/**\"]\nreason = \"r\"\n";
    assert_eq!(found_with(&[("ci/a/Dockerfile", "RUN chmod 4755 /x\n")], text), [] as [&str; 0]);
    let unused = found_with(&[("docker/Dockerfile", "RUN chmod 4755 /x\n")], text);
    assert_eq!(unused.len(), 2, "{unused:#?}");
    assert!(unused[1].starts_with("warning unused-exception docker/audit.toml:5"), "{unused:#?}");
}

#[test]
fn every_rule_for_trees_is_proven_here() {
    let source = include_str!("trees.rs");
    for rule in Rule::ALL.into_iter().filter(|rule| rule.is_for_trees()) {
        let proven = source.contains(&format!(" {} ", rule.id())) || source.contains(&format!("Rule::{rule:?}"));
        assert!(proven, "{} has no wrong tree", rule.id());
    }
}
