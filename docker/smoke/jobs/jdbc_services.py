# smoke: service=postgresql service=mariadb checks=jdbc_services,jdbc_mysql,jdbc_unreachable
"""JDBC against real servers: rows written, read back in partitions, and the types that break; and drivers without one."""

import datetime
import decimal
import json
import uuid

import smoke
from smoke import equal, fails_with, java_class, service

ROWS = 1000
UTF8 = "Grüße, 世界, 🦀 ''\\"
MOMENT = datetime.datetime(1969, 7, 20, 20, 17, 40, 123456)
DAY = datetime.date(1582, 10, 15)
LARGEST = decimal.Decimal("12345678901234567890123456.789012345678")


def options(url, driver):
    """What Spark's JDBC source is told to reach a service. Connector/J takes MariaDB for MySQL."""
    # PostgreSQL takes a text for its type jsonb only where the driver leaves the type open.
    extra = "?stringtype=unspecified" if url.scheme == "postgresql" else ""
    return {
        "url": f"jdbc:{url.scheme}://{url.hostname}:{url.port}{url.path}{extra}",
        "user": url.username,
        "password": url.password,
        "driver": driver,
    }


def reader(session, conf, **more):
    return session.read.format("jdbc").options(**conf, **more)


def statement(session, conf, sql):
    """Runs a statement through the driver itself."""
    jvm = session.sparkContext._jvm
    java_class(session, conf["driver"])
    connection = jvm.java.sql.DriverManager.getConnection(conf["url"], conf["user"], conf["password"])
    try:
        connection.createStatement().execute(sql)
    finally:
        connection.close()


def rows_and_partitions(session, conf, table):
    """Rows are written by two tasks and read by four, each with its part of them."""
    frame = session.range(ROWS).selectExpr("id", "concat('row ', id) AS name")
    frame.repartition(2).write.format("jdbc").options(**conf, dbtable=table).mode("overwrite").save()
    frame.limit(10).write.format("jdbc").options(**conf, dbtable=table).mode("append").save()
    bounds = {"partitionColumn": "id", "lowerBound": "0", "upperBound": str(ROWS), "numPartitions": "4"}
    read = reader(session, conf, dbtable=table, **bounds).load()
    equal("partitions", 4, read.rdd.getNumPartitions())
    equal("rows", ROWS + 10, read.count())
    sizes = read.rdd.mapPartitions(lambda rows: [sum(1 for _ in rows)]).collect()
    equal("rows of the fullest partition", True, max(sizes) <= ROWS // 4 + 10)
    equal("one row", "row 777", read.where("id = 777").first().name)
    query = reader(session, conf, query=f"SELECT max(id) AS top FROM {table}").load()
    equal("a query's answer", ROWS - 1, query.first().top)
    return sizes


def types(session, conf, table, columns, moment):
    """Decimals keep all digits, timestamps their microseconds, texts their characters, a JSON column its value."""
    statement(session, conf, f"CREATE TABLE {table} ({columns})")
    schema = "d decimal(38,12), t timestamp, s string, j string, b boolean, x binary, day date, n int"
    row = (LARGEST, moment, UTF8, json.dumps({"key": [1, UTF8]}), True, bytearray(b"\x00\xff"), DAY, None)
    frame = session.createDataFrame([row], schema)
    frame.write.format("jdbc").options(**conf, dbtable=table).mode("append").save()
    read = reader(session, conf, dbtable=table).load()
    equal("type of the decimal", "decimal(38,12)", dict(read.dtypes)["d"])
    # A condition that the server judges: it was sent as this server writes it.
    found = read.where(read.d == LARGEST).where(read.t == moment).where(read.day == DAY).first()
    if found is None:
        raise AssertionError(f"the row is not found by its decimal, timestamp and date: {read.collect()}")
    equal("decimal", LARGEST, found.d)
    equal("timestamp", moment, found.t)
    equal("text", UTF8, found.s)
    equal("JSON", {"key": [1, UTF8]}, json.loads(found.j))
    equal("boolean", True, found.b)
    equal("bytes", b"\x00\xff", bytes(found.x))
    equal("date", DAY, found.day)
    equal("null", None, found.n)


def database(session, name, driver, columns, moment):
    conf = options(service(name), driver)
    table = f"smoke_{uuid.uuid4().hex[:8]}"
    try:
        sizes = rows_and_partitions(session, conf, table)
        types(session, conf, f"{table}_t", columns, moment)
        wrong = dict(conf, password="wrong")
        word = fails_with(
            ("password authentication failed", "Access denied"), reader(session, wrong, dbtable=table).load)
    finally:
        for name in (table, f"{table}_t"):
            statement(session, conf, f"DROP TABLE IF EXISTS {name}")
    return f"{ROWS + 10} rows in partitions of {sizes}; decimal, timestamp, JSON, UTF-8; wrong password: {word}"


POSTGRESQL = "d decimal(38,12), t timestamp(6), s text, j jsonb, b boolean, x bytea, day date, n int"
# MariaDB calls itself 5.5.5 to clients, and Connector/J sends fractions of seconds to 5.6.4 and later alone.
MYSQL = "d decimal(38,12), t datetime(6), s text, j json, b bit(1), x varbinary(10), day date, n int"


# Where nothing listens, and how each driver says so.
UNREACHABLE = (
    ("oracle.jdbc.OracleDriver", "jdbc:oracle:thin:@127.0.0.1:1:d", "ORA-"),
    ("com.microsoft.sqlserver.jdbc.SQLServerDriver",
     "jdbc:sqlserver://127.0.0.1:1;databaseName=d;loginTimeout=5", "SQLServerException"),
    ("com.vertica.jdbc.Driver", "jdbc:vertica://127.0.0.1:1/d", "[Vertica][VJDBC]"),
)


def unreachable(session):
    """Drivers without a server: each takes its URL and ends in its own connection error."""
    wrong = []
    for driver, url, word in UNREACHABLE:
        conf = {"url": url, "driver": driver, "user": "u", "password": "p"}
        try:
            fails_with((word,), reader(session, conf, dbtable="t").load)
        except AssertionError as error:
            wrong.append(str(error).splitlines()[0])
    equal("drivers that end otherwise", [], wrong)
    return ", ".join(word for _, _, word in UNREACHABLE)


def main():
    session = smoke.local_session()
    smoke.run([
        ("jdbc_services", lambda: database(session, "postgresql", "org.postgresql.Driver", POSTGRESQL, MOMENT)),
        ("jdbc_mysql", lambda: database(session, "mariadb", "com.mysql.cj.jdbc.Driver", MYSQL, MOMENT.replace(microsecond=0))),
        ("jdbc_unreachable", lambda: unreachable(session)),
    ])


main()
