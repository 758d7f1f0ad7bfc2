# smoke: service=s3 checks=iceberg_local,iceberg_tables,iceberg_session
"""Iceberg in a local and in an S3 warehouse, by SparkCatalog and by SparkSessionCatalog: tables are created, appended to,
merged, changed in their schema, read as they were, and their snapshots expired; PyIceberg reads the same tables."""

import datetime
import tempfile
import time
import uuid

import smoke
from smoke import equal, service

url = service("s3")
bucket = url.path.strip("/")
folder = f"smoke-{uuid.uuid4().hex[:8]}"
endpoint = f"{url.scheme}://{url.hostname}:{url.port}"
FINAL = {1: ("a", None), 2: ("B", None), 4: ("d", None), 5: ("e", 5.5)}
session = None


def rows(query):
    return {row.id: row.v for row in session.sql(query).collect()}


def life(table, create="USING iceberg"):
    """The life of a table; where its metadata lies in the end."""
    session.sql(f"CREATE TABLE {table} (id bigint, v string) {create} PARTITIONED BY (bucket(2, id))")
    session.sql(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b')")
    session.sql(f"INSERT INTO {table} VALUES (3, 'c')")
    first, second = [row[0] for row in session.sql(
        f"SELECT snapshot_id FROM {table}.snapshots ORDER BY committed_at").collect()]
    time.sleep(0.01)
    between = datetime.datetime.now()
    session.sql(f"""MERGE INTO {table} t USING (SELECT 2 AS id, 'B' AS v UNION SELECT 3, NULL UNION SELECT 4, 'd') s
                    ON t.id = s.id WHEN MATCHED AND s.v IS NULL THEN DELETE
                    WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT *""")
    session.sql(f"ALTER TABLE {table} ADD COLUMN more double")
    session.sql(f"ALTER TABLE {table} ALTER COLUMN id COMMENT 'the key'")
    session.sql(f"INSERT INTO {table} VALUES (5, 'e', 5.5)")
    now = {row.id: (row.v, row.more) for row in session.table(table).collect()}
    equal("rows now", FINAL, now)
    equal("rows of the first snapshot", {1: "a", 2: "b"}, rows(f"SELECT * FROM {table} VERSION AS OF {first}"))
    equal("rows of the second snapshot", {1: "a", 2: "b", 3: "c"}, rows(f"SELECT * FROM {table} VERSION AS OF {second}"))
    equal("rows as of then", 3, session.sql(f"SELECT * FROM {table} TIMESTAMP AS OF '{between}'").count())
    catalog = table.split(".")[0]
    expired = session.sql(
        f"CALL {catalog}.system.expire_snapshots(table => '{table}', older_than => TIMESTAMP '{datetime.datetime.now()}', "
        "retain_last => 1)").first()
    equal("snapshots left", 1, session.table(f"{table}.snapshots").count())
    if expired.deleted_manifest_lists_count < 3:
        raise AssertionError(f"expire_snapshots deleted {expired}")
    equal("rows after the expiry", 4, session.table(table).count())
    try:
        session.sql(f"SELECT * FROM {table} VERSION AS OF {first}").collect()
    except Exception as error:  # judged by its text
        equal("the expired snapshot is told", True, str(first) in str(error))
    else:
        raise AssertionError("the expired snapshot can be read")
    entries = session.table(f"{table}.metadata_log_entries").orderBy("timestamp", ascending=False)
    return entries.first().file


def read_by_pyiceberg(metadata, **properties):
    """PyIceberg reads the table, also the column that was added later."""
    from pyiceberg.table import StaticTable

    table = StaticTable.from_metadata(metadata, properties)
    read = table.scan().to_arrow().to_pylist()
    equal("rows by PyIceberg", FINAL, {row["id"]: (row["v"], row["more"]) for row in read})
    found = table.scan(row_filter="id == 5").to_arrow().to_pylist()
    equal("one row by PyIceberg", [{"id": 5, "v": "e", "more": 5.5}], found)


def local():
    """SparkCatalog in a local warehouse."""
    read_by_pyiceberg(life("local.db.t"))
    return "append, merge, schema, time travel, expiry, PyIceberg"


def s3():
    """SparkCatalog in an S3 warehouse, through S3A."""
    metadata = life("s3.db.t")
    equal("scheme", "s3a", metadata.split(":")[0])
    read_by_pyiceberg(metadata, **{
        "s3.endpoint": endpoint, "s3.access-key-id": url.username, "s3.secret-access-key": url.password,
        "s3.region": "us-east-1", "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"})
    return f"s3a://{bucket}/{folder}, PyIceberg by pyarrow"


def session_catalog():
    """SparkSessionCatalog: Iceberg's tables beside Spark's own in one catalog."""
    read_by_pyiceberg(life("spark_catalog.default.ice"))
    session.sql("CREATE TABLE default.plain (id int) USING parquet")
    session.sql("INSERT INTO default.plain VALUES (1)")
    equal("rows of Spark's own table", 1, session.table("default.plain").count())
    return "Iceberg's table and Spark's own"


def start():
    global session
    catalogs = {
        "spark.sql.catalog.local": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.local.type": "hadoop",
        "spark.sql.catalog.local.warehouse": tempfile.mkdtemp(prefix="iceberg-"),
        "spark.sql.catalog.s3": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.s3.type": "hadoop",
        "spark.sql.catalog.s3.warehouse": f"s3a://{bucket}/{folder}",
        "spark.sql.catalog.spark_catalog": "org.apache.iceberg.spark.SparkSessionCatalog",
        "spark.sql.catalog.spark_catalog.type": "hadoop",
        "spark.sql.catalog.spark_catalog.warehouse": tempfile.mkdtemp(prefix="session-"),
        "spark.hadoop.fs.s3a.endpoint": endpoint,
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.access.key": url.username,
        "spark.hadoop.fs.s3a.secret.key": url.password,
        "spark.hadoop.fs.s3a.path.style.access": "true",
    }
    session = smoke.local_session(**catalogs)


smoke.run([("iceberg_local", local), ("iceberg_tables", s3), ("iceberg_session", session_catalog)], before=start)
