"""Writes the tables of TPC-DS as Parquet into a folder, and beside them, as answers.json, the texts of the 99
queries with what DuckDB answers over these files.

    tpcds.py FOLDER SCALE
"""

import json
import pathlib
import sys

import duckdb
from duckdb_extensions import import_extension

folder, scale = pathlib.Path(sys.argv[1]), float(sys.argv[2])
import_extension("tpcds")


def write_tables():
    generator = duckdb.connect()
    generator.execute("LOAD tpcds")
    generator.execute(f"CALL dsdgen(sf={scale})")
    tables = [name for (name,) in generator.execute("SHOW TABLES").fetchall()]
    for table in tables:
        generator.execute(f"COPY {table} TO '{folder}/{table}.parquet' (FORMAT parquet)")
    texts = dict(generator.execute("SELECT query_nr, query FROM tpcds_queries()").fetchall())
    return tables, texts


def cell(value):
    return None if value is None else str(value)


def answers(tables, texts):
    engine = duckdb.connect()
    # NULL is the highest value, as in the mesh: it decides which rows a LIMIT leaves.
    engine.execute("SET default_null_order = 'nulls_last_on_asc_first_on_desc'")
    for table in tables:
        engine.execute(f"CREATE VIEW {table} AS SELECT * FROM '{folder}/{table}.parquet'")
    for number, text in sorted(texts.items()):
        rows = engine.execute(text).fetchall()
        yield {"number": number, "sql": text, "rows": [[cell(value) for value in row] for row in rows]}


tables, texts = write_tables()
(folder / "answers.json").write_text(json.dumps(list(answers(tables, texts))))
