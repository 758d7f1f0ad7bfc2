# smoke: checks=rapids_explain,rapids_classes,rapids_default
"""The RAPIDS plugin without a GPU: it loads, takes the shim that the table says, and explains what would run on the GPU.

Whether the plugin is on without being asked for is part of the promise: it is only where it knows this Spark itself.
"""

import os
import re
import tempfile

import smoke
from smoke import equal, expected

PLUGIN = "com.nvidia.spark.SQLPlugin"


def rapids_default():
    """The image's defaults switch the plugin on if it knows this Spark, and otherwise not."""
    defaults = {}
    folder = "/opt/spark/image-conf/spark-defaults.d"
    # What comes last is not of the image: it keeps the plugin off in these jobs.
    for name in sorted(set(os.listdir(folder)) - {"99-smoke.conf"}):
        with open(f"{folder}/{name}") as fragment:
            pairs = (line.split(None, 1) for line in fragment if line.strip() and not line.startswith("#"))
            defaults.update((key, value.strip()) for key, value in pairs)
    own = expected("RAPIDS_SHIM") == expected("SPARK").replace(".", "")
    equal("spark.plugins", PLUGIN if own else None, defaults.get("spark.plugins"))
    # Spark gives no executor to a session that asks for a GPU where there is none.
    equal("spark.executor.resource.gpu.amount", "1" if own else None, defaults.get("spark.executor.resource.gpu.amount"))
    return "on: the plugin knows this Spark" if own else "off: the plugin does not know this Spark"


def rapids_classes():
    """Plugin and cuDF are there in the version expected, and the shim is the one that the table says."""
    jvm = session.sparkContext._jvm
    for name in (PLUGIN, "com.nvidia.spark.rapids.ShimLoader", "ai.rapids.cudf.Table"):
        jvm.java.lang.Class.forName(name, False, jvm.java.lang.Thread.currentThread().getContextClassLoader())
    info = jvm.java.util.Properties()
    info.load(jvm.java.lang.ClassLoader.getSystemResourceAsStream("rapids4spark-version-info.properties"))
    equal("RAPIDS", expected("RAPIDS"), info.getProperty("version"))
    shim = jvm.com.nvidia.spark.rapids.ShimLoader.getShimVersion().toString()
    equal("shim", expected("RAPIDS_SHIM"), shim.replace(".", ""))
    return f"RAPIDS {info.getProperty('version')}, cuDF {info.getProperty('cudf_version')}, shim of {shim}"


def explained(frame):
    """Which operators of a plan would run on the GPU, and which not."""
    text = session.sparkContext._jvm.com.nvidia.spark.rapids.ExplainPlan.explainPotentialGpuPlan(frame._jdf, "ALL")
    on_gpu = set(re.findall(r"\*Exec <(\w+)> will run on GPU", text))
    return on_gpu, set(re.findall(r"!Exec <(\w+)> cannot run on GPU", text)), text


def rapids_explain():
    """A plan with a scan, a join, an aggregation and a sort would run on the GPU, and one over an RDD would not."""
    path = tempfile.mkdtemp(prefix="rapids-")
    session.range(1000).selectExpr("id", "id % 7 AS k").write.mode("overwrite").parquet(path)
    rows = session.read.parquet(path)
    frame = rows.join(session.range(7).withColumnRenamed("id", "k"), "k").groupBy("k").sum("id").orderBy("k")
    on_gpu, not_on_gpu, text = explained(frame)
    wanted = {"FileSourceScanExec", "HashAggregateExec", "ShuffleExchangeExec", "SortExec"}
    if not wanted <= on_gpu or not any("Join" in name for name in on_gpu):
        raise AssertionError(f"expected {sorted(wanted)} and a join on the GPU, found {sorted(on_gpu)}: {text[:300]}")
    equal("operators that are kept off the GPU", set(), not_on_gpu)
    # Explaining changes nothing: the query itself runs, on the processor.
    equal("sum of group 0", sum(range(0, 1000, 7)), frame.first()[1])
    rdd = session.createDataFrame(session.sparkContext.parallelize([(1,)]), "a int")
    equal("operators of an RDD on the GPU", set(), explained(rdd)[0])
    return f"{len(on_gpu)} operators would run on the GPU: {', '.join(sorted(on_gpu))}"


def start():
    global session
    # `explainOnly` wants no GPU, so no executor is asked for one.
    session = smoke.local_session(**{"spark.plugins": PLUGIN, "spark.rapids.sql.mode": "explainOnly"})


session = None
smoke.run([(check.__name__, check) for check in (rapids_explain, rapids_classes, rapids_default)], before=start)
