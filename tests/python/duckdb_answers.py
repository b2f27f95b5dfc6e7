"""Answers the queries of queries.json in a folder over the Parquet files there, into answers.json.
A query that DuckDB does not answer has an `error` instead of rows.

    duckdb_answers.py FOLDER [SETTING=VALUE ..]
"""

import json
import pathlib
import sys

import duckdb

folder = pathlib.Path(sys.argv[1])
engine = duckdb.connect()
# NULL is the highest value, as in the mesh: it decides which rows a LIMIT leaves.
engine.execute("SET default_null_order = 'nulls_last_on_asc_first_on_desc'")
for setting in sys.argv[2:]:
    engine.execute(f"SET {setting}")
for file in folder.glob("*.parquet"):
    engine.execute(f"CREATE VIEW {file.stem} AS SELECT * FROM '{file}'")


def cell(value):
    return None if value is None else str(value)


def answered(query):
    try:
        rows = engine.execute(query["sql"]).fetchall()
    except duckdb.Error as error:
        return {**query, "error": str(error)}
    return {**query, "rows": [[cell(value) for value in row] for row in rows]}


queries = json.loads((folder / "queries.json").read_text())
(folder / "answers.json").write_text(json.dumps([answered(query) for query in queries]))
