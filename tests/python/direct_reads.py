"""Reads a statement's result as the client named first does; prints the rows as JSON.

adbc: follows locations itself. adbc-again: another connection, with the last token, reads what the first
planned. pyarrow: opens the first location by hand.
"""

import json
import sys

client, address, ca, sql, *tokens = sys.argv[1:]
with open(ca, encoding="utf-8") as file:
    certificates = file.read()


def adbc(token):
    import adbc_driver_flightsql.dbapi as flightsql
    from adbc_driver_flightsql import DatabaseOptions

    options = {
        DatabaseOptions.TLS_ROOT_CERTS.value: certificates,
        DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}",
    }
    return flightsql.connect(f"grpc+tls://{address}", db_kwargs=options, autocommit=True)


def by_adbc():
    with adbc(tokens[0]) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetch_arrow_table()


def by_adbc_again():
    with adbc(tokens[0]) as connection, connection.cursor() as cursor:
        partitions, _ = cursor.adbc_execute_partitions(sql)
    assert len(partitions) == 1, partitions
    with adbc(tokens[-1]) as connection, connection.cursor() as cursor:
        cursor.adbc_read_partition(partitions[0])
        return cursor.fetch_arrow_table()


def by_pyarrow():
    from pyarrow import flight

    def connect(location):
        return flight.FlightClient(location, tls_root_certs=certificates.encode())

    options = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {tokens[0]}".encode())])
    descriptor = flight.FlightDescriptor.for_command(sql.encode())
    info = connect(f"grpc+tls://{address}").get_flight_info(descriptor, options)
    (endpoint,) = info.endpoints
    node, fallback = (location.uri for location in endpoint.locations)
    assert fallback == b"arrow-flight-reuse-connection://?", fallback
    table = connect(node).do_get(endpoint.ticket, options).read_all()
    assert table.schema.equals(info.schema, check_metadata=True), (table.schema, info.schema)
    return table


readers = {"adbc": by_adbc, "adbc-again": by_adbc_again, "pyarrow": by_pyarrow}
print(json.dumps(readers[client]().to_pylist(), sort_keys=True))
