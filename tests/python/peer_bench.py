"""The same work on two Flight SQL servers, turn by turn. Prints figures of each round as JSON.

Takes a file with what to do: see benches/mesh/peer.rs, which starts both servers.
"""

import json
import sys
import threading
import time

import adbc_driver_flightsql.dbapi as flightsql
from adbc_driver_flightsql import DatabaseOptions

CLIENTS = 16
POINTS_OF_A_CLIENT = 20

task = json.load(open(sys.argv[1]))
# One message of ROAPI's holds a whole result.
large = {"adbc.flight.sql.client_option.with_max_msg_size": str(256 << 20)}


def connect(who):
    if who == "peer":
        return flightsql.connect(task["peer"], db_kwargs=large, autocommit=True)
    options = {
        DatabaseOptions.TLS_ROOT_CERTS.value: open(task["ca"]).read(),
        DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer " + task["token"],
    }
    return flightsql.connect(task["mesh"], db_kwargs={**large, **options}, autocommit=True)


def rows_of(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return sum(batch.num_rows for batch in cursor.fetch_record_batch())


def timed(work):
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def points(who, first):
    """Queries a second of clients that ask one after the other."""
    table = "supplier" if who == "peer" else "supply.supplier"
    connections = [connect(who) for _ in range(CLIENTS)]
    failures = []

    def ask(client):
        try:
            for number in range(POINTS_OF_A_CLIENT):
                key = 1 + (first + client * POINTS_OF_A_CLIENT + number) * 7919 % 100
                sql = f"select s_name, s_acctbal from {table} where s_suppkey = {key}"
                assert rows_of(connections[client], sql) == 1
        except BaseException as failure:
            failures.append(failure)
            raise

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(CLIENTS)]
    seconds, _ = timed(lambda: [thread.start() for thread in threads] and [thread.join() for thread in threads])
    assert not failures, failures
    for connection in connections:
        connection.close()
    return CLIENTS * POINTS_OF_A_CLIENT / seconds


figures = {name: {"peer": [], "mesh": []} for name in ("tpch", "lineitem", "points")}
failed = []
clients = {who: connect(who) for who in ("peer", "mesh")}
usable = []
for query in task["queries"]:
    # The first time warms up, and tells who cannot do it.
    try:
        rows = {who: rows_of(clients[who], query[who]) for who in clients}
        assert rows["peer"] == rows["mesh"], f"query {query['number']}: {rows}"
        usable.append(query)
    except flightsql.Error as error:
        failed.append(f"query {query['number']}: {str(error).splitlines()[0][:200]}")
for round in range(task["rounds"]):
    for who in clients:
        sums = 0
        for query in usable:
            seconds, _ = timed(lambda: rows_of(clients[who], query[who]))
            sums += seconds
        figures["tpch"][who].append(sums)
    for who, table in (("peer", "lineitem"), ("mesh", "logistics.lineitem")):
        seconds, rows = timed(lambda: rows_of(clients[who], f"select * from {table}"))
        figures["lineitem"][who].append(rows / seconds)
    for who in clients:
        figures["points"][who].append(points(who, round * CLIENTS * POINTS_OF_A_CLIENT))
print(json.dumps({**figures, "failed": failed}))
