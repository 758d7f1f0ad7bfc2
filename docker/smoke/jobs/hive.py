"""A session with Hive support: its metastore, a table in it, a table that Hive's own classes write and read, a UDF of
Hive's own, and the old Jackson that UDFs were written with."""

import tempfile

import smoke
from smoke import equal, java_class


def hive():
    from pyspark.sql import SparkSession

    folder = tempfile.mkdtemp(prefix="metastore-")
    builder = SparkSession.builder.master("local[1]").config(map=smoke.events())
    session = (
        builder
        .config("spark.sql.catalogImplementation", "hive")
        .config("spark.sql.warehouse.dir", f"{folder}/warehouse")
        .config("spark.hadoop.javax.jdo.option.ConnectionURL", f"jdbc:derby:;databaseName={folder}/db;create=true")
        .config("spark.driver.extraJavaOptions", f"-Dderby.stream.error.file={folder}/derby.log")
        .config("spark.ui.enabled", "false")
        .enableHiveSupport()
        .getOrCreate()
    )
    session.sql("CREATE TABLE t (id int, doc string) STORED AS PARQUET")
    session.sql("""INSERT INTO t VALUES (1, '{"a": {"b": "deep"}}')""")
    session.sql("CREATE TEMPORARY FUNCTION hive_json AS 'org.apache.hadoop.hive.ql.udf.UDFJson'")
    value = session.sql("SELECT hive_json(doc, '$.a.b') FROM t").first()[0]
    equal("value", "deep", value)
    # Spark reads Parquet tables by itself; this one goes through Hive's SerDe and formats, and is text between bars.
    session.sql("CREATE TABLE h (id int, name string) ROW FORMAT DELIMITED FIELDS TERMINATED BY '|' STORED AS TEXTFILE")
    session.sql("INSERT INTO h VALUES (1, 'Ada'), (2, 'Grace')")
    lines = session.read.text(f"{folder}/warehouse/h").collect()
    equal("lines of the file", ["1|Ada", "2|Grace"], sorted(line.value for line in lines))
    equal("rows", [(1, "Ada"), (2, "Grace")], sorted(map(tuple, session.table("h").collect())))
    # Hive's own UDFs use it in 2.3.9, of Spark 3.5, and not in 2.3.10, of Spark 4.1: others that are written for Hive do.
    java_class(session, smoke.JACKSON_1)
    return "metastore, table, SerDe table, UDFJson, Jackson 1"


smoke.run([("hive", hive)])
