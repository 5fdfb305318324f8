#!/usr/bin/python3
"""Makes function_table.h, a hash table, from functions_pg.txt: functions_pg.py FUNCTIONS_PG.TXT TABLE.H

The hash is function_pg.c's: eight bytes at a time, little-endian, zeros behind the last ones.
"""
import sys

SLOTS = 8192
MASK = (1 << 64) - 1
MULTIPLIER = 0x9E3779B97F4A7C15
KINDS = ("clean", "leaves", "takes", "stays", "nextval", "currval", "lists", "set_config")
NAME_MAX = 63


def fail(number, text):
    sys.exit(f"functions_pg.txt:{number}: {text}")


def read(path):
    """{name: kind}"""
    functions, kind = {}, None
    for number, line in enumerate(open(path, encoding="ascii"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            kind = line.strip("[]")
            if kind not in KINDS:
                fail(number, f"no such kind: {kind}")
            continue
        for name in line.split():
            if kind is None or name in functions or len(name) > NAME_MAX:
                fail(number, f"{name}: no kind above it, there already, or too long")
            functions[name] = kind
    return functions


def slot_of(name):
    data = name.encode()
    value = len(data)
    for at in range(0, len(data), 8):
        value = (value ^ int.from_bytes(data[at:at + 8].ljust(8, b"\0"), "little")) * MULTIPLIER & MASK
        value ^= value >> 29
    return value >> 51


def main():
    source, table_path = sys.argv[1:]
    functions = read(source)
    slots = [None] * SLOTS
    for name in sorted(functions):
        at = slot_of(name)
        while slots[at]:
            at = (at + 1) % SLOTS
        slots[at] = name
    with open(table_path, "w", encoding="ascii") as out:
        out.write("/* function_table.h - made by functions_pg.py from functions_pg.txt. */\n")
        out.write(f"enum {{ FUNCTION_SLOTS = {SLOTS}, FUNCTION_NAME_MAX = {NAME_MAX} }};\n")
        out.write(f"#define FUNCTION_MULTIPLIER UINT64_C({MULTIPLIER:#x})\n")
        out.write("static const struct function_row function_rows[FUNCTION_SLOTS] = {\n")
        for at, name in enumerate(slots):
            if name:
                out.write(f'    [{at}] = {{"{name}", {len(name)}, FUNCTION_{functions[name].upper()}}},\n')
        out.write("};\n")


main()
