"""pyarrow.flight against the demo: address, CA file, tokens of marco, anna, otto."""

import sys

from pyarrow import flight

address, ca, marco, anna, otto = sys.argv[1:]
checks = 0


def check(condition, what):
    global checks
    assert condition, what
    checks += 1


def bearer(token):
    return flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {token}".encode())])


def read(descriptor, options):
    info = client.get_flight_info(descriptor, options)
    check(len(info.endpoints) == 1 and not info.endpoints[0].locations, "one endpoint without location")
    return client.do_get(info.endpoints[0].ticket, options).read_all()


def refusal(call):
    try:
        found = call()
    except flight.FlightError as error:
        return error
    except Exception as error:
        return error
    raise AssertionError(f"should be refused and gave {found}")


with open(ca, "rb") as file:
    client = flight.FlightClient(f"grpc+tls://{address}", tls_root_certs=file.read())

options = bearer(marco)
table = read(flight.FlightDescriptor.for_command(b"select count(*) as n from sales.orders"), options)
check(table.column("n")[0].as_py() >= 8, table)
by_path = read(flight.FlightDescriptor.for_path("sales", "orders"), options)
check(by_path.num_rows == table.column("n")[0].as_py(), by_path)
schema = client.get_schema(flight.FlightDescriptor.for_path("sales", "orders"), options).schema
check(schema.names == by_path.schema.names and "margin" not in schema.names, schema)
listed = {tuple(info.descriptor.path) for info in client.list_flights(options=options)}
check((b"sales", b"orders") in listed and (b"sales", b"stores") not in listed, listed)
check(list(client.list_flights(options=bearer(otto))) == [], "otto sees nothing")
check(isinstance(refusal(lambda: list(client.list_flights())), flight.FlightUnauthenticatedError), "no token")
header = client.authenticate_basic_token("anybody", anna)
her_options = flight.FlightCallOptions(headers=[header])
regions = read(flight.FlightDescriptor.for_command(b"select distinct region from sales.orders"), her_options)
check(regions.column(0).to_pylist() == ["DE"], regions)
check(
    isinstance(refusal(lambda: client.authenticate_basic_token("anna", "wrong")), flight.FlightUnauthenticatedError),
    "a wrong password",
)

print(f"pyarrow: {checks} checks")
