# smoke: gpu
"""A query on the GPU, and its plan says so. Without a GPU: skipped, with the reason."""

import glob

import smoke
from smoke import equal


def rapids_gpu():
    """What runs on the GPU gives what the processor gives."""
    if not glob.glob("/dev/nvidia[0-9]*") and not glob.glob("/dev/dxg"):
        raise smoke.Skip("there is no /dev/nvidia*: no GPU, or the container was started without one")
    session = smoke.local_session(**{
        "spark.plugins": "com.nvidia.spark.SQLPlugin",
        "spark.rapids.memory.gpu.pool": "NONE",
    })
    frame = session.range(1_000_000).selectExpr("id % 7 AS k", "id").groupBy("k").sum("id")
    session.conf.set("spark.rapids.sql.enabled", "false")
    on_processor = sorted(tuple(row) for row in frame.collect())
    session.conf.set("spark.rapids.sql.enabled", "true")
    frame = session.range(1_000_000).selectExpr("id % 7 AS k", "id").groupBy("k").sum("id")
    equal("rows", on_processor, sorted(tuple(row) for row in frame.collect()))
    plan = frame._jdf.queryExecution().executedPlan().toString()
    if "GpuHashAggregate" not in plan:
        raise AssertionError(f"no GpuHashAggregate in the plan: {plan[:600]}")
    return f"{len(on_processor)} rows, GpuHashAggregate in the plan"


smoke.run([("rapids_gpu", rapids_gpu)])
