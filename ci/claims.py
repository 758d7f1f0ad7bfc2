#!/usr/bin/env python3
"""Breaks what the images promise, one claim after the other, and fails unless the smoke jobs find each, say what is wrong,
and find nothing else.

    ci/claims.py [NAME...]       with images that are built; those that are wrong on purpose are built here

Each entry of IMAGES is a thin layer on a real image. What has to fail in it stands beside it, with words that the reason
must hold; every other check that runs in it has to pass.
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
    that must fail, `USER: CHECK` for one user alone, and words of the reason."""

    def __init__(self, parent, layer, fails, checks=(), jobs=(), user="185", expect=()):
        self.parent, self.layer, self.fails = parent, layer, fails
        self.checks, self.jobs, self.user, self.expect = checks, jobs, user, dict(expect)

    def image_toml(self, name):
        def words(items):
            return json.dumps(list(items))

        expect = ", ".join(f"{key} = {json.dumps(value)}" for key, value in self.expect.items())
        return (f'name = "wrong-{name}"\nabout = "wrong on purpose"\nper = "spark"\ntags = ["{{spark}}"]\n'
                f'[parents]\nPARENT = "{self.parent}"\n'
                f'[[smoke]]\nchecks = {words(self.checks)}\njobs = {words(self.jobs)}\nexpect = {{ {expect} }}\n')

    def dockerfile(self):
        return f"ARG PARENT\nFROM ${{PARENT}}\nUSER root\n{self.layer.strip()}\nUSER {self.user}\n"


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
}


def xtask(images, *words, **more):
    return subprocess.run(["cargo", "xtask", "--images", images, *words, "--spark", SPARK], **more)


def smoke(folder, names, only):
    """The cases of a run in these images."""
    images = [f"wrong-{name}:{SPARK}" for name in names]
    words = [word for name in sorted(only) for word in ("--only", name)]
    done = xtask(folder, "smoke", *images, *words, "--json", stdout=subprocess.PIPE, text=True)
    if done.returncode != 1:
        sys.exit(f"smoke ended with {done.returncode}, and not with 1")
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
            if case["verdict"] != "passed":
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
    names = sys.argv[1:] or list(IMAGES)
    if unknown := [name for name in names if name not in IMAGES]:
        sys.exit(f"{unknown} is nothing that is broken here; there are: {' '.join(IMAGES)}")
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    with tempfile.TemporaryDirectory(prefix="claims-") as folder:
        for name in names:
            os.mkdir(f"{folder}/{name}")
            for file, text in (("image.toml", IMAGES[name].image_toml(name)), ("Dockerfile", IMAGES[name].dockerfile())):
                with open(f"{folder}/{name}/{file}", "w") as out:
                    out.write(text)
        xtask(folder, "build-layers", *(f"wrong-{name}:{SPARK}" for name in names), "--offline", check=True)
        # A session is started in those images alone that say what it has to find.
        cases = []
        for is_session in (True, False):
            some = [name for name in names if bool(IMAGES[name].checks) == is_session]
            jobs = {job.partition(".")[0] for name in some for job in IMAGES[name].jobs}
            only = jobs | ({"session"} if is_session else {"permissions"})
            if any(IMAGES[name].parent == "custom" for name in some):
                only |= {"submit_version", "work_dir"}
            if some:
                cases += smoke(folder, some, only)
    wrong = []
    for name in names:
        own = [case for case in cases if case["image"] == f"wrong-{name}:{SPARK}"]
        wrong += [f"{name}: {text}" for text in judge(name, own)]
    print(f"{len(cases)} checks, {sum(case['verdict'] == 'failed' for case in cases)} failed as they had to"
          if not wrong else "\n".join(["", "not as expected:", *wrong]))
    sys.exit(1 if wrong else 0)


main()
