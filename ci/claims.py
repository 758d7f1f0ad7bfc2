#!/usr/bin/env python3
"""Breaks what the images promise, one claim after the other, and fails unless the smoke jobs find each, say what is wrong,
and find nothing else.

    ci/claims.py [NAME...]       with images that are built; those that are wrong on purpose are built here
    ci/claims.py --gpu           those on images of the group `gpu`, which are large; otherwise they are broken when named

Each entry of IMAGES is a thin layer on a real image. What has to fail in it stands beside it, with words that the reason
must hold; every other check that runs in it has to pass. Jobs that need a server get one.
"""

import json
import os
import subprocess
import sys
import tempfile

SPARK = "4.1.0"
# What the custom image and the runtime with Iceberg prove in a session, together.
ALL = ("image_conf", "python", "pandas_udf", "arrow", "s3a", "azure", "gcs", "kafka", "jdbc", "jdbc_links", "iceberg",
       "pyiceberg")


class Wrong:
    """An image on `parent` with the instructions `layer`, made as root, and these `checks` and `jobs`. `fails` are the checks
    that must fail, `USER: CHECK` for one user alone, and words of the reason; `skips` are those that
    want a GPU's driver. All images of a `run` are asked for the same jobs, in one run."""

    def __init__(self, parent, layer, fails, checks=(), jobs=(), user="185", expect=(), run="jobs", group=None, skips=()):
        self.parent, self.layer, self.fails, self.skips = parent, layer, fails, skips
        self.checks, self.jobs, self.user, self.expect = checks, jobs, user, dict(expect)
        # A session is started in those images alone that say what it has to find.
        self.run, self.group = "session" if checks else group or run, group

    def image_toml(self, name):
        def words(items):
            return json.dumps(list(items))

        expect = ", ".join(f"{key} = {json.dumps(value)}" for key, value in self.expect.items())
        group = f'group = "{self.group}"\n' if self.group else ""
        return (f'name = "wrong-{name}"\nabout = "wrong on purpose"\nper = "spark"\ntags = ["{{spark}}"]\n{group}'
                f'[parents]\nPARENT = "{self.parent}"\n'
                f'[[smoke]]\nchecks = {words(self.checks)}\njobs = {words(self.jobs)}\nexpect = {{ {expect} }}\n')

    def dockerfile(self):
        return f"ARG PARENT\nFROM ${{PARENT}}\nUSER root\n{self.layer.strip()}\nUSER {self.user}\n"


# An empty class of version 1, which is loaded where Hadoop looks for its file systems.
AWS_SDK_1 = r"""
RUN python3 <<'PYTHON'
import zipfile

def text(words):
    return b"\1" + len(words).to_bytes(2, "big") + words

pool = text(b"com/amazonaws/Old") + b"\7\0\1" + text(b"java/lang/Object") + b"\7\0\3"
with zipfile.ZipFile("/opt/spark/jars/aws-old.jar", "w") as jar:
    jar.writestr("com/amazonaws/Old.class", b"\xca\xfe\xba\xbe\0\0\0\x34\0\5" + pool + b"\0\x21\0\2\0\4" + bytes(8))
    jar.writestr("META-INF/services/org.apache.hadoop.fs.FileSystem", "com.amazonaws.Old\n")
PYTHON
"""


def without(jar, *entries):
    """Instructions that make a jar anew without these entries."""
    return f"""
RUN python3 <<'PYTHON'
import glob, os, zipfile

(jar,) = glob.glob("/opt/spark/jars/{jar}")
with zipfile.ZipFile(jar) as old, zipfile.ZipFile("/tmp/jar", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
    for entry in old.infolist():
        if entry.filename not in {entries!r}:
            new.writestr(entry, old.read(entry))
    assert len(new.namelist()) == len(old.namelist()) - {len(entries)}
os.remove(jar)
os.rename("/tmp/jar", jar)
os.chmod(jar, 0o644)
PYTHON
"""


IMAGES = {
    # Jars that are not there, a version in the table that is not the image's, and Iceberg's SQL switched off.
    "jars-missing": Wrong(
        "runtime:iceberg",
        """
RUN cd /opt/spark/jars && rm spark-hadoop-cloud_*.jar azure-storage-*.jar gcs-connector-*.jar commons-pool2-*.jar \\
  vertica-jdbc-*.jar && rm /opt/spark/image-conf/spark-defaults.d/50-iceberg.conf
""",
        {
            "aws_sdk": ["AWS SDK: expected '2.0.0', found '2."],
            "s3a": ["org.apache.spark.internal.io.cloud.PathOutputCommitProtocol"],
            "azure": ["a class is missing", "com/microsoft/azure/storage/"],
            "gcs": ["No FileSystem for scheme \"gs\""],
            "kafka": ["org.apache.commons.pool2"],
            "jdbc": ["times that com.vertica.jdbc.Driver is found: expected 1, found 0"],
            "jdbc_links": ["/opt/jdbc/vertica-jdbc.jar leads to /opt/spark/jars/vertica-jdbc-", "not on the class path"],
            "iceberg": ["PARSE_SYNTAX_ERROR"],
            "pyiceberg": ["not reached: the check iceberg did not write its table"],
        },
        checks=ALL,
        expect={"AWS_SDK": "2.0.0"},
    ),
    # What is there twice, or in another version, or for another user.
    "jars-wrong": Wrong(
        "runtime:iceberg",
        """
RUN python3 <<'PYTHON'
import glob, zipfile

(hadoop,) = glob.glob("/opt/spark/jars/hadoop-client-api-*.jar")
name = "org/apache/hadoop/conf/Configuration.class"
with zipfile.ZipFile("/opt/spark/jars/hadoop-old.jar", "w") as jar:
    jar.writestr(name, zipfile.ZipFile(hadoop).read(name))
with zipfile.ZipFile("/opt/spark/jars/aws-old.jar", "w") as jar:
    jar.writestr("com/amazonaws/AmazonClientException.class", b"")
PYTHON
RUN cd /opt/spark/jars && cp postgresql-*.jar postgresql-again.jar && ln -s /opt/spark/jars/postgresql-again.jar /opt/jdbc/
RUN cd /opt/spark/conf && mkdir kafka && echo version=0.0.1 > kafka/kafka-version.properties \\
  && echo git.build.version=0.0.1 > iceberg-build.properties
RUN sed -i 's/^__version__.*/__version__: str = "0.0.1"/' /opt/spark/python/pyspark/version.py
RUN rm /opt/spark/image-conf/metrics.properties
""",
        {
            "image user: process": ["uids: expected [185, 185, 185, 185], found [4711, 4711, 4711, 4711]"],
            "spark_home": [f"version of pyspark: expected '{SPARK}', found '0.0.1'"],
            "hadoop": ["jars with Hadoop's Configuration: expected 1, found 2", "hadoop-old.jar"],
            "aws_sdk": ["version 1 of the SDK is in ['/opt/spark/jars/aws-old.jar']"],
            "image_conf": ["metrics.properties is not in force"],
            "kafka": ["kafka-clients: expected '", "found '0.0.1'"],
            "jdbc": ["jars that bring org.postgresql.Driver: expected 1, found 2", "postgresql-again.jar"],
            "jdbc_links": ["links in /opt/jdbc: expected 5, found 6"],
            "iceberg": ["Iceberg: expected '", "found '0.0.1'"],
            "pyiceberg": ["not reached: the check iceberg did not write its table"],
        },
        checks=ALL,
        user="4711",
    ),
    "python-wrong": Wrong(
        "runtime:iceberg",
        """
RUN sed -i 's|^exec /usr/bin/tini -s --|exec|' /opt/entrypoint.sh
RUN cd /usr/local/lib/python3.11/dist-packages && rm -r pyarrow pyarrow-* findspark.py cycler-* \\
  && sed -i 's/^Version: .*/Version: 0.0.1/' seaborn-*/METADATA \\
  && mkdir surplus-1.dist-info && printf 'Metadata-Version: 2.1\\nName: surplus\\nVersion: 1\\n' > surplus-1.dist-info/METADATA
""",
        {
            "process": ["process 1: expected 'tini', found 'python3'"],
            "python": [
                "pyarrow: expected ", ", found nothing",
                "seaborn: expected ", ", found 0.0.1",
                "surplus: expected nothing, found 1",
                "import findspark: ModuleNotFoundError",
                "pip check: ", "requires cycler, which is not installed",
            ],
            "pandas_udf": ["PyArrow"],
            "arrow": ["PyArrow"],
            "pyiceberg": ["pyarrow"],
        },
        checks=ALL,
    ),
    "programs-wrong": Wrong(
        "custom",
        """
RUN cd /opt/spark && rm -r hive-jackson jars/kubernetes-client-api-*.jar sbin/start-worker.sh \\
  && sed -i '2i if [ "$1" = --version ]; then echo version 0.0.1; exit; fi' bin/spark-submit \\
  && sed -i 's/Pi is roughly/Pi is about/' examples/src/main/python/pi.py \\
  && sed -i '/spark.jars.ivy/d' image-conf/spark-defaults.d/00-spark.conf \\
  && echo _left=behind >> image-conf/env.sh \\
  && sed -i 's/^trap stop /trap : /' sbin/foreground.sh \\
  && sed -i 's/-Xms/-Xmn/' /opt/entrypoint.sh \\
  && touch /usr/lib/python3.11/EXTERNALLY-MANAGED && rm -r /usr/local/lib/python3.11/dist-packages/grpc_status
""",
        {
            "submit_version": [f"expected 'version {SPARK}', found: version 0.0.1"],
            "sparkpi": ["expected 'Pi is roughly 3.1...', found: Pi is about"],
            "connect": ["grpcio-status"],
            "hive": ["ClassNotFoundException: org.codehaus.jackson.map.ObjectMapper"],
            "k8s_submit": ["a class is missing", "io/fabric8/kubernetes/client"],
            "k8s_submitted": ["a class is missing", "io/fabric8/kubernetes/client"],
            "k8s_driver": ["not reached: k8s_submitted failed"],
            "k8s_decommission": ["not reached: k8s_submitted failed"],
            "entrypoint_driver": ["expected 'spark.jars.ivy=/tmp/.ivy2', found: "],
            "entrypoint_executor": ["<-Xms512m>", "found: ", "<-Xmn512m>"],
            "image_conf": ["env.sh: expected ", "_left"],
            "pip_install": ["pip install: error: externally-managed-environment"],
            "thrift": ["the thrift runs on 10 s after SIGTERM"],
            "connect_server": ["not reached: the job ended with exit code 1 after thrift failed"],
            "standalone": ["the one did not say 'Successfully registered with master'"],
            "history": ["not reached: the job ended with exit code 1 after standalone failed"],
        },
        jobs=["sparkpi.sh", "connect.py", "hive.py", "k8s_submit.sh", "k8s_cluster.py", "entrypoint_driver.sh", "entrypoint_executor.sh",
              "image_conf.sh", "pip_install.sh", "sql_servers.sh", "standalone.sh"],
    ),
    "no-decom": Wrong(
        "custom",
        "RUN rm /opt/decom.sh",
        {"entrypoint_executor": ["decom.sh ended with 127"]},
        jobs=["entrypoint_executor.sh"],
    ),
    # A random uid of group 0 cannot write in it. Where the kernel enforces no owners, the layers tell.
    "no-group-write": Wrong(
        "custom",
        "RUN chmod 755 /opt/spark/work-dir",
        {
            "random uid: permissions": ["/opt/spark/work-dir is not writable for uid 1000650000, gid 0"],
            "random uid: work_dir": ["/opt/spark/work-dir is not writable"],
        },
    ),
    "no-authorities": Wrong(
        "base",
        "RUN rm /etc/ssl/certs/java/cacerts",
        {
            "permissions": ["/etc/ssl/certs/java/cacerts is not readable"],
            "base": ["Java trusts 0 authorities"],
        },
        jobs=["base.sh"],
    ),
    # The driver has it, so that hive.py finds nothing.
    "executor-without-jackson": Wrong(
        "custom",
        "RUN sed -i '/spark.executor.defaultExtraClassPath/d' /opt/spark/image-conf/spark-defaults.d/00-spark.conf",
        {
            "standalone": ["executors, an executor: ClassNotFoundException: org.codehaus.jackson.map.ObjectMapper"],
            "history": ["not reached: the job ended with exit code 1 after standalone failed"],
            "k8s_driver": ["executor-jackson: expected ", "an executor: ClassNotFoundException: org.codehaus.jackson"],
            "k8s_decommission": ["not reached: k8s_driver failed"],
        },
        jobs=["hive.py", "standalone.sh", "k8s_cluster.py"],
        run="executor",
    ),
    # No S3A, no Kafka tokens, no catalog of Iceberg beside Spark's own.
    "services-missing": Wrong(
        "runtime:iceberg",
        "RUN rm /opt/spark/jars/hadoop-aws-*.jar"
        + without("spark-token-provider-kafka-*.jar",
                  "META-INF/services/org.apache.spark.security.HadoopDelegationTokenProvider")
        + without("iceberg-spark-runtime-*.jar", "org/apache/iceberg/spark/SparkSessionCatalog.class"),
        {
            **{check: ["Class org.apache.hadoop.fs.s3a.S3AFileSystem not found"] for check in (
                "s3a", "s3a_overwrite", "s3a_multipart", "s3a_virtual_host", "s3a_delete", "s3a_wrong_key", "iceberg_tables")},
            "s3a_sdk": ["0 classes of version 2", "the list is not whole"],
            "kafka_token": ["org.apache.spark.kafka010.KafkaDelegationTokenProvider is found: expected 1, found 0"],
            # It stands for the session's first catalog, which is looked at for every table.
            **{check: ["Cannot find catalog plugin class for catalog 'spark_catalog'", "SparkSessionCatalog"] for check in (
                "iceberg_local", "iceberg_session")},
        },
        jobs=["s3a.py", "kafka.py", "iceberg_tables.py"],
        run="services",
    ),
    # All works, and otherwise than it says: settings of a bucket win over those of a job.
    "services-wrong": Wrong(
        "runtime:iceberg",
        AWS_SDK_1 + r"""
RUN cat > /opt/spark/image-conf/spark-defaults.d/80-wrong.conf <<'CONF'
spark.hadoop.mapreduce.outputcommitter.factory.scheme.s3a org.apache.hadoop.mapreduce.lib.output.FileOutputCommitterFactory
spark.hadoop.fs.s3a.bucket.smoke.path.style.access true
spark.hadoop.fs.s3a.bucket.smoke.multipart.size 64M
spark.hadoop.fs.s3a.bucket.smoke.secret.key smoke-secret
CONF
RUN cd /opt/spark/conf && mkdir kafka && echo version=0.0.1 > kafka/kafka-version.properties
RUN cat >> /opt/spark/python/pyspark/sql/streaming/readwriter.py <<'PYTHON'

def option(self, key, value, before=DataStreamWriter.option):
    return before(self, key, f"{value}-{id(self)}" if key == "checkpointLocation" else value)

DataStreamWriter.option = option
PYTHON
RUN cat >> /usr/local/lib/python3.11/dist-packages/pyiceberg/table/__init__.py <<'PYTHON'

def scan(self, row_filter=None, before=Table.scan, **more):
    return before(self, **more)

Table.scan = scan
PYTHON
""",
        {
            "s3a": ["committer: expected 'magic', found "],
            "s3a_multipart": ["parts, by the ETag: expected '7', found '2'"],
            "s3a_virtual_host": ["host: expected 'smoke.s3.test', found 's3.test'"],
            "s3a_wrong_key": ["the call succeeded"],
            "s3a_sdk": ["classes of version 1: expected [], found ['com.amazonaws.Old']"],
            "kafka_batch": ["kafka-clients: expected '", "found '0.0.1'"],
            "kafka": ["rows after the restart: expected 25, found 75"],
            **{check: ["one row by PyIceberg: expected "] for check in ("iceberg_local", "iceberg_tables", "iceberg_session")},
        },
        jobs=["s3a.py", "kafka.py", "iceberg_tables.py"],
        run="services",
    ),
    "jdbc-missing": Wrong(
        "jdbc-drivers",
        "RUN cd /opt/spark/jars && rm postgresql-*.jar mysql-connector-j-*.jar ojdbc11-*.jar mssql-jdbc-*.jar vertica-jdbc-*.jar",
        {
            "jdbc_services": ["ClassNotFoundException: org.postgresql.Driver"],
            "jdbc_mysql": ["ClassNotFoundException: com.mysql.cj.jdbc.Driver"],
            "jdbc_unreachable": ["a class is missing", "oracle.jdbc.OracleDriver", "SQLServerDriver", "com.vertica.jdbc.Driver"],
        },
        jobs=["jdbc_services.py"],
        run="services",
    ),
    # One task reads it all.
    "jdbc-wrong": Wrong(
        "jdbc-drivers",
        r"""
RUN cat >> /opt/spark/python/pyspark/sql/readwriter.py <<'PYTHON'

def options(self, before=DataFrameReader.options, **more):
    if "numPartitions" in more:
        more["numPartitions"] = "1"
    return before(self, **more)

DataFrameReader.options = options
PYTHON
""",
        {check: ["partitions: expected 4, found 1"] for check in ("jdbc_services", "jdbc_mysql")},
        jobs=["jdbc_services.py"],
        run="services",
    ),
    "builder-wrong": Wrong(
        "builder",
        """
RUN rm /usr/bin/patch && sed -i '2i echo Apache Maven 0.0.1; exit' "$(readlink -f "$(command -v mvn)")" \\
  && rm "$JAVA_HOME/lib/modules"
""",
        {"builder": ["expected javac 17, found: ", "expected Maven ", "found: Apache Maven 0.0.1", "there is no patch"]},
        jobs=["builder.sh"],
        group="builder",
        expect={"MAVEN_VERSION": "{maven}"},
    ),
    "rapids-missing": Wrong(
        "jars-rapids:cuda12",
        "RUN rm /opt/spark/jars/rapids-4-spark_*.jar\nENV NVIDIA_DRIVER_CAPABILITIES=utility",
        {
            "gpu_discovery": ["NVIDIA_DRIVER_CAPABILITIES: expected 'compute,utility', found 'utility'"],
            "gpu_discovery_real": ["not reached: the job ended with exit code 1 after gpu_discovery failed"],
            "rapids_explain": ["com.nvidia.spark.SQLPlugin"],
            **{check: ["not reached: the job ended with exit code 1 after rapids_explain failed"] for check in (
                "rapids_classes", "rapids_default")},
        },
        jobs=["gpu_discovery.sh", "rapids_explain.py"],
        group="gpu",
    ),
    "rapids-wrong": Wrong(
        "jars-rapids:cuda12",
        r"""
RUN sed -i 's/^  if \[\[.*/  if false; then/' /opt/spark/bin/getGpusResources.sh
RUN cat >> /opt/spark/image-conf/spark-defaults.d/60-rapids.conf <<'CONF'
spark.plugins com.nvidia.spark.SQLPlugin
spark.rapids.sql.exec.SortExec false
CONF
""",
        {
            "gpu_discovery": ["nvidia-smi that says 'No devices were found", "the script printed '{"],
            "gpu_discovery_real": ["not reached: the job ended with exit code 1 after gpu_discovery failed"],
            "rapids_explain": ["expected ['FileSourceScanExec', 'HashAggregateExec', 'ShuffleExchangeExec', 'SortExec']"],
            "rapids_classes": ["RAPIDS: expected '0.0.1', found '"],
            "rapids_default": ["spark.plugins: expected None, found 'com.nvidia.spark.SQLPlugin'"],
        },
        jobs=["gpu_discovery.sh", "rapids_explain.py"],
        group="gpu",
        expect={"RAPIDS": "0.0.1"},
    ),
    # None of this is for want of a driver.
    "gpu-wheels": Wrong(
        "python-deps:gpu",
        """
RUN cd /usr/local/lib/python3.11/dist-packages && rm -r fastrlock-* libcudf/lib64/libcudf.so cupy_backends/cuda/libs/curand.*.so \\
  && sed -i 's/^Version: .*/Version: 0.0.1/' cuml_cu12-*/METADATA
""",
        {
            "gpu_wheels": [
                "cuml-cu12: expected ", ", found 0.0.1",
                "requires fastrlock, which is not installed",
                "cupy-cuda12x lacks 1 of its files: cupy_backends/cuda/libs/curand.",
                "libcudf-cu12 lacks 1 of its files: libcudf/lib64/libcudf.so",
            ],
            "gpu_cudf": ["libcudf.so: cannot open shared object file"],
            "gpu_cuml": ["libcudf.so: cannot open shared object file"],
        },
        jobs=["gpu_wheels.py"],
        group="gpu",
        # It loads curand when it is asked for random numbers, which wants a driver.
        skips=["gpu_cupy"],
    ),
    "gpu-cupy": Wrong(
        "python-deps:gpu",
        "RUN rm /usr/local/lib/python3.11/dist-packages/cupy/_core/core.*.so",
        {
            "gpu_wheels": ["cupy-cuda12x lacks 1 of its files: cupy/_core/core."],
            **{check: ["ImportError: cannot import name 'core'", "cupy._core"] for check in ("gpu_cupy", "gpu_cudf", "gpu_cuml")},
        },
        jobs=["gpu_wheels.py"],
        group="gpu",
    ),
}


def xtask(images, *words, **more):
    return subprocess.run(["cargo", "xtask", "--images", images, *words, "--spark", SPARK], **more)


def groups(names):
    return [word for group in sorted({IMAGES[name].group or "" for name in names} - {""}) for word in ("--with", group)]


def build(folder, names):
    images = [f"wrong-{name}:{SPARK}" for name in names]
    xtask(folder, "build-layers", *images, *groups(names), "--offline", check=True)
    if any(IMAGES[name].run == "services" for name in names):
        subprocess.run(["cargo", "xtask", "build-layers", "service-*", "--with", "services"], check=True)


def smoke(folder, run, names):
    """The cases of a run in these images."""
    images = [f"wrong-{name}:{SPARK}" for name in names]
    only = {job.partition(".")[0] for name in names for job in IMAGES[name].jobs}
    only |= {"session"} if run == "session" else {"permissions"}
    if any(IMAGES[name].parent == "custom" for name in names):
        only |= {"submit_version", "work_dir"}
    words = [word for name in sorted(only) for word in ("--only", name)]
    words += groups(names) + (["--with-services"] if run == "services" else [])
    done = xtask(folder, "smoke", *images, *words, "--json", stdout=subprocess.PIPE, text=True)
    if done.returncode != 1 or not done.stdout:
        sys.exit(f"smoke ended with {done.returncode}, and not with 1 and a report")
    return json.loads(done.stdout)["cases"]


def judge(name, cases):
    """What is wrong with the cases of an image; prints what was found as it should be."""
    wrong, fails = [], dict(IMAGES[name].fails)
    emulated = any("uid emulated" in case["user"] for case in cases)
    if emulated and name == "no-group-write":
        del fails["random uid: work_dir"]
    seen = set()
    for case in cases:
        user = case["user"].removesuffix(" (uid emulated)")
        key = next((key for key in (f"{user}: {case['check']}", case["check"]) if key in fails), None)
        if key is None:
            if case["verdict"] != ("skipped" if case["check"] in IMAGES[name].skips else "passed"):
                wrong.append(f"{case['user']} {case['check']} {case['verdict']}: {case['text']}")
            continue
        missing = [words for words in fails[key] if words not in case["text"]]
        if case["verdict"] != "failed" or missing:
            wrong.append(f"{case['user']} {case['check']} {case['verdict']}: {case['text']}; expected {fails[key]}")
        elif key not in seen:
            print(f"found  {name} {key}: {case['text'][:160]}")
        seen.add(key)
    return wrong + [f"{key} was not checked" for key in fails if key not in seen]


def main():
    names = sys.argv[1:]
    if names in ([], ["--gpu"]):
        names = [name for name in IMAGES if (IMAGES[name].group == "gpu") == bool(names)]
    if unknown := [name for name in names if name not in IMAGES]:
        sys.exit(f"{unknown} is nothing that is broken here; there are: {' '.join(IMAGES)}")
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    with tempfile.TemporaryDirectory(prefix="claims-") as folder:
        for name in names:
            os.mkdir(f"{folder}/{name}")
            for file, text in (("image.toml", IMAGES[name].image_toml(name)), ("Dockerfile", IMAGES[name].dockerfile())):
                with open(f"{folder}/{name}/{file}", "w") as out:
                    out.write(text)
        build(folder, names)
        cases = []
        for run in sorted({IMAGES[name].run for name in names}):
            cases += smoke(folder, run, [name for name in names if IMAGES[name].run == run])
    wrong = []
    for name in names:
        own = [case for case in cases if case["image"] == f"wrong-{name}:{SPARK}"]
        wrong += [f"{name}: {text}" for text in judge(name, own)]
    print(f"{len(cases)} checks, {sum(case['verdict'] == 'failed' for case in cases)} failed as they had to"
          if not wrong else "\n".join(["", "not as expected:", *wrong]))
    sys.exit(1 if wrong else 0)


main()
