#!/usr/bin/python3
"""Fails when the areas that lines are logged under are not those that log_level accepts (proxy/config_keys.c)."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
USE = re.compile(r'\blog_(?:line|is_on)\(\s*[^;"]*?,\s*"(\w+)"|\bbuild\(&l, LOG_\w+, "(\w+)"')
TABLE = re.compile(r"log_areas\[\] = \{([^}]*)\}")


def main():
    used = {}
    for folder in ("base", "proxy"):
        for path in sorted((ROOT / folder).rglob("*.c")):
            for match in USE.finditer(path.read_text()):
                used.setdefault(match.group(1) or match.group(2), path.relative_to(ROOT))
    table = TABLE.search((ROOT / "proxy" / "config_keys.c").read_text())
    known = re.findall(r'"(\w+)"', table.group(1)) if table else []
    wrong = [f"{used[area]}: the area {area} is missing in config_keys.c" for area in sorted(used.keys() - set(known))]
    wrong += [f"config_keys.c: nothing is logged under {area}" for area in sorted(set(known) - used.keys())]
    if known != sorted(known):
        wrong.append("config_keys.c: the areas are not in order")
    print("\n".join([*wrong, f"{len(known)} areas, {len(wrong)} differences"]))
    return 1 if wrong or not known else 0


if __name__ == "__main__":
    sys.exit(main())
