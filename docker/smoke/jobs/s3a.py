# smoke: service=s3 checks=s3a,s3a_overwrite,s3a_multipart,s3a_virtual_host,s3a_delete,s3a_wrong_key,s3a_sdk
"""S3A against a real S3 server: the magic committer, overwrite, list, delete, a large file in parts, both styles of
addresses, a wrong key; and which AWS SDK did it, by the list of classes that were loaded."""

import json
import os
import tempfile
import uuid

import smoke
from smoke import equal, fails_with, service

ROWS = 5000
# More than S3A sends in one request, so that the file goes in parts.
LARGE = 105 << 20
session = None
url = service("s3")
bucket = url.path.strip("/")
folder = f"smoke-{uuid.uuid4().hex[:8]}"
classes = os.path.join(tempfile.mkdtemp(prefix="classes-"), "loaded")


def conf(**more):
    """Settings of S3A for the server, with `.` written as `__` in names."""
    settings = {
        "endpoint": f"{url.scheme}://{url.hostname}:{url.port}",
        "endpoint.region": "us-east-1",
        "access.key": url.username,
        "secret.key": url.password,
        "path.style.access": "true",
        "aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "attempts.maximum": "2",
        "retry.limit": "2",
    }
    settings.update({name.replace("__", "."): value for name, value in more.items()})
    return {f"fs.s3a.{name}": value for name, value in settings.items()}


def file_system(**more):
    """A file system of its own, with other settings than the session's."""
    jvm = session.sparkContext._jvm
    hadoop = jvm.org.apache.hadoop.conf.Configuration(session.sparkContext._jsc.hadoopConfiguration())
    for name, value in conf(**more).items():
        hadoop.set(name, value)
    return jvm.org.apache.hadoop.fs.FileSystem.newInstance(jvm.java.net.URI(f"s3a://{bucket}/"), hadoop)


def path(name):
    return session.sparkContext._jvm.org.apache.hadoop.fs.Path(f"s3a://{bucket}/{folder}/{name}")


def names(fs, name):
    """The names of the files in a folder, with those of folders below it."""
    found, files = [], fs.listFiles(path(name), True)
    while files.hasNext():
        found.append(files.next().getPath().toString().split(f"/{folder}/{name}/")[1])
    return sorted(found)


def magic():
    """A table is written by the magic committer: _SUCCESS is its report, and no upload is left open."""
    where = f"s3a://{bucket}/{folder}/table"
    frame = session.range(ROWS).selectExpr("id", "id % 3 AS part", "concat('v', id) AS v")
    frame.repartition(3).write.partitionBy("part").parquet(where)
    # Spark itself hides names that begin with an underscore.
    stream = file_system().open(path("table/_SUCCESS"))
    report = session.sparkContext._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
    stream.close()
    # Other committers leave it empty.
    report = json.loads(report or '{"committer": "one without a report"}')
    equal("committer", "magic", report["committer"])
    read = session.read.parquet(where)
    equal("rows", ROWS, read.count())
    equal("sum", sum(range(ROWS)), read.agg({"id": "sum"}).first()[0])
    equal("one row", "v77", read.where("id = 77 AND part = 2").first().v)
    files = names(file_system(), "table")
    equal("files that the committer reports", len(report["filenames"]), len(files) - 1)
    equal("files of magic folders", [], [name for name in files if "magic" in name])
    return f"{ROWS} rows in {len(files) - 1} files, _SUCCESS says {report['committer']}"


def overwrite():
    """Overwriting replaces all that was there, appending adds to it."""
    where = f"s3a://{bucket}/{folder}/over"
    session.range(100).write.parquet(where)
    session.range(7).write.mode("overwrite").parquet(where)
    equal("rows after overwrite", 7, session.read.parquet(where).count())
    session.range(3).write.mode("append").parquet(where)
    equal("rows after append", 10, session.read.parquet(where).count())
    return "100, then 7, then 10 rows"


def multipart():
    """A file larger than 100 MB goes up in parts, and comes back as it was."""
    jvm = session.sparkContext._jvm
    local = os.path.join(tempfile.mkdtemp(prefix="large-"), "large")
    block = os.urandom(1 << 20)
    with open(local, "wb") as file:
        for n in range(LARGE >> 20):
            file.write(n.to_bytes(4, "big") + block[4:])
    fs = file_system(multipart__size="16M", multipart__threshold="32M")
    target = path("large")
    fs.copyFromLocalFile(jvm.org.apache.hadoop.fs.Path(f"file://{local}"), target)
    status = fs.getFileStatus(target)
    equal("size", LARGE, status.getLen())
    # An object that was put in parts has their number in its ETag.
    etag = status.getETag().strip(chr(34))
    equal("parts, by the ETag", str(-(-LARGE // (16 << 20))), etag.rpartition("-")[2])
    back = f"{local}.back"
    fs.copyToLocalFile(False, target, jvm.org.apache.hadoop.fs.Path(f"file://{back}"), True)
    with open(local, "rb") as one, open(back, "rb") as other:
        while mine := one.read(8 << 20):
            equal("bytes", True, mine == other.read(8 << 20))
    return f"{LARGE} bytes in {etag.rpartition('-')[2]} parts, ETag {etag}"


def host(fs):
    """The host that an object is asked of, as the client of a file system says it."""
    request = session.sparkContext._jvm.software.amazon.awssdk.services.s3.model.GetUrlRequest
    wanted = request.builder().bucket(bucket).key("one").build()
    return fs.getS3AInternals().getAmazonS3Client("smoke").utilities().getUrl(wanted).getHost()


def virtual_host():
    """The bucket in the name of the host instead of the path."""
    fs = file_system(path__style__access="false")
    equal("host", f"{bucket}.{url.hostname}", host(fs))
    equal("host by path style", url.hostname, host(file_system()))
    target = path("virtual/one")
    stream = fs.create(target)
    stream.write(bytearray(b"virtual"))
    stream.close()
    equal("names", ["one"], names(fs, "virtual"))
    equal("bytes by path style", 7, file_system().getFileStatus(target).getLen())
    return f"{bucket}.{url.hostname}"


def delete():
    """What is deleted is gone: a file, then a folder with all that it holds."""
    fs = file_system()
    for name in ("gone/a", "gone/b/c"):
        fs.create(path(name)).close()
    equal("names", ["a", "b/c"], names(fs, "gone"))
    equal("deleted", True, fs.delete(path("gone/a"), False))
    equal("names", ["b/c"], names(fs, "gone"))
    equal("deleted", True, fs.delete(path("gone"), True))
    equal("there", False, fs.exists(path("gone")))
    return "a file and a folder"


def wrong_key():
    """A wrong key ends in S3A's own error."""
    fs = lambda: file_system(secret__key="wrong").getFileStatus(path("table"))  # noqa: E731
    return fails_with(("AccessDeniedException", "SignatureDoesNotMatch", "Forbidden"), fs)


def sdk():
    """All of it was done by version 2 of the SDK: no class of version 1 was loaded, by the JVM's own list."""
    with open(classes, errors="replace") as file:
        loaded = [line.split("]")[-1].split()[0] for line in file if " source: " in line]
    one = [name for name in loaded if name.startswith("com.amazonaws.")]
    two = [name for name in loaded if name.startswith("software.amazon.awssdk.")]
    equal("classes of version 1", [], one[:5])
    if len(two) < 500 or not any(name.endswith("DefaultS3AsyncClient") or name.endswith("DefaultS3Client") for name in two):
        raise AssertionError(f"{len(two)} classes of version 2, of {len(loaded)}: the list is not whole")
    return f"{len(two)} classes of version 2, none of version 1, of {len(loaded)} loaded"


def start():
    global session
    settings = {f"spark.hadoop.{name}": value for name, value in conf(committer__name="magic").items()}
    session = smoke.local_session(**settings, **{
        "spark.driver.extraJavaOptions": f"-Xlog:class+load:file={classes}",
        "spark.sql.sources.commitProtocolClass": "org.apache.spark.internal.io.cloud.PathOutputCommitProtocol",
        "spark.sql.parquet.output.committer.class":
            "org.apache.spark.internal.io.cloud.BindingParquetOutputCommitter",
    })


smoke.run([
    ("s3a", magic), ("s3a_overwrite", overwrite), ("s3a_multipart", multipart), ("s3a_virtual_host", virtual_host),
    ("s3a_delete", delete), ("s3a_wrong_key", wrong_key), ("s3a_sdk", sdk)], before=start)
