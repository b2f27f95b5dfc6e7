"""Purposes over ADBC: address, CA file, tokens of felix (may choose one) and marco (may not)."""

import sys

import adbc_driver_flightsql.dbapi as flightsql
from adbc_driver_flightsql import DatabaseOptions

address, ca, felix, marco = sys.argv[1:]
HEADER = "adbc.flight.sql.rpc.call_header.meshgate-purpose"
COOKIES = "adbc.flight.sql.rpc.with_cookie_middleware"
OPTION = "adbc.flight.sql.session.option.meshgate.purpose"
PURPOSE = "fraud-investigation"
MARGINS = "select margin from sales.orders where order_id <= 1008 order by order_id"
checks = 0


def check(condition, what):
    global checks
    assert condition, what
    checks += 1


def connect(token, **options):
    with open(ca, encoding="utf-8") as file:
        options[DatabaseOptions.TLS_ROOT_CERTS.value] = file.read()
    options[DatabaseOptions.AUTHORIZATION_HEADER.value] = f"Bearer {token}"
    return flightsql.connect(f"grpc+tls://{address}", db_kwargs=options, autocommit=True)


def rows(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def refusal(call):
    try:
        found = call()
    except Exception as error:  # the driver has several classes
        return str(error)
    raise AssertionError(f"should be refused and gave {found}")


# By call header.
with connect(felix, **{HEADER: PURPOSE}) as connection:
    check(len(rows(connection, MARGINS)) == 8, "margins by header")
    found = rows(connection, "select purpose, purposes from mesh.system.whoami")
    check(found == [(PURPOSE, [PURPOSE])], found)
    check("leave the header out" in refusal(lambda: rows(connection, "RESET meshgate.purpose")), "the header wins")

with connect(felix) as connection:
    message = refusal(lambda: rows(connection, MARGINS))
    check(f"works for `{PURPOSE}`" in message, message)
    # This client keeps no cookies.
    for sql in [f"SET meshgate.purpose = '{PURPOSE}'", "RESET meshgate.purpose"]:
        message = refusal(lambda: rows(connection, sql))
        check("send the header `meshgate-purpose`" in message, message)
    message = refusal(lambda: connection.adbc_connection.set_options(**{OPTION: PURPOSE}))
    check("send the header `meshgate-purpose`" in message, message)

# By session option, and by statement, where the client keeps cookies.
with connect(felix, **{COOKIES: "true"}) as connection:
    connection.adbc_connection.set_options(**{OPTION: PURPOSE})
    check(connection.adbc_connection.get_option(OPTION) == PURPOSE, "the option is told")
    check(len(rows(connection, MARGINS)) == 8, "margins by option")
    rows(connection, "RESET meshgate.purpose")
    check(f"works for `{PURPOSE}`" in refusal(lambda: rows(connection, MARGINS)), "reset")
    refusal(lambda: connection.adbc_connection.set_options(**{OPTION: "nothing"}))
    check(f"works for `{PURPOSE}`" in refusal(lambda: rows(connection, MARGINS)), "not set")
    rows(connection, f"SET meshgate.purpose = '{PURPOSE}'")
    check(len(rows(connection, MARGINS)) == 8, "margins by statement")
    # Another connection is another session.
    with connect(felix, **{COOKIES: "true"}) as other:
        check("works for" in refusal(lambda: rows(other, MARGINS)), "its own session")

# Who may not choose it.
for wrong in [PURPOSE, "nothing"]:
    with connect(marco, **{HEADER: wrong}) as connection:
        message = refusal(lambda: rows(connection, "select 1"))
        check("your token names no purpose" in message, message)
with connect(marco, **{COOKIES: "true"}) as connection:
    message = refusal(lambda: rows(connection, f"SET meshgate.purpose = '{PURPOSE}'"))
    check("your token names no purpose" in message, message)
    message = refusal(lambda: rows(connection, MARGINS))
    check("margin" in message and "works for" not in message, message)

print(f"purposes: {checks} checks")
