"""standalone_app.py FOLDER: a job with a shuffle whose last stage waits until FOLDER/killed is there.

Once two executors each hold a task of that stage, FOLDER/ready is made; whoever started this then kills one of them. Its
tasks and its part of the shuffle have to be made again. Prints the sum, how many executors took part, and which class of
the old Jackson an executor has.
"""

import os
import sys
import threading
import time
import urllib.request

from pyspark.sql import SparkSession

import smoke

folder = sys.argv[1]
session = SparkSession.builder.getOrCreate()
context = session.sparkContext


def begin(rows):
    # One file for each process of an executor: the worker processes' parent is their executor's daemon.
    os.makedirs(f"{folder}/executors", exist_ok=True)
    open(f"{folder}/executors/{os.getppid()}", "w").close()
    while not os.path.exists(f"{folder}/killed"):
        time.sleep(0.1)
    yield sum(value for _, values in rows for value in values)


def watch():
    while len(os.listdir(f"{folder}/executors")) < 2:
        time.sleep(0.1)
    # Prometheus' page of the executors knows both, before one is gone.
    with urllib.request.urlopen(context.uiWebUrl + "/metrics/executors/prometheus", timeout=20) as answer:
        text = answer.read().decode()
    lines = [line for line in text.splitlines() if line.startswith("metrics_executor_totalCores")]
    print(f"cores: {lines}", file=sys.stderr)
    if len(lines) >= 2:
        open(f"{folder}/ready", "w").close()


os.makedirs(f"{folder}/executors")
threading.Thread(target=watch, daemon=True).start()
# Both executors have to be there before the shuffle, so that each holds a part of it.
while context._jsc.sc().getExecutorMemoryStatus().size() < 3:
    time.sleep(0.1)
pairs = context.parallelize(range(100), 4).map(lambda n: (n % 10, n)).groupByKey(2)
total = pairs.mapPartitions(begin).sum()
print(f"sum {total}, {len(os.listdir(f'{folder}/executors'))} executors, {smoke.executor_class(session, smoke.JACKSON_1)}")
session.stop()
