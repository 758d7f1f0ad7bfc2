#!/usr/bin/env bash
# smoke: checks=thrift,connect_server
# The two servers that take SQL, as a container's command: the Thrift server with beeline, and a Connect server that a
# client of another process uses. Both end on SIGTERM.
set -uo pipefail
. "$(dirname "$0")/servers.sh"

read -r thrift_port connect_port < <(free_ports 2)
serve thrift start-thriftserver.sh --master "local[1]" --conf spark.ui.enabled=false \
  --conf spark.sql.warehouse.dir="$logs/warehouse" --conf spark.sql.shuffle.partitions=1 \
  --hiveconf hive.server2.thrift.port="$thrift_port" --hiveconf hive.server2.thrift.bind.host=127.0.0.1
serve connect start-connect-server.sh --master "local[1]" --conf spark.ui.enabled=false \
  --conf spark.connect.grpc.binding.port="$connect_port"

check=thrift
await thrift "HiveThriftServer2 started"
cat > "$logs/rows.sql" << 'SQL'
CREATE DATABASE smoke;
CREATE TABLE smoke.people (id INT, name STRING) STORED AS TEXTFILE;
INSERT INTO smoke.people VALUES (1, 'Ada'), (2, 'Grace'), (3, 'three; "3"');
SELECT count(*) AS n, max(id) AS last, max(if(id = 3, name, '')) AS quoted FROM smoke.people;
SQL
beeline -u "jdbc:hive2://127.0.0.1:$thrift_port/default" -n smoke --silent=true --outputformat=tsv2 -f "$logs/rows.sql" \
  > "$logs/rows" 2> "$logs/beeline.log" || fail "beeline ended with $?"
[[ "$(< "$logs/rows")" == *$'n\tlast\tquoted\n3\t3\tthree; "3"'* ]] || fail "expected 3 rows, found: $(head -c 300 "$logs/rows")"
stop thrift "Successfully stopped SparkContext"
echo "ok thrift 3 rows of a Hive table through beeline, ended on SIGTERM"

check=connect_server
await connect "Spark Connect server started at"
count="$(python3 -c "
from pyspark.sql import SparkSession
print(SparkSession.builder.remote('sc://127.0.0.1:$connect_port').getOrCreate().range(42).count())" 2> "$logs/client.log")"
[[ $count == 42 ]] || fail "expected a count of 42 from the Connect server, found: '$count'"
stop connect "Successfully stopped SparkContext"
echo "ok connect_server a count of 42, ended on SIGTERM"
