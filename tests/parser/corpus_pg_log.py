#!/usr/bin/python3
"""corpus_pg_log.py LOG SCHEDULE CORPUS - the distinct statements that a PostgreSQL server's JSON log tells of.

Their order is that of the schedule's tests and of time within a test, so that two runs, whose tests race each other,
make the same corpus. A corpus is, for each text, its length as four bytes, little-endian, and its bytes.
"""

import json
import re
import struct
import sys

STATEMENT = re.compile(r"(?s)(?:duration: [0-9.]+ ms  )?(?:statement|(?:parse|bind|execute) [^:\n]*): (.*)")


def statement_of(entry):
    """The statement that a line of the log tells of, or None."""
    if "statement" in entry:
        return entry["statement"]
    found = STATEMENT.fullmatch(entry.get("message", "")) if entry["error_severity"] == "LOG" else None
    return found.group(1) if found else None


def tests_in_order(path):
    names = []
    for line in open(path):
        kind, _, rest = line.partition(":")
        if kind.strip() == "test":
            names += rest.split()
    return {"pg_regress/" + name: place for place, name in enumerate(names)}


def main(log, schedule, corpus):
    place_of = tests_in_order(schedule)
    said = []
    # What a statement says in bytes that are no UTF-8 (a database may have another encoding) must survive as it is.
    for number, line in enumerate(open(log, encoding="utf-8", errors="surrogateescape")):
        entry = json.loads(line)
        if entry.get("backend_type") != "client backend":
            continue
        text = statement_of(entry)
        if text is not None:
            said.append((place_of.get(entry.get("application_name"), len(place_of)), number, text))
    said.sort()
    distinct = dict.fromkeys(text for _, _, text in said)
    with open(corpus, "wb") as out:
        for text in distinct:
            data = text.encode("utf-8", errors="surrogateescape")
            out.write(struct.pack("<I", len(data)) + data)
    print(f"{len(said)} logged, {len(distinct)} distinct statements")


if __name__ == "__main__":
    main(*sys.argv[1:])
