"""What the jobs share: reporting, a session, and calls that must fail for the right reason.

A check is a function that returns a short evidence or raises. Each prints one line to stdout, `ok NAME EVIDENCE`,
`not ok NAME REASON` or `skip NAME REASON`; Spark's log goes to stderr. The process ends with 1 if a check failed. What is
expected comes from the environment (EXPECT_...), because the versions stand in the version table alone.
"""

import os
import sys
import tempfile
import traceback


def expected(name):
    """The value of EXPECT_<name>; without it a check would prove nothing, so that is a failure."""
    value = os.environ.get(f"EXPECT_{name}")
    if not value:
        raise AssertionError(f"EXPECT_{name} is not set")
    return value


def equal(what, expected_value, found, evidence=None):
    """Fails with both values, and what more there is to see, unless they are equal."""
    if expected_value != found:
        more = "" if evidence is None else f": {evidence}"
        raise AssertionError(f"{what}: expected {expected_value!r}, found {found!r}{more}")


def one_line(error):
    """The first two lines of an error, on one line that is not too long."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' | '.join(lines[:2])}"[:1000]


class Skip(Exception):
    """A check that cannot be made here, with the reason."""


def run(checks, before=None):
    """Runs (name, function) pairs, reports each and ends the process. `before` makes what all of them need, a session: where
    it fails, so has the first check, and the job ends."""
    failed = 0
    try:
        if before:
            before()
    except Exception as error:  # as below
        traceback.print_exc()
        print(f"not ok {checks[0][0]} {one_line(error)}", flush=True)
        sys.exit(1)
    for name, check in checks:
        try:
            evidence = check()
        except Skip as reason:
            print(f"skip {name} {reason}", flush=True)
        except Exception as error:  # whatever a check raises is its result
            traceback.print_exc()
            failed += 1
            print(f"not ok {name} {one_line(error)}", flush=True)
        else:
            print(f"ok {name} {evidence}", flush=True)
    sys.stdout.flush()
    sys.exit(1 if failed else 0)


def service(name):
    """Where a service is, as `urllib.parse.urlsplit` gives it."""
    from urllib.parse import urlsplit

    url = os.environ.get(f"SERVICE_{name.upper()}")
    if not url:
        raise AssertionError(f"SERVICE_{name.upper()} is not set")
    return urlsplit(url)


def java_class(session, name):
    """Loads a class as Spark's own code would."""
    jvm = session.sparkContext._jvm
    return jvm.java.lang.Class.forName(name, True, jvm.java.lang.Thread.currentThread().getContextClassLoader())


# What UDFs were written with that are written for Hive. Spark 3.5 has it among its jars, 4.1 in a folder of its own.
JACKSON_1 = "org.codehaus.jackson.map.ObjectMapper"


def executor_class(session, name):
    """Loads a class in an executor, and what came of it; without a column in it, the driver would do so."""
    try:
        frame = session.range(1).selectExpr(f"reflect('java.lang.Class', 'forName', concat('{name}', repeat('$', int(id))))")
        return frame.first()[0]
    except Exception as error:  # judged by its text
        lacks = f"ClassNotFoundException: {name}"
        return f"an executor: {lacks if lacks in causes(error) + str(error) else one_line(error)}"


def events():
    """Settings for an event log that the report draws, if whoever runs the jobs wants one: one plain file."""
    folder = os.environ.get("SMOKE_EVENTS")
    if not folder:
        return {}
    return {"spark.eventLog.enabled": "true", "spark.eventLog.dir": f"file:{folder}",
            "spark.eventLog.compress": "false", "spark.eventLog.rolling.enabled": "false"}


def local_session(**conf):
    """A classic session with two cores, writing below a temporary folder only."""
    from pyspark.sql import SparkSession

    builder = (
        SparkSession.builder.master("local[2]")
        .appName("smoke")
        .config("spark.sql.warehouse.dir", tempfile.mkdtemp(prefix="warehouse-"))
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.ui.port", "0")
        .config("spark.ui.showConsoleProgress", "false")
    )
    for key, value in {**events(), **conf}.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def causes(error):
    """The class names and messages of a Java exception and all that caused it, as one text."""
    java = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    if java is None:
        return str(error)
    texts = []
    while java is not None and len(texts) < 20:
        texts.append(str(java.toString()))
        java = java.getCause()
    return "\n".join(texts)


MISSING = ("NoClassDefFoundError", "ClassNotFoundException", "NoSuchMethodError", "NoSuchFieldError", "LinkageError")


def fails_with(words, call):
    """Calls what must fail, be it because nothing answers: the error has to hold one of `words`, and none of a missing class.

    A class that is there says little: only a call that gets as far as the network has loaded all that it needs.
    """
    try:
        call()
    except Exception as error:  # judged by its text
        text = causes(error) + "\n" + str(error)
        for missing in MISSING:
            if missing in text:
                raise AssertionError(f"a class is missing: {text[:600]}") from error
        for word in words:
            if word in text:
                return word
        raise AssertionError(f"expected one of {words}, found: {text[:600]}") from error
    raise AssertionError("the call succeeded and had to fail")
