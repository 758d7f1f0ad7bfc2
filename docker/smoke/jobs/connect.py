"""A Spark Connect session with its own server: a DataFrame and a pandas UDF through gRPC and Arrow.

The client's generated code checks the protobuf runtime; what it has to say about it, even as a warning, is an error.
"""

import warnings

warnings.filterwarnings("error", message="(?i).*protobuf.*")

import os  # noqa: E402

import smoke  # noqa: E402
from smoke import equal  # noqa: E402


def connect():
    from pyspark.sql import SparkSession
    from pyspark.sql.functions import pandas_udf

    session = SparkSession.builder.remote("local[1]").config("spark.sql.shuffle.partitions", "1").getOrCreate()
    # A classic session would pass everything below just as well.
    equal("package of the session", "pyspark.sql.connect", type(session).__module__.rpartition(".")[0])
    equal("version of the server", smoke.expected("SPARK"), session.version)
    # The local server's own port, so that nothing was configured from outside.
    if "SPARK_REMOTE" not in os.environ and "SPARK_CONNECT_MODE_ENABLED" not in os.environ:
        raise AssertionError("no local Connect server was started")

    @pandas_udf("long")
    def square(values):
        return values * values

    frame = session.range(100).select(square("id").alias("square"))
    total = frame.groupBy().sum("square").collect()[0][0]
    equal("sum of squares", 328350, total)
    equal("rows in pandas", 100, len(frame.toPandas()))
    session.stop()
    return f"{type(session).__module__}, sum {total}"


smoke.run([("connect", connect)])
