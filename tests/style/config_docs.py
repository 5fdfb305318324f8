#!/usr/bin/python3
"""Fails when docs/configuration.md and the table in proxy/config_keys.c do not tell the same.

Compared for each key: its section, its default, and whether a reload changes it.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ROW = re.compile(r'^    \{CONFIG_(\w+), "(\w+)", KEY_\w+, "([^"]*)",.* (RELOAD|RESTART), "[^"]+"\},$', re.M)


def table_keys():
    text = (ROOT / "proxy" / "config_keys.c").read_text()
    keys = {(kind.lower(), name): (default, change.lower()) for kind, name, default, change in ROW.findall(text)}
    written = len(re.findall(r"^    \{CONFIG_", text, re.M))
    if not keys or written != len(keys):
        sys.exit(f"config_keys.c: {written} rows, of which {len(keys)} can be read or are unique")
    return keys


def docs_keys():
    keys = {}
    section = name = None
    for number, line in enumerate((ROOT / "docs" / "configuration.md").read_text().splitlines(), 1):
        if line.startswith("## "):
            match = re.match(r"## \[(\w+)", line)
            section, name = (match.group(1) if match else None), None
        elif line.startswith("### "):
            match = re.fullmatch(r"### `(\w+)`", line)
            if not section or not match:
                sys.exit(f"configuration.md:{number}: a ### heading is a key in a section's chapter")
            name = (section, match.group(1))
            if name in keys:
                sys.exit(f"configuration.md:{number}: {name[1]} stands twice in [{section}]")
            keys[name] = None
        else:
            match = re.fullmatch(r"- Kind: \w+\. Default: (?:`([^`]+)`|none)\. Change: (\w+)\.", line)
            if match and name:
                keys[name] = (match.group(1) or "", match.group(2))
    return keys


def main():
    table, docs = table_keys(), docs_keys()
    wrong = []
    for key in sorted(table.keys() | docs.keys()):
        label = f"[{key[0]}] {key[1]}"
        if key not in docs:
            wrong.append(f"{label}: missing in docs/configuration.md")
        elif key not in table:
            wrong.append(f"{label}: described in docs/configuration.md, but no such key in proxy/config_keys.c")
        elif table[key] != docs[key]:
            wrong.append(f"{label}: the table says {table[key]}, docs/configuration.md says {docs[key]}")
    for line in wrong:
        print(line)
    print(f"{len(table)} keys, {len(wrong)} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
