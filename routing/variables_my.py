#!/usr/bin/python3
"""Makes variable_my_table.h, a hash table, from variables_my.txt: variables_my.py VARIABLES_MY.TXT TABLE.H"""
import sys

import name_table

KINDS = ("plain", "isolation", "next", "insert_id")


def main():
    source, table_path = sys.argv[1:]
    variables = name_table.read(source, KINDS)
    with open(table_path, "w", encoding="ascii") as out:
        out.write("/* variable_my_table.h - made by variables_my.py from variables_my.txt. */\n")
        name_table.put(out, "variables_my", {name: f"VARIABLE_MY_{kind.upper()}" for name, kind in variables.items()})


if __name__ == "__main__":
    main()
