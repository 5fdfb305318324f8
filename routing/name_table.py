"""Hash tables of names for name_table.h: the hash is that header's, eight bytes at a time, little-endian, zeros behind the last."""

import re

MASK = (1 << 64) - 1
MULTIPLIER = 0x9E3779B97F4A7C15
NAME_MAX = 63


def slot_of(name, bits):
    data = name.encode()
    value = len(data)
    for at in range(0, len(data), 8):
        value = (value ^ int.from_bytes(data[at:at + 8].ljust(8, b"\0"), "little")) * MULTIPLIER & MASK
        value ^= value >> 29
    return value >> (64 - bits)


def put(out, table, names):
    """Writes `static const struct name_table TABLE`. names: {name: the C constant that stands for it}"""
    bits = (3 * len(names) - 1).bit_length()
    slots = [None] * (1 << bits)
    for name in sorted(names):
        at = slot_of(name, bits)
        while slots[at]:
            at = (at + 1) % len(slots)
        slots[at] = name
    out.write(f"static const struct name_row {table}_rows[{len(slots)}] = {{\n")
    for at, name in enumerate(slots):
        if name:
            out.write(f'    [{at}] = {{"{name}", {len(name)}, {names[name]}}},\n')
    out.write("};\n")
    out.write(f"static const struct name_table {table} = {{{table}_rows, {bits}}};\n")


def read_pairs(path, kinds):
    """The names of a text file below a line [kind] each, as pairs; a name with a space stands in quotes. Wrong lines end the program."""
    kind = None
    for number, line in enumerate(open(path, encoding="ascii"), 1):
        line = line.strip()
        if not line or line == "#" or line.startswith("# "):
            continue
        if line.startswith("["):
            kind = line.strip("[]")
            if kind not in kinds:
                raise SystemExit(f"{path}:{number}: no such kind: {kind}")
            continue
        for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', line):
            name = quoted or plain
            if kind is None or len(name) > NAME_MAX:
                raise SystemExit(f"{path}:{number}: {name}: no kind above it, or too long")
            yield name, kind


def read(path, kinds):
    """The same as {name: kind}: each name once."""
    found = {}
    for name, kind in read_pairs(path, kinds):
        if name in found:
            raise SystemExit(f"{path}: {name} is there twice")
        found[name] = kind
    return found
