#!/usr/bin/python3
"""Makes function_my_table.h, a hash table, from functions_my.txt: functions_my.py FUNCTIONS_MY.TXT TABLE.H

The head of a section is a kind and, behind `mysql` and `mariadb`, the version from which on such a server has its names, and behind
a dash the one from which on it has them no longer.
"""
import sys

import name_table

KINDS = ("plain", "adjacent", "lock", "last_insert_id", "row_count", "found_rows", "lastval")
OLDEST = {"mysql": "50700", "mariadb": "100200"}


def section_of(head):
    """The initializer of a struct function_section, or None when the head is none."""
    kind, *rest = head.split()
    if kind not in KINDS or len(rest) % 2 or set(rest[::2]) - OLDEST.keys():
        return None
    spans = dict(zip(rest[::2], rest[1::2])) if rest else OLDEST
    ends = [(spans.get(server, "UINT32_MAX") + "-UINT32_MAX").split("-")[:2] for server in OLDEST]
    since, until = (", ".join(of_all) for of_all in zip(*ends))
    return f"{{FUNCTION_MY_{kind.upper()}, {{{since}}}, {{{until}}}}}"


class Heads(list):
    """Every head that is one, in the order in which they turn up."""

    def __contains__(self, head):
        if not super().__contains__(head) and section_of(head):
            self.append(head)
        return super().__contains__(head)


def main():
    source, table_path = sys.argv[1:]
    heads = Heads()
    functions = name_table.read(source, heads)
    with open(table_path, "w", encoding="ascii") as out:
        out.write("/* function_my_table.h - made by functions_my.py from functions_my.txt. */\n")
        out.write(f"static const struct function_section function_my_sections[{len(heads) + 1}] = {{\n    {{0}},\n")
        for head in heads:
            out.write(f"    {section_of(head)},\n")
        out.write("};\n")
        name_table.put(out, "functions_my", {name: heads.index(head) + 1 for name, head in functions.items()})


if __name__ == "__main__":
    main()
