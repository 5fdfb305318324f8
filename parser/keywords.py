#!/usr/bin/python3
"""Makes keyword_list.h and keyword_table.h from keywords.txt: keywords.py KEYWORDS.TXT LIST.H TABLE.H

The hash table is open addressing over the word's first 16 bytes with bit 0x20 set in each: what keyword.c does with
a word of unknown case. A multiplier is searched that keeps the longest probe short; the search is deterministic.
"""
import sys

FIRST = 256  # keywords follow the token kinds (token.h)
SLOTS = 4096
WORD_MAX = 32
MASK = (1 << 64) - 1

PG = {"U": "KEYWORD_COLUMN | KEYWORD_FUNCTION", "C": "KEYWORD_COLUMN", "T": "KEYWORD_FUNCTION", "R": ""}
MYSQL = {"c": "KEYWORD_COLUMN", "l": "KEYWORD_LABEL", "a": "KEYWORD_TABLE_ALIAS", "f": "KEYWORD_FUNCTION", "r": ""}


def fail(number, text):
    sys.exit(f"keywords.txt:{number}: {text}")


def uses(number, letters, is_pg):
    """The C expression of a keyword's bits."""
    bits = ["KEYWORD_KNOWN"]
    if is_pg:
        if letters[0] not in PG or letters[1:] not in ("", "!"):
            fail(number, f"PostgreSQL standing {text}: one of U C T R, then ! or nothing")
        bits.append(PG[letters[0]])
        if not letters.endswith("!"):
            bits.append("KEYWORD_LABEL")
    else:
        for letter in letters:
            if letter not in MYSQL:
                fail(number, f"standing {text}: letters of c l a f, or r")
            bits.append(MYSQL[letter])
    return " | ".join(bit for bit in bits if bit)


def standing(number, text, is_pg):
    """(its bits, the version it is a keyword from on or 0, its bits before the dialect's change, that version or 0)"""
    if text == "-":
        return "0", 0, "0", 0
    letters, _, since = text.partition("@")
    before, _, letters = letters.rpartition(",")
    now = uses(number, letters, is_pg)
    if before:
        return now, 0, uses(number, before, is_pg), int(since)
    if since:
        now += " | KEYWORD_VERSIONED"
    return now, int(since or 0), now, 0


def change_of(rows, column):
    """The one version at which keywords of a dialect change their standing."""
    versions = {row[column][3] for row in rows} - {0}
    if len(versions) > 1:
        sys.exit(f"keywords.txt: standings change at several versions of one dialect: {sorted(versions)}")
    return versions.pop() if versions else 0


def read(path):
    rows = []
    for number, line in enumerate(open(path, encoding="ascii"), 1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        if len(fields) != 4:
            fail(number, "four fields: word, PostgreSQL, MariaDB, MySQL")
        if len(fields[0]) > WORD_MAX:
            fail(number, f"longer than {WORD_MAX} bytes")
        if rows and fields[0] <= rows[-1][0]:
            fail(number, "not in order")
        rows.append((fields[0], *(standing(number, f, i == 0) for i, f in enumerate(fields[1:]))))
    return rows


def parts(word):
    data = bytes(b | 0x20 for b in word.encode()).ljust(WORD_MAX, b"\0")
    return [int.from_bytes(data[i:i + 8], "little") for i in range(0, WORD_MAX, 8)]


def slot_of(words, length, m):
    h = (words[0] ^ (words[1] >> 3) ^ (length << 56)) * m & MASK
    return h >> 52


def table(rows):
    best = None
    m = 0x9E3779B97F4A7C15
    for _ in range(300):
        m = (m * 6364136223846793005 + 1442695040888963407) & MASK | 1
        slots, worst, total = [0] * SLOTS, 0, 0
        for index, row in enumerate(rows):
            words = parts(row[0])
            at, probes = slot_of(words, len(row[0]), m), 0
            while slots[at]:
                at, probes = (at + 1) % SLOTS, probes + 1
            slots[at] = FIRST + index
            worst, total = max(worst, probes), total + probes
        if best is None or (worst, total) < best[:2]:
            best = (worst, total, m, slots)
    return best[2], best[3]


def write_dialect(out, rows, name, column):
    def write_uses(table_name, field):
        out.write(f"static const uint8_t {table_name}[KEYWORD_END] = {{\n")
        for index, row in enumerate(rows):
            out.write(f"    [{FIRST + index}] = {row[column][field]},\n")
        out.write("};\n")

    write_uses(f"keyword_uses_{name}", 0)
    change = change_of(rows, column)
    if change:
        out.write(f"enum {{ KEYWORD_CHANGE_{name.upper()} = {change} }};\n")
        write_uses(f"keyword_uses_{name}_before", 2)
    out.write(f"static const uint32_t keyword_since_{name}[KEYWORD_END] = {{\n    [0] = 0,\n")
    for index, row in enumerate(rows):
        if row[column][1]:
            out.write(f"    [{FIRST + index}] = {row[column][1]},\n")
    out.write("};\n")


def main():
    source, list_path, table_path = sys.argv[1:]
    rows = read(source)
    with open(list_path, "w", encoding="ascii") as out:
        out.write("/* keyword_list.h - made by keywords.py from keywords.txt. */\n#ifndef GILMOK_PARSER_KEYWORD_LIST_H\n")
        out.write(f"#define GILMOK_PARSER_KEYWORD_LIST_H\nenum keyword {{\n    KEYWORD_FIRST = {FIRST},\n")
        for index, row in enumerate(rows):
            out.write(f"    KW_{row[0].upper()} = {FIRST + index},\n")
        out.write(f"    KEYWORD_END = {FIRST + len(rows)},\n}};\n#endif\n")
    multiplier, slots = table(rows)
    with open(table_path, "w", encoding="ascii") as out:
        out.write("/* keyword_table.h - made by keywords.py from keywords.txt. */\n")
        out.write(f"enum {{ KEYWORD_SLOTS = {SLOTS}, KEYWORD_WORD_MAX = {WORD_MAX} }};\n")
        out.write(f"#define KEYWORD_MULTIPLIER UINT64_C({multiplier:#x})\n")
        out.write("static const uint16_t keyword_slots[KEYWORD_SLOTS] = {\n")
        for i in range(0, SLOTS, 16):
            out.write("    " + " ".join(f"{s}," for s in slots[i:i + 16]) + "\n")
        out.write("};\nstatic const struct keyword_row keyword_rows[KEYWORD_END - KEYWORD_FIRST] = {\n")
        for word, pg, maria, mysql in rows:
            words = ", ".join(f"UINT64_C({w:#x})" for w in parts(word))
            out.write(f'    {{{{{words}}}, "{word}", {len(word)}}},\n')
        out.write("};\n")
        for name, column in (("pg", 1), ("mariadb", 2), ("mysql", 3)):
            write_dialect(out, rows, name, column)


if __name__ == "__main__":
    main()
