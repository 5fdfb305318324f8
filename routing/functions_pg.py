#!/usr/bin/python3
"""Makes function_table.h, a hash table, from functions_pg.txt: functions_pg.py FUNCTIONS_PG.TXT TABLE.H"""
import sys

import name_table

KINDS = ("clean", "leaves", "takes", "stays", "nextval", "currval", "lists", "set_config")


def main():
    source, table_path = sys.argv[1:]
    functions = name_table.read(source, KINDS)
    with open(table_path, "w", encoding="ascii") as out:
        out.write("/* function_table.h - made by functions_pg.py from functions_pg.txt. */\n")
        name_table.put(out, "functions", {name: f"FUNCTION_{kind.upper()}" for name, kind in functions.items()})


if __name__ == "__main__":
    main()
