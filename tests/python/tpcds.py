"""Writes the tables of TPC-DS as Parquet into a folder, and beside them, as queries.json, the texts of the 99 queries.

    tpcds.py FOLDER SCALE
"""

import json
import pathlib
import sys

import duckdb
from duckdb_extensions import import_extension

folder, scale = pathlib.Path(sys.argv[1]), float(sys.argv[2])
import_extension("tpcds")
generator = duckdb.connect()
generator.execute("LOAD tpcds")
generator.execute(f"CALL dsdgen(sf={scale})")
for (table,) in generator.execute("SHOW TABLES").fetchall():
    generator.execute(f"COPY {table} TO '{folder}/{table}.parquet' (FORMAT parquet)")
texts = generator.execute("SELECT query_nr, query FROM tpcds_queries() ORDER BY query_nr").fetchall()
queries = [{"number": number, "sql": text} for number, text in texts]
(folder / "queries.json").write_text(json.dumps(queries))
