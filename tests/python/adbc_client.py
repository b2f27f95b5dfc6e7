"""ADBC against the demo: address, CA file, tokens of marco, anna, otto."""

import sys

import adbc_driver_flightsql.dbapi as flightsql
from adbc_driver_flightsql import DatabaseOptions

address, ca, marco, anna, otto = sys.argv[1:]
checks = 0


def check(condition, what):
    global checks
    assert condition, what
    checks += 1


def connect(token=None, **options):
    with open(ca, encoding="utf-8") as file:
        options[DatabaseOptions.TLS_ROOT_CERTS.value] = file.read()
    if token is not None:
        options[DatabaseOptions.AUTHORIZATION_HEADER.value] = f"Bearer {token}"
    return flightsql.connect(f"grpc+tls://{address}", db_kwargs=options, autocommit=True)


def rows(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def refusal(connection, sql):
    try:
        found = rows(connection, sql)
    except Exception as error:  # the driver has several classes
        return str(error)
    raise AssertionError(f"{sql} should be refused and gave {found}")


with connect(marco) as connection:
    joined = rows(
        connection,
        "select p.segment, count(*), sum(o.total) from sales.orders o"
        " join customers.profiles p using (customer_id) group by 1 order by 1",
    )
    check(len(joined) >= 2 and all(count > 0 for _, count, _ in joined), joined)
    masked = rows(connection, "select distinct email from customers.profiles")
    check(masked == [("***",)], masked)
    with connection.cursor() as cursor:
        cursor.execute("select order_id, customer_id, region, order_date, total from sales.orders")
        table = cursor.fetch_arrow_table()
    check(table.num_rows >= 8, table)
    check([str(field.type) for field in table.schema][-2:] == ["date32[day]", "decimal128(12, 2)"], table.schema)
    check("margin" in refusal(connection, "select margin from sales.orders"), "names what was asked for")
    catalogs = connection.adbc_get_objects(depth="tables").read_all().to_pylist()
    schemas = {
        schema["db_schema_name"]: {table["table_name"] for table in schema["db_schema_tables"]}
        for catalog in catalogs
        for schema in catalog["catalog_db_schemas"]
    }
    check("orders" in schemas["sales"] and "stores" not in schemas["sales"], schemas)
    check("profiles" in schemas["customers"], schemas)
    check(connection.adbc_get_info()["vendor_name"] == "Meshgate", "vendor")

with connect(otto) as connection:
    refused = refusal(connection, "select * from sales.orders")
    missing = refusal(connection, "select * from sales.nothing")
    same = missing.replace("nothing", "orders")
    hide = lambda text: [word for word in text.split() if word.count("-") < 4]
    check(hide(refused) == hide(same), (refused, missing))
    check(rows(connection, "select subject from mesh.system.whoami") == [("otto",)], "whoami")

with connect(username="whatever", password=anna) as connection:
    check(rows(connection, "select count(*) from sales.orders where region <> 'DE'") == [(0,)], "her regions only")

with connect(marco[:-4] + "AAAA") as connection:
    check("UNAUTHENTICATED" in refusal(connection, "select 1").upper(), "a forged token")

with connect() as connection:
    check("UNAUTHENTICATED" in refusal(connection, "select 1").upper(), "no token")

print(f"adbc: {checks} checks")
