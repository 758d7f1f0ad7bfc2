"""k8s_app.py FOLDER [ARG...]: the application of k8s_cluster.py. Prints what driver and executor were given, which class of
the old Jackson the executor has, a sum, and, once its executor is gone, the same sum from another one.
"""

import os
import sys
import time

from pyspark.sql import SparkSession

import smoke


def on_executor(rows):
    """Sum, environment and Java options, of the process that started this worker's daemon."""
    with open(f"/proc/{os.getppid()}/stat") as stat:
        java = stat.read().rpartition(")")[2].split()[1]
    with open(f"/proc/{java}/cmdline") as cmdline:
        words = cmdline.read().split("\0")
    options = [word.partition("=")[2] for word in words if word.startswith("-Dsmoke.")]
    yield sum(rows), os.environ["SMOKE_TEXT"], sorted(options)


session = SparkSession.builder.getOrCreate()
context = session.sparkContext
properties = context._jvm.java.lang.System
print("arguments", repr(sys.argv[2:]), flush=True)
print("driver-text", repr(os.environ["SMOKE_TEXT"]), flush=True)
print("driver-options", repr([properties.getProperty(f"smoke.{name}") for name in ("words", "quoted")]), flush=True)
rows = context.parallelize(range(1000), 1)
((total, text, options),) = rows.mapPartitions(on_executor).collect()
print("executor-options", repr(options), flush=True)
print("executor-text", repr(text), flush=True)
print("executor-jackson", smoke.executor_class(session, smoke.JACKSON_1), flush=True)
print("sum", total, flush=True)


def executors():
    return context._jsc.sc().getExecutorIds().mkString(" ")


first = executors()
while executors() in (first, ""):
    time.sleep(0.1)
print("again", rows.sum(), flush=True)
session.stop()
