//! What came out of a compile: made the same from run to run where that can be, checked against the table, and kept.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use camino::Utf8Path;
use dist::{Difference, Expect, Manifest, Options, Repository};
use sandbox::{Mount, Network, Output, Status};
use spark_source::Pom;

use super::{
    Compiled, Wanted,
    place::{Job, Place},
    work::Work,
};
use crate::{
    interrupt,
    report::text::count,
    session::Session,
    stage::{NOTE, SparkHome},
};

/// The file in a distribution that names every jar of it.
const JARS: &str = "jars.json";

/// Checks what a compile made and keeps it. Where one of the same inputs is kept already that one stays, and a difference
/// is reported.
///
/// # Errors
/// All that is not as the table says; or the distribution cannot be written to the store.
pub(super) fn keep(
    session: &Session,
    wanted: &Wanted<'_>,
    place: &Place,
    work: &Work,
    pom: &Pom,
    seconds: u64,
) -> Result<()> {
    let stager = session.stager();
    let dist = work.dist();
    let step = session.board.step(&format!("Spark {}", wanted.version), "looking at what came out");
    check(session, wanted, &dist, pom.pyspark.clone())?;
    step.now("making jars the same from run to run");
    let repository = Repository::open(work.repository())?;
    let epoch = u64::try_from(session.catalog().table.epoch).context("the epoch lies before 1970")?;
    dist::normalise(&dist, &Options { epoch, repository: Some(&repository) })?;
    step.now("starting a Connect server");
    connect_starts(place, &dist)?;
    step.now("naming jars");
    let manifest = Manifest::of(&dist, Some(&repository))?;
    blob::write(&dist.join(JARS), &serde_json::to_vec_pretty(&manifest)?).with_context(|| format!("writing {JARS}"))?;
    if let Some((home, _)) = wanted.kept(&stager)? {
        step.now("comparing it with the one that is kept");
        report(session, &dist::compare(&home.files_folder(), &dist)?);
        step.end("kept before");
        return Ok(());
    }
    let compiled = Compiled {
        version: wanted.version.clone(),
        pyspark: pom.pyspark.clone(),
        source: wanted.source.clone(),
        patches: wanted.patches.iter().map(|patch| patch.name().to_owned()).collect(),
        arguments: wanted.arguments.clone(),
        builder: format!("{}@{}", wanted.builder.reference, place.digest()),
        seconds,
    };
    if interrupt::is_set() {
        bail!("interrupted");
    }
    step.now("keeping it");
    let note = serde_json::to_vec_pretty(&compiled)?;
    let home = SparkHome::from_dist(&wanted.folder(&stager), &dist, (NOTE, &note))?;
    step.end(&format!("kept {}", count(home.files.len(), "file")));
    Ok(())
}

/// Says in what a second compile differs from the first.
fn report(session: &Session, differences: &[Difference]) {
    let say = |line: &str| session.board.say(line);
    match differences {
        [] => say("the distribution is the same as the one that is kept, byte for byte"),
        some => {
            say(&format!("the one that is kept stays; this one has {}:", count(some.len(), "difference")));
            some.iter().for_each(|difference| say(&format!("  {difference}")));
        }
    }
}

/// Checks a distribution against the table. PySpark has a version of its own, which the sources say.
///
/// # Errors
/// All that is not as the table says.
pub(super) fn check(session: &Session, wanted: &Wanted<'_>, dist: &Utf8Path, pyspark: String) -> Result<()> {
    let problems = dist::check(dist, &expect(session, wanted, pyspark)?)?;
    if problems.is_empty() {
        return Ok(());
    }
    let lines: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    bail!(
        "the distribution of Spark {} is not what docker/versions.toml says: {}{lines}\nit lies in {dist}",
        wanted.version,
        count(problems.len(), "problem")
    );
}

fn expect(session: &Session, wanted: &Wanted<'_>, pyspark: String) -> Result<Expect> {
    let stager = session.stager();
    let version = |name: &str| wanted.expected(&stager, name);
    Ok(Expect {
        spark: wanted.version.clone(),
        pyspark,
        scala: wanted.spark.scala.clone(),
        hadoop: version("hadoop")?,
        aws_sdk: version("aws-sdk")?,
        kafka_clients: version("kafka-clients")?,
        commons_pool2: version("commons-pool2")?,
        py4j: version("py4j")?,
        connect: true,
        // The launcher of 4.0 and later puts the folder on the class path of Hive.
        hive_jackson: (!wanted.spark.line.starts_with("3.")).then(|| version("jackson-asl")).transpose()?,
    })
}

/// Starts a Connect server with the distribution, in the builder image and without a network, and ends it.
fn connect_starts(place: &Place, dist: &Utf8Path) -> Result<()> {
    const SCRIPT: &str = r#"
        if ! id --user --name > /dev/null 2>&1; then # Hadoop logs nobody in who has no name.
            echo "spark:x:$(id --user):0::/tmp:/bin/sh" > /tmp/passwd
            export NSS_WRAPPER_PASSWD=/tmp/passwd NSS_WRAPPER_GROUP=/etc/group LD_PRELOAD="$(echo /usr/lib/*/libnss_wrapper.so)"
        fi
        export SPARK_HOME=/compile/dist SPARK_NO_DAEMONIZE=true SPARK_LOG_DIR=/tmp HOME=/tmp SPARK_LOCAL_IP=127.0.0.1
        cd /tmp
        "$SPARK_HOME"/sbin/start-connect-server.sh --conf spark.ui.enabled=false --conf spark.connect.grpc.binding.port=15002 \
            > server.log 2>&1 & server=$!
        for second in $(seq 120); do
            grep -q 'Spark Connect server started' server.log && { kill $server; exit 0; }
            kill -0 $server 2> /dev/null || break
            sleep 1
        done
        tail -n 30 server.log
        exit 1"#;
    let job = Job {
        argv: ["bash", "-c", SCRIPT].map(str::to_owned).into(),
        env: BTreeMap::new(),
        mounts: vec![Mount::Bind { source: dist.to_owned(), target: "/compile/dist".into(), read_only: true }],
        network: Network::None,
    };
    let outcome = place.run(job, Output::Capture, Output::Capture)?;
    if outcome.status == Status::Cancelled {
        bail!("interrupted");
    }
    if !outcome.status.success() {
        bail!(
            "a Connect server does not start with what was compiled\n{}",
            String::from_utf8_lossy(&outcome.stdout).trim_end()
        );
    }
    Ok(())
}
