"""A session with Hive support: its metastore, a table in it, and a UDF of Hive's own that needs Hive's old Jackson."""

import tempfile

import smoke
from smoke import equal


def hive():
    from pyspark.sql import SparkSession

    folder = tempfile.mkdtemp(prefix="metastore-")
    session = (
        SparkSession.builder.master("local[1]")
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
    return "metastore, table, UDFJson"


smoke.run([("hive", hive)])
