//! One wrong image for each rule: exactly this rule speaks.

use audit::Rule;

use crate::bench::{Bench, Entry, capable, dir, file, jar, lines, link, spark_jar};

/// What a clean image with one more layer gives: one finding.
fn one(entries: Vec<Entry>) -> String {
    let found = Bench::with(entries).found();
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

#[test]
fn a_clean_image_has_no_finding() {
    assert_eq!(Bench::clean().found(), [] as [&str; 0]);
}

#[test]
fn sdk_v1() {
    let jar = spark_jar("aws-java-sdk-bundle-1.12.262.jar", &[("com/amazonaws/auth/AWSCredentials.class", "x")]);
    let expected =
        "error aws-sdk-v1 opt/spark/jars/aws-java-sdk-bundle-1.12.262.jar has com/amazonaws/auth/AWSCredentials.class";
    assert_eq!(one(vec![jar]), expected);
    // Relocated, it is another library's own affair.
    let shaded = spark_jar("own-1.0.jar", &[("own/shaded/com/amazonaws/auth/AWSCredentials.class", "x")]);
    assert_eq!(Bench::with(vec![shaded]).found(), [] as [&str; 0]);
}

#[test]
fn two_sdks_also_outside_of_the_class_path() {
    let second = file(
        "opt/own/lib/iceberg-aws-bundle-1.11.0.jar",
        0o644,
        jar(&[("software/amazon/awssdk/core/Other.class", "x")]),
    );
    let found = one(vec![second]);
    assert!(found.starts_with("error aws-sdk-twice opt/spark/jars/bundle-2.29.52.jar has software/"), "{found}");
    assert!(found.contains("and so has opt/own/lib/iceberg-aws-bundle-1.11.0.jar"), "{found}");
}

#[test]
fn hadoop_by_name_by_its_own_word_and_by_its_coordinates() {
    let by_name = spark_jar("hadoop-yarn-server-web-proxy-3.3.4.jar", &[("y/Y.class", "x")]);
    assert!(one(vec![by_name]).ends_with("web-proxy-3.3.4.jar expected Hadoop 3.4.2, found 3.3.4"));
    let renamed = spark_jar("hadoop.jar", &[("common-version-info.properties", "# x\nversion=3.3.6\n")]);
    assert_eq!(one(vec![renamed]), "error hadoop-version opt/spark/jars/hadoop.jar expected Hadoop 3.4.2, found 3.3.6");
    let text = "version=3.3.1\ngroupId=org.apache.hadoop\nartifactId=hadoop-aws\n";
    let own = spark_jar("s3a.jar", &[("META-INF/maven/org.apache.hadoop/hadoop-aws/pom.properties", text)]);
    assert_eq!(one(vec![own]), "error hadoop-version opt/spark/jars/s3a.jar expected Hadoop 3.4.2, found 3.3.1");
}

#[test]
fn scala_by_suffix_and_by_its_library() {
    let jar = spark_jar("delta-spark_2.12-3.2.0.jar", &[("d/D.class", "x")]);
    assert_eq!(
        one(vec![jar]),
        "error scala-suffix opt/spark/jars/delta-spark_2.12-3.2.0.jar expected Scala 2.13, found 2.12"
    );
    let library = spark_jar("scala-library-2.12.18.jar", &[("other/D.class", "x")]);
    assert!(one(vec![library]).ends_with("expected Scala 2.13, found 2.12"));
}

#[test]
fn a_jar_for_another_line_of_spark() {
    let jar = spark_jar("iceberg-spark-runtime-3.5_2.13-1.11.0.jar", &[("i/I.class", "x")]);
    assert!(one(vec![jar]).starts_with("error spark-line opt/spark/jars/iceberg-spark-runtime-3.5_2.13-1.11.0.jar "));
}

#[test]
fn a_class_in_two_jars() {
    let same = spark_jar("own-1.jar", &[("org/apache/kafka/A.class", "a"), ("own/A.class", "a")]);
    let expected = "warning duplicate-class opt/spark/jars/own-1.jar 1 class of kafka-clients-3.9.1.jar again, the same bytes: org/apache/kafka/A.class";
    assert_eq!(one(vec![same]), expected);
    let other = spark_jar("a-first-by-name.jar", &[("org/apache/kafka/A.class", "b"), ("scala/A.class", "a")]);
    let found = Bench::with(vec![other]).found();
    // Whoever came last is named, though its name comes first.
    let begin = "error duplicate-class opt/spark/jars/a-first-by-name.jar 1 class of kafka-clients-3.9.1.jar again, 1 of them with other bytes";
    assert!(found[0].starts_with(begin), "{found:#?}");
    assert!(
        found[1].starts_with("warning duplicate-class opt/spark/jars/a-first-by-name.jar 1 class of scala-library"),
        "{found:#?}"
    );
    // Not on the class path: in a folder below, and elsewhere.
    let elsewhere = jar(&[("org/apache/kafka/A.class", "b")]);
    let elsewhere =
        vec![file("opt/spark/jars/connect-repl/x.jar", 0o644, elsewhere.clone()), file("opt/x.jar", 0o644, elsewhere)];
    assert_eq!(Bench::with(elsewhere).found(), [] as [&str; 0]);
    // On it by a link.
    let own = file("opt/own.jar", 0o644, jar(&[("org/apache/kafka/A.class", "b")]));
    let found = one(vec![own, link("opt/spark/jars/own.jar", "../../own.jar")]);
    assert!(found.starts_with("error duplicate-class opt/own.jar 1 class of kafka-clients"), "{found}");
}

#[test]
fn exceptions_have_reasons_and_are_used() {
    let same = || spark_jar("own-1.jar", &[("org/apache/kafka/A.class", "b")]);
    let mut bench = Bench::with(vec![same()]);
    bench.exceptions =
        "[[allow]]\nrule = \"duplicate-class\"\njars = [\"own-*.jar\", \"kafka-*.jar\"]\nreason = \"r\"\n".into();
    assert_eq!(bench.found(), [] as [&str; 0]);
    let mut bench = Bench::clean();
    bench.exceptions = "\n[[allow]]\nrule = \"setuid\"\npaths = [\"usr/bin/su\"]\nreason = \"r\"\n".into();
    let expected =
        "warning unused-exception docker/audit.toml:2 the exception for `setuid` excuses nothing: usr/bin/su";
    assert_eq!(bench.found(), [expected]);
}

#[test]
fn versions_that_spark_was_built_with() {
    let mut bench = Bench::clean();
    let kafka = spark_jar("kafka-clients-3.7.1.jar", &[("k/K.class", "x")]);
    let pool = spark_jar("commons-pool2-2.11.1.jar", &[("c/C.class", "x")]);
    let zip = file("opt/spark/python/lib/py4j-0.10.9.7-src.zip", 0o644, "z");
    bench.layer("COPY more/ /", vec![kafka, pool, zip]);
    bench.env[1] = "PYTHONPATH=/opt/spark/python/lib/py4j-0.10.9.5-src.zip".into();
    let expected = [
        "error version-of-spark  PYTHONPATH: expected py4j-0.10.9.9-src.zip, found py4j-0.10.9.5-src.zip",
        "error version-of-spark opt/spark/jars/commons-pool2-2.11.1.jar expected commons-pool2 2.12.1, found 2.11.1",
        "error version-of-spark opt/spark/jars/kafka-clients-3.7.1.jar expected kafka-clients 3.9.1, found 3.7.1",
        "error version-of-spark opt/spark/python/lib/py4j-0.10.9.7-src.zip expected py4j-0.10.9.9-src.zip, found py4j-0.10.9.7-src.zip",
    ];
    assert_eq!(bench.found(), expected);
    // A jar without a version in its name says it inside.
    let text = "groupId=org.apache.kafka\nartifactId=kafka-clients\nversion=3.7.1\n";
    let renamed = spark_jar("kafka.jar", &[("META-INF/maven/org.apache.kafka/kafka-clients/pom.properties", text)]);
    assert!(one(vec![renamed]).ends_with("kafka.jar expected kafka-clients 3.9.1, found 3.7.1"));
}

#[test]
fn a_rapids_plugin_knows_this_spark_or_is_told_which_to_take() {
    let shim = |name: &str| format!("{name}/META-INF/services/com.nvidia.spark.rapids.SparkShimServiceProvider");
    let (a, b) = (shim("spark400"), shim("spark411"));
    let plugin = || spark_jar("rapids-4-spark_2.13-26.08.1.jar", &[(&a, "x"), (&b, "x")]);
    let begin = "error rapids-shim opt/spark/jars/rapids-4-spark_2.13-26.08.1.jar ";
    let told = |value: &str| {
        file(
            "opt/spark/image-conf/spark-defaults.d/60.conf",
            0o644,
            format!("# x\nspark.rapids.shims-provider-override   {value}\n"),
        )
    };
    let class = |shim: &str| format!("com.nvidia.spark.rapids.shims.{shim}.SparkShimServiceProvider");
    let expected =
        format!("{begin}has no shim spark410 for Spark 4.1.0, and no default names another; it has spark400, spark411");
    assert_eq!(one(vec![plugin()]), expected);
    assert_eq!(Bench::with(vec![plugin(), told(&class("spark411"))]).found(), [] as [&str; 0]);
    let expected =
        format!("{begin}spark.rapids.shims-provider-override names spark999, and the plugin has spark400, spark411");
    assert_eq!(one(vec![plugin(), told(&class("spark999"))]), expected);
    let exact = shim("spark410");
    let exact = spark_jar("rapids-4-spark_2.13-27.jar", &[(&exact, "x")]);
    assert_eq!(Bench::with(vec![exact]).found(), [] as [&str; 0]);
}

#[test]
fn bytes_that_are_carried_twice_with_the_instructions_that_did_it() {
    let large = || vec![7_u8; 2 << 20];
    let mut bench = Bench::clean();
    bench.layer("COPY data/ /data/", vec![file("data/a", 0o644, large()), file("data/small", 0o644, "s")]);
    bench.layer("RUN chmod -R g+w /data", vec![file("data/a", 0o664, large()), file("data/small", 0o664, "s")]);
    bench.layer("COPY data/a /copy", vec![file("copy", 0o644, large())]);
    bench.layer("RUN rm /copy", vec![file(".wh.copy", 0o644, "")]);
    let findings = bench.judge().unwrap();
    let expected = [
        "warning stored-twice copy 1 file, 2097152 bytes, replaced or removed, and still carried, from `COPY data/a /copy`: copy",
        "warning stored-twice copy 1 file, 2097152 bytes, stored already at another path by `COPY data/ /data/`: copy",
        "warning stored-twice data/a 2 files, 2097153 bytes, stored again at the same path, first by `COPY data/ /data/`: data/a, data/small",
    ];
    let mut found = lines(&findings);
    found.sort();
    assert_eq!(found, expected);
    let by = |path: &str| {
        findings
            .iter()
            .filter(|finding| finding.place.path == path)
            .filter_map(|finding| finding.place.instruction.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(by("data/a"), ["RUN chmod -R g+w /data"]);
    // Another content at the same path, and small, is an ordinary change.
    let mut bench = Bench::clean();
    bench.layer("COPY conf /etc/conf", vec![file("etc/conf", 0o644, "a")]);
    bench.layer("COPY conf /etc/conf", vec![file("etc/conf", 0o644, "b")]);
    assert_eq!(bench.found(), [] as [&str; 0]);
}

#[test]
fn what_everybody_may_write() {
    assert_eq!(one(vec![file("etc/x", 0o666, "x")]), "error world-writable etc/x has mode 0666");
    assert_eq!(one(vec![dir("opt/work", 0o777)]), "error world-writable opt/work has mode 0777");
    assert_eq!(Bench::with(vec![dir("var/tmp", 0o1777), link("a", "b")]).found(), [] as [&str; 0]);
    // What a later layer mends is mended.
    let mut bench = Bench::with(vec![dir("opt/work", 0o777)]);
    bench.layer("RUN chmod 775 /opt/work", vec![dir("opt/work", 0o775)]);
    assert_eq!(bench.found(), [] as [&str; 0]);
}

#[test]
fn programs_with_rights_of_their_own() {
    assert_eq!(one(vec![file("usr/bin/su", 0o4755, "x")]), "error setuid usr/bin/su is setuid: mode 4755, user 0");
    assert_eq!(one(vec![file("usr/bin/wall", 0o2755, "x")]), "error setuid usr/bin/wall is setgid: mode 2755, group 0");
    assert!(one(vec![capable("usr/bin/ping")]).starts_with("error setuid usr/bin/ping has capabilities"));
}

/// Put together here, so that nobody finds a secret in this file.
fn key() -> String {
    ["AKIA", "Q7ZL2MPX9RT4BVWC"].concat()
}

#[test]
fn secrets_in_files_also_in_those_that_were_removed() {
    let found = one(vec![file("root/.aws/credentials", 0o600, format!("[default]\naws_access_key_id = {}\n", key()))]);
    assert_eq!(found, "error secret root/.aws/credentials:2 looks like a secret (AWS access key): `AKIA…`");
    let mut bench = Bench::with(vec![file("tmp/key", 0o600, key())]);
    bench.layer("RUN rm /tmp/key", vec![file("tmp/.wh.key", 0o600, "")]);
    let found = bench.judge().unwrap();
    assert_eq!(lines(&found).len(), 1);
    assert_eq!(found[0].place.instruction.as_deref(), Some("COPY more/ /"));
    assert!(!format!("{found:?}").contains(&key()), "a report must not spread the secret");
}

#[test]
fn secrets_in_what_an_image_says_of_itself() {
    let mut bench = Bench::clean();
    bench.env.push("DB_PASSWORD=hunter2".into());
    bench.env.push(format!("KEY={}", key()));
    bench.labels.insert("key".into(), key());
    bench.history.push("RUN git clone https://me:s3cret@example.org/x".into());
    let expected = [
        "error secret  the history, in an instruction RUN: an address with the password of me",
        "error secret  the label key: looks like a secret (AWS access key): `AKIA…`",
        "error secret  the variable KEY is set in the image: looks like a secret (AWS access key): `AKIA…`",
        "warning secret  the variable DB_PASSWORD is set in the image, and is called like a secret",
    ];
    assert_eq!(bench.found(), expected);
}

#[test]
fn jars_that_the_lock_does_not_name() {
    let mut bench = Bench::with(vec![spark_jar("own.jar", &[("o/O.class", "x")])]);
    bench.locked = false;
    let found = bench.judge().unwrap();
    // All but the one that a Debian package brought.
    assert_eq!(found.len(), 10, "{:#?}", lines(&found));
    assert!(
        found
            .iter()
            .all(|finding| finding.rule == Rule::JarNotInLock && finding.place.path.starts_with("opt/spark/jars/"))
    );
    assert!(found.iter().any(|finding| finding.place.path.ends_with("/own.jar")));
    // Without the Spark home nothing can be said of its jars, and that is said.
    bench.without_spark = Some("it is not here".into());
    let found = bench.found();
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].starts_with(
            "note not-judged  9 jars of the Spark home could not be compared with the lock: it is not here"
        ),
        "{found:#?}"
    );
    // A Python package's jar.
    let mut bench = Bench::clean();
    let site = "usr/local/lib/python3.11/dist-packages";
    bench.layer(
        "COPY python/ /usr/local/",
        vec![
            file(&format!("{site}/x-1.dist-info/RECORD"), 0o644, "x/lib/packaged.jar,sha256=a,1\n"),
            file(&format!("{site}/x/lib/packaged.jar"), 0o644, jar(&[("x/X.class", "x")])),
        ],
    );
    assert_eq!(bench.found(), [] as [&str; 0]);
}

#[test]
fn every_rule_for_images_is_proven_here() {
    let source = [include_str!("rules.rs"), include_str!("hostile.rs")].concat();
    for rule in Rule::ALL.into_iter().filter(|rule| rule.is_for_images()) {
        let proven =
            [" ", "error ", "warning ", "note "].iter().any(|word| source.contains(&format!("{word}{} ", rule.id())));
        assert!(proven || source.contains(&format!("Rule::{rule:?}")), "{} has no wrong image", rule.id());
    }
}
