# smoke: service=kafka checks=kafka_batch,kafka,kafka_token
"""Kafka against a real broker: a batch there and back, a stream that goes on where it stopped, and exactly its rows."""

import tempfile
import uuid

import smoke
from smoke import equal, expected, java_class, service

url = service("kafka")
run = uuid.uuid4().hex[:8]
session = None


def options(**more):
    return {"kafka.bootstrap.servers": f"{url.hostname}:{url.port}", **more}


def write(topic, first, last):
    """Writes the numbers from `first` up to `last` as keys, with values that tell them."""
    frame = session.range(first, last).selectExpr("string(id) AS key", "concat('v', id) AS value")
    frame.write.format("kafka").options(**options(topic=topic)).save()


def rows(topic):
    """What a batch reads: pairs of key and value, sorted."""
    read = session.read.format("kafka").options(**options(subscribe=topic)).load()
    return sorted((row.k, row.v) for row in read.selectExpr("int(string(key)) AS k", "string(value) AS v").collect())


def pairs(first, last):
    return [(n, f"v{n}") for n in range(first, last)]


def batch():
    """A batch is written and read; the client is the one that this Spark was built with."""
    version = session.sparkContext._jvm.org.apache.kafka.common.utils.AppInfoParser.getVersion()
    equal("kafka-clients", expected("KAFKA"), version)
    topic = f"smoke-{run}-batch"
    write(topic, 0, 100)
    equal("rows", pairs(0, 100), rows(topic))
    bounded = options(subscribe=topic, endingOffsets=f'{{"{topic}": {{"0": 40}}}}')
    equal("rows up to an offset", 40, session.read.format("kafka").options(**bounded).load().count())
    return f"kafka-clients {version}, 100 rows there and back"


def run_stream(source, target, checkpoint):
    """Copies what is new in a topic to another one and ends."""
    stream = session.readStream.format("kafka").options(
        **options(subscribe=source, startingOffsets="earliest", maxOffsetsPerTrigger="20")).load()
    query = (
        stream.selectExpr("key", "concat(string(value), '!') AS value")
        .writeStream.format("kafka").options(**options(topic=target)).option("checkpointLocation", checkpoint)
        .trigger(availableNow=True).start())
    if not query.awaitTermination(120):
        query.stop()
        raise AssertionError("the stream did not end in 120 s")
    return sum(progress["numInputRows"] for progress in query.recentProgress)


def stream():
    """A stream goes on from its checkpoint after a restart: every row once, none left out."""
    source, target = f"smoke-{run}-source", f"smoke-{run}-target"
    checkpoint = tempfile.mkdtemp(prefix="checkpoint-")
    write(source, 0, 50)
    equal("rows of the first run", 50, run_stream(source, target, checkpoint))
    write(source, 50, 75)
    equal("rows after the restart", 25, run_stream(source, target, checkpoint))
    equal("rows with nothing new", 0, run_stream(source, target, checkpoint))
    equal("rows in the end", [(k, f"{v}!") for k, v in pairs(0, 75)], rows(target))
    return "50 rows, then 25 after the restart, each once"


def token():
    """The classes that get delegation tokens load, and the provider is found."""
    loader = session.sparkContext._jvm.java.lang.Thread.currentThread().getContextClassLoader()
    provider = java_class(session, "org.apache.spark.security.HadoopDelegationTokenProvider")
    found = session.sparkContext._jvm.java.util.ServiceLoader.load(provider, loader).iterator()
    names = [found.next().getClass().getName() for _ in iter(found.hasNext, False)]
    wanted = "org.apache.spark.kafka010.KafkaDelegationTokenProvider"
    equal(f"times that {wanted} is found", 1, names.count(wanted))
    java_class(session, "org.apache.spark.kafka010.KafkaTokenUtil")
    java_class(session, "org.apache.kafka.common.security.token.delegation.DelegationToken")
    return f"{len(names)} providers"


def start():
    global session
    session = smoke.local_session()


smoke.run([("kafka_batch", batch), ("kafka", stream), ("kafka_token", token)], before=start)
