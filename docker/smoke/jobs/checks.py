"""checks.py CHECK...: what an image holds, asked of one running Spark session.

A child image runs its parents' checks as well, all in one session, because starting a JVM is what costs.
"""

import errno
import glob
import importlib
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile

import smoke
from smoke import equal, expected, fails_with

session = None


def jvm():
    return session.sparkContext._jvm


def java_class(name):
    """Loads a class as Spark's own code would."""
    return smoke.java_class(session, name)


def file_system(uri, **conf):
    """The Hadoop file system for a URI, made anew, with `.` written as `__` in the names of settings."""
    hadoop = jvm().org.apache.hadoop.conf.Configuration(session.sparkContext._jsc.hadoopConfiguration())
    for key, value in conf.items():
        hadoop.set(key.replace("__", "."), value)
    return jvm().org.apache.hadoop.fs.FileSystem.newInstance(jvm().java.net.URI(uri), hadoop)


def lists(uri, **conf):
    """A call that lists a folder of an object store."""
    path = jvm().org.apache.hadoop.fs.Path(uri)
    return lambda: file_system(uri, **conf).listStatus(path)


def may_not_write(path):
    """Says so unless the kernel refuses a file there because the file system is read-only."""
    try:
        open(f"{path}/smoke-written", "w").close()
    except OSError as error:
        # Without the right to write, a file system that takes changes gives another answer.
        equal(f"what a file in {path} fails with", "EROFS", errno.errorcode[error.errno])
    else:
        raise AssertionError(f"{path} is writable")


# What container engines leave to a container's root, as bits of /proc/PID/status.
ENGINES_CAPABILITIES = 0xA80425FB


def process():
    """The process is who it should be (EXPECT_UID), in its group, without a capability and a way to get one, on
    a read-only root; process 1 is tini, which ends what is left behind and passes SIGTERM on."""
    with open("/proc/self/status") as text:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in text)
    uid = int(expected("UID"))
    equal("uids", [uid] * 4, [int(word) for word in status["Uid"].split()])
    # The account of the images has a group of its own; a uid without an account is in group 0.
    equal("gids", [uid if uid == 185 else 0] * 4, [int(word) for word in status["Gid"].split()])
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        equal(kind, 0, int(status[kind], 16))
    # A user namespace of one uid begins with all of them in its bounding set, for itself alone.
    if not os.environ.get("SMOKE_UID_EMULATED"):
        equal("CapBnd beyond what engines give", 0, int(status["CapBnd"], 16) & ~ENGINES_CAPABILITIES)
    equal("NoNewPrivs", "1", status["NoNewPrivs"])
    for path in ("/", "/opt", "/opt/spark", "/opt/spark/jars", "/opt/spark/work-dir"):
        may_not_write(path)
    with open("/proc/1/comm") as comm:
        equal("process 1", "tini", comm.read().strip())
    # A process whose parent has ended, and that then ends itself, goes to process 1, which has to take its status.
    orphan = int(subprocess.run(["sh", "-c", "true & echo $!"], capture_output=True, text=True, check=True).stdout)
    end = time.monotonic() + 10
    while os.path.exists(f"/proc/{orphan}"):
        if time.monotonic() > end:
            raise AssertionError("process 1 leaves zombies: an orphan that has ended is there after 10 s")
        time.sleep(0.01)
    command = ["/opt/entrypoint.sh", "bash", "-c", "trap 'exit 42' TERM; echo ready; while :; do sleep 0.01; done"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as container:
        equal("what the command says first", "ready\n", container.stdout.readline())
        container.terminate()
        try:
            equal("exit code of a command that ends with 42 on SIGTERM", 42, container.wait(10))
        finally:
            container.kill()
    return f"uid {uid}, gid {os.getgid()}, no capabilities, read-only root, tini"


def spark_home():
    """Process, Python package and JVM belong to the Spark of SPARK_HOME, in the version and Scala expected."""
    equal("SPARK_HOME", "/opt/spark", os.environ.get("SPARK_HOME"))
    import pyspark

    equal("folder of pyspark", "/opt/spark/python/pyspark", os.path.dirname(pyspark.__file__))
    # Before a release, 4.1.0-SNAPSHOT in the pom is 4.1.0.dev0 in python/pyspark/version.py.
    equal("version of pyspark", expected("SPARK").replace("-SNAPSHOT", ".dev0"), pyspark.__version__)
    equal("version of the JVM's Spark", expected("SPARK"), session.version)
    scala = jvm().scala.util.Properties.versionNumberString()
    equal("Scala", expected("SCALA"), ".".join(scala.split(".")[:2]))
    return f"/opt/spark, Spark {session.version}, Scala {scala}"


def hadoop():
    """Hadoop is exactly the version expected, and there is one of it."""
    version = jvm().org.apache.hadoop.util.VersionInfo.getVersion()
    equal("Hadoop", expected("HADOOP"), version)
    loader = java_class("org.apache.hadoop.util.VersionInfo").getClassLoader()
    found = loader.getResources("org/apache/hadoop/conf/Configuration.class")
    places = [found.nextElement().toString() for _ in iter(found.hasMoreElements, False)]
    equal("jars with Hadoop's Configuration", 1, len(places), places)
    return version


def class_path_jars():
    """Every jar that the driver's class path names, with `folder/*` expanded."""
    jars = []
    for entry in jvm().java.lang.System.getProperty("java.class.path").split(":"):
        jars += glob.glob(entry[:-1] + "*.jar") if entry.endswith("/*") else [entry]
    return sorted({jar for jar in jars if jar.endswith(".jar") and os.path.isfile(jar)})


def aws_sdk():
    """The AWS SDK is version 2 of the release expected, from one jar, and no jar has a class of version 1."""
    version = jvm().software.amazon.awssdk.core.util.VersionInfo.SDK_VERSION
    equal("AWS SDK", expected("AWS_SDK"), version)
    one, two, jars = [], [], class_path_jars()
    for jar in jars:
        names = zipfile.ZipFile(jar).namelist()
        if any(name.startswith("com/amazonaws/") and name.endswith(".class") for name in names):
            one.append(jar)
        if any(name.startswith("software/amazon/awssdk/") and name.endswith(".class") for name in names):
            two.append(jar)
    if one:
        raise AssertionError(f"version 1 of the SDK is in {one}")
    equal("jars with version 2 of the SDK", 1, len(two), two)
    return f"{version}, one jar of {len(jars)}, no v1 class"


def image_conf():
    """The image's defaults are in force: a Spark setting, and metrics.properties by what the UI answers."""
    equal("spark.ui.prometheus.enabled", "true", session.conf.get("spark.ui.prometheus.enabled"))
    url = session.sparkContext.uiWebUrl.split(":")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{url[-1]}/metrics/prometheus", timeout=20) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError as error:
        raise AssertionError(f"the UI has no /metrics/prometheus, metrics.properties is not in force: {error}") from error
    metrics = [line for line in text.splitlines() if line.startswith("metrics_")]
    if not any("_jvm_" in line for line in metrics):
        raise AssertionError(f"no JVM metric among {len(metrics)} lines of /metrics/prometheus")
    return f"{len(metrics)} Prometheus metrics"


def installed():
    """Every package that Python finds, by its name as PEP 503 writes it; PySpark, which `spark_home` asks for, aside."""
    from importlib import metadata

    found = {}
    for package in metadata.distributions():
        name = re.sub("[-_.]+", "-", package.metadata["Name"]).lower()
        if name != "pyspark":
            found.setdefault(name, []).append(package)
    return found


def imports(packages):
    """Imports each top-level module of these packages; how many there are, and what is wrong with some."""
    modules, wrong = set(), []
    for package in packages:
        names = {file.parts[0] for file in package.files or () if file.suffix in (".py", ".so")}
        names = {name.split(".")[0] for name in names if not name.endswith((".data", ".dist-info", "..", ".libs"))}
        # Files that no code imports: helpers of an installation, tests, a folder of a package in a namespace.
        modules |= {name for name in names if name.isidentifier() and not name.startswith("_")}
    for module in sorted(modules):
        try:
            importlib.import_module(module)
        except Exception as error:  # whatever a module raises
            wrong.append(f"import {module}: {smoke.one_line(error)}")
    return len(modules), wrong


def python():
    """The Python packages are exactly those expected (EXPECT_PYTHON: `name==version ...`), fit each other and do their
    work."""
    wanted = dict(item.split("==") for item in expected("PYTHON").split())
    found = installed()
    wrong = []
    for name in sorted({*wanted, *found}):
        versions = [package.version for package in found.get(name, [])]
        if versions != [wanted.get(name)]:
            wrong.append(f"{name}: expected {wanted.get(name, 'nothing')}, found {' and '.join(versions) or 'nothing'}")
    modules, failed = imports(package for packages in found.values() for package in packages)
    wrong += failed
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    if (done.returncode, done.stdout.strip()) != (0, "No broken requirements found."):
        wrong.append(f"pip check: {', '.join((done.stdout + done.stderr).splitlines())}")
    if wrong:
        raise AssertionError("; ".join(wrong))
    import matplotlib
    import seaborn
    import zstandard

    matplotlib.use("Agg")
    from matplotlib import pyplot

    seaborn.lineplot(x=[1, 2, 3], y=[1, 4, 9])
    with tempfile.NamedTemporaryFile(suffix=".png") as picture:
        pyplot.savefig(picture.name)
        if os.path.getsize(picture.name) < 1000:
            raise AssertionError("matplotlib drew nothing")
    equal("zstandard", b"smoke", zstandard.decompress(zstandard.compress(b"smoke")))
    return f"{len(wanted)} packages, all as locked and no other, {modules} modules import, pip check"


def pandas_udf():
    """Rows go through Arrow to a Python worker and back."""
    import pandas
    from pyspark.sql.functions import pandas_udf as udf

    @udf("double")
    def half(values: pandas.Series) -> pandas.Series:
        return values / 2

    frame = session.range(1000).select(half("id").alias("half"))
    total = frame.groupBy().sum("half").first()[0]
    equal("sum of halves", 249750.0, total)
    session.conf.set("spark.sql.execution.arrow.pyspark.enabled", "true")
    equal("rows in pandas", 1000, len(frame.toPandas()))
    return f"sum {total}"


def arrow():
    """Whole frames through Arrow: mapInPandas, a grouped map, and the pandas API on Spark with its own plans."""
    import pandas
    from pyspark import pandas as on_spark

    def double(frames):
        for frame in frames:
            yield frame.assign(id=frame.id * 2)

    rows = session.range(100).mapInPandas(double, "id long")
    equal("sum through mapInPandas", 9900, rows.groupBy().sum("id").first()[0])
    keyed = session.createDataFrame(pandas.DataFrame({"k": ["a", "b", "a"], "v": [1.5, 2.5, 3.5]}))
    means = keyed.groupBy("k").applyInPandas(lambda frame: frame[["k"]].head(1).assign(mean=frame.v.mean()),
                                             "k string, mean double")
    equal("means of groups", {"a": 2.5, "b": 2.5}, {row.k: row.mean for row in means.collect()})
    frame = on_spark.DataFrame({"k": ["x", "y", "x"], "v": [1, 2, 3]})
    equal("sums in the pandas API", {"x": 4, "y": 2}, frame.groupby("k").v.sum().to_dict())
    return "mapInPandas 9900, applyInPandas, pandas API"


REFUSED = ("Connection refused", "UnknownHostException", "Name or service not known", "Network is unreachable",
           "Temporary failure in name resolution", "SdkClientException", "timed out", "Timed out")


def s3a():
    """S3A gets as far as the network, and the committers for it are there."""
    java_class("org.apache.spark.internal.io.cloud.PathOutputCommitProtocol")
    java_class("org.apache.spark.internal.io.cloud.BindingParquetOutputCommitter")
    java_class("org.apache.hadoop.fs.s3a.commit.magic.MagicS3GuardCommitter")
    word = fails_with(REFUSED, lists(
        "s3a://bucket/", fs__s3a__endpoint="http://127.0.0.1:1", fs__s3a__endpoint__region="us-east-1",
        fs__s3a__access__key="a", fs__s3a__secret__key="b", fs__s3a__path__style__access="true",
        fs__s3a__attempts__maximum="1", fs__s3a__retry__limit="1", fs__s3a__retry__interval="1ms"))
    return word


def azure():
    """abfss:// and wasb:// get as far as the network, which needs the connector's whole closure."""
    words = [
        fails_with(REFUSED, lists(
            "abfss://container@account.dfs.invalid/", fs__azure__account__key__account__dfs__invalid="c2VjcmV0",
            fs__azure__account__hns__enabled="true", fs__azure__io__retry__max__retries="0")),
        fails_with(REFUSED, lists(
            "wasb://container@account.blob.invalid/", fs__azure__account__key__account__blob__invalid="c2VjcmV0",
            fs__azure__io__retry__max__retries="0")),
    ]
    return " / ".join(words)


def gcs():
    """gs:// gets as far as the network."""
    return fails_with(REFUSED, lists(
        "gs://bucket/", fs__gs__storage__root__url="http://127.0.0.1:1/", fs__gs__http__max__retry="0",
        google__cloud__auth__null__enable="true", google__cloud__auth__service__account__enable="false",
        fs__gs__project__id="p"))


def kafka():
    """The Kafka source and its client fit each other: a read fails because no broker answers."""
    version = jvm().org.apache.kafka.common.utils.AppInfoParser.getVersion()
    equal("kafka-clients", expected("KAFKA"), version)
    java_class("org.apache.spark.kafka010.KafkaTokenUtil")
    java_class("org.apache.commons.pool2.impl.GenericKeyedObjectPool")
    reader = session.read.format("kafka").options(**{
        "kafka.bootstrap.servers": "127.0.0.1:1", "subscribe": "topic", "fetchOffset.numRetries": "0",
        "kafka.default.api.timeout.ms": "1500", "kafka.request.timeout.ms": "1000"})
    word = fails_with(("TimeoutException",), lambda: reader.load().count())
    # A producer is another half of the client, with its own pool.
    writer = session.range(1).selectExpr("'v' AS value").write.format("kafka").options(**{
        "kafka.bootstrap.servers": "127.0.0.1:1", "topic": "topic", "kafka.max.block.ms": "1500"})
    fails_with(("TimeoutException",), writer.save)
    return f"{version}, {word}"


def jdbc():
    """ServiceLoader finds each driver of EXPECT_JDBC (class names) once, and it takes its database's URLs."""
    urls = {
        "org.postgresql.Driver": "jdbc:postgresql://127.0.0.1:1/d",
        "oracle.jdbc.OracleDriver": "jdbc:oracle:thin:@127.0.0.1:1:d",
        "com.vertica.jdbc.Driver": "jdbc:vertica://127.0.0.1:1/d",
        "com.mysql.cj.jdbc.Driver": "jdbc:mysql://127.0.0.1:1/d",
        "com.microsoft.sqlserver.jdbc.SQLServerDriver": "jdbc:sqlserver://127.0.0.1:1;databaseName=d",
    }
    loader = jvm().java.lang.ClassLoader.getSystemClassLoader()
    found = []
    drivers = jvm().java.util.ServiceLoader.load(java_class("java.sql.Driver"), loader).iterator()
    while drivers.hasNext():
        driver = drivers.next()
        name = driver.getClass().getName()
        found.append(name)
        if name in urls and not driver.acceptsURL(urls[name]):
            raise AssertionError(f"{name} does not take {urls[name]}")
    wanted = expected("JDBC").split()
    for name in wanted:
        equal(f"times that {name} is found", 1, found.count(name))
    # ServiceLoader is silent about a class that several jars name: it takes one of them.
    jars = {jar: provided_drivers(jar) for jar in class_path_jars()}
    for name in wanted:
        having = [jar for jar in jars if name in jars[jar]]
        equal(f"jars that bring {name}", 1, len(having), having)
    return f"{len(wanted)} drivers, each of one jar"


def provided_drivers(jar):
    """The JDBC drivers that a jar names for ServiceLoader."""
    with zipfile.ZipFile(jar) as archive:
        try:
            text = archive.read("META-INF/services/java.sql.Driver").decode()
        except KeyError:
            return []
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def jdbc_links():
    """/opt/jdbc has as many links as EXPECT_JDBC has drivers, each to a jar on the class path with a driver in it."""
    links = sorted(glob.glob("/opt/jdbc/*.jar"))
    equal("links in /opt/jdbc", len(expected("JDBC").split()), len(links))
    jars = set(class_path_jars())
    for link in links:
        target = os.path.realpath(link)
        if target not in jars:
            raise AssertionError(f"{link} leads to {target}, which is not on the class path")
        zipfile.ZipFile(link).getinfo("META-INF/services/java.sql.Driver")
    return ", ".join(os.path.basename(link) for link in links)


def iceberg():
    """A local table is written, changed by MERGE (Iceberg's own SQL) and read as it was before."""
    warehouse = tempfile.mkdtemp(prefix="iceberg-")
    session.conf.set("spark.sql.catalog.smoke", "org.apache.iceberg.spark.SparkCatalog")
    session.conf.set("spark.sql.catalog.smoke.type", "hadoop")
    session.conf.set("spark.sql.catalog.smoke.warehouse", warehouse)
    equal("Iceberg", expected("ICEBERG"), jvm().org.apache.iceberg.IcebergBuild.version())
    session.sql("CREATE TABLE smoke.db.t (id bigint, v string) USING iceberg PARTITIONED BY (bucket(2, id))")
    session.sql("INSERT INTO smoke.db.t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    first = session.sql("SELECT snapshot_id FROM smoke.db.t.snapshots").first()[0]
    session.sql("""MERGE INTO smoke.db.t t USING (SELECT 2 AS id, 'B' AS v UNION SELECT 4, 'd') s ON t.id = s.id
                   WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT *""")
    rows = {row.id: row.v for row in session.table("smoke.db.t").collect()}
    equal("rows now", {1: "a", 2: "B", 3: "c", 4: "d"}, rows)
    before = session.sql(f"SELECT id, v FROM smoke.db.t VERSION AS OF {first}").collect()
    equal("rows before", {1: "a", 2: "b", 3: "c"}, {row.id: row.v for row in before})
    # A statement that only Iceberg's extensions can parse.
    session.sql("ALTER TABLE smoke.db.t CREATE BRANCH audit")
    session.conf.set("smoke.iceberg.table", f"{warehouse}/db/t")
    return f"4 rows now, 3 in snapshot {first}"


def pyiceberg():
    """PyIceberg reads the table that the check `iceberg` wrote."""
    from pyiceberg.table import StaticTable

    folder = session.conf.get("smoke.iceberg.table", None)
    if folder is None:
        raise AssertionError("not reached: the check iceberg did not write its table")
    # hadoop catalogs count their metadata files: v1.metadata.json, v2...
    with open(f"{folder}/metadata/version-hint.text") as hint:
        metadata = f"{folder}/metadata/v{hint.read().strip()}.metadata.json"
    rows = StaticTable.from_metadata(metadata).scan().to_arrow().to_pydict()
    equal("rows", {1: "a", 2: "B", 3: "c", 4: "d"}, dict(zip(rows["id"], rows["v"], strict=True)))
    return f"{len(rows['id'])} rows"


CHECKS = {check.__name__: check for check in (
    process, spark_home, hadoop, aws_sdk, image_conf, python, pandas_udf, arrow, s3a, azure, gcs, kafka, jdbc, jdbc_links, iceberg,
    pyiceberg)}


def main():
    global session
    names = sys.argv[1:]
    unknown = [name for name in names if name not in CHECKS]
    if unknown or not names:
        sys.exit(f"checks.py: unknown check {unknown}; there are: {' '.join(CHECKS)}")
    session = smoke.local_session()
    smoke.run([(name, CHECKS[name]) for name in names])


main()
