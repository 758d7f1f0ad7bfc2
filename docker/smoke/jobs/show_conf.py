"""What a driver sees of its configuration, one `key=value` a line; the application of entrypoint_driver.sh."""

import os
import sys

from pyspark.sql import SparkSession

session = SparkSession.builder.getOrCreate()
for key, value in sorted(session.sparkContext.getConf().getAll()):
    print(f"{key}={value}")
jvm = session.sparkContext._jvm
loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
for name in ("log4j2.properties", "metrics.properties"):
    print(f"{name}={loader.getResource(name).getPath()}")
print(f"smoke.one={jvm.java.lang.System.getProperty('smoke.one')}")
print(f"smoke.two={jvm.java.lang.System.getProperty('smoke.two')}")
print(f"SPARK_CONF_DIR={os.environ.get('SPARK_CONF_DIR')}")
print(f"arguments={' '.join(sys.argv[1:])}")
print(f"count={session.range(10).count()}")
