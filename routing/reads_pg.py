#!/usr/bin/python3
"""Makes read_table.h, hash tables, from functions_pg.txt and reads_pg.txt: reads_pg.py FUNCTIONS_PG.TXT READS_PG.TXT TABLE.H"""
import sys

import name_table
from functions_pg import KINDS as EFFECTS

FUNCTIONS = ("fresh", "node", "ahead", "files", "acts", "writes", "large", "session", "runs", "setting", "uncallable")
RELATIONS = ("steady", "node", "ahead", "session")
OTHERS = {"setting everywhere": "settings", "type": "types", "operator": "operators"}


def read(path):
    """{table: {name: kind}}: names may stand in several tables."""
    tables = {"functions": {}, "relations": {}, **{table: {} for table in OTHERS.values()}}
    kinds = {kind: ("functions", kind) for kind in FUNCTIONS}
    kinds.update({f"relation {kind}": ("relations", kind) for kind in RELATIONS})
    kinds.update({kind: (table, "steady") for kind, table in OTHERS.items()})
    for name, kind in name_table.read_pairs(path, kinds):
        table, word = kinds[kind]
        if name in tables[table]:
            raise SystemExit(f"{path}: {name} is there twice")
        tables[table][name] = word
    return tables


def main():
    functions_path, reads_path, table_path = sys.argv[1:]
    tables = read(reads_path)
    for name, effect in name_table.read(functions_path, EFFECTS).items():
        if name in tables["functions"]:
            continue
        if effect != "clean":
            raise SystemExit(f"{reads_path}: {name} leaves something ({functions_path}), and is not there")
        tables["functions"][name] = "steady"
    with open(table_path, "w", encoding="ascii") as out:
        out.write("/* read_table.h - made by reads_pg.py from functions_pg.txt and reads_pg.txt. */\n")
        for table, names in tables.items():
            name_table.put(out, table, {name: f"READ_{kind.upper()}" for name, kind in names.items()})


if __name__ == "__main__":
    main()
