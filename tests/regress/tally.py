#!/usr/bin/python3
"""tally.py RUN.OUT SCHEDULE DIFFERS SUITE [WHERE...] - what pg_regress said of each test of a schedule, in a few words.

The first line begins with two numbers for the caller: tests, and those that differ, or did not come to their end, though the file
DIFFERS does not name them. WHERE are that file's words for what was tried; `-` allows all.
"""

import re
import sys
import textwrap


def scheduled(path):
    with open(path, encoding="utf-8") as f:
        for line in f:
            words = line.removeprefix("test:").split()
            if words and not line.startswith(("#", "ignore:")):
                yield from words


def verdicts(path):
    """{test: ok, differs or hangs}. A test that was ended from outside took too long."""
    found = {}
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            m = re.match(r"(?:test|    ) *(\S+) +\.\.\. (ok|FAILED|failed)(.*)", line)
            if m:
                is_hung = "terminated by signal" in m[3]
                found[m[1]] = "ok" if m[2] == "ok" else "hangs" if is_hung else "differs"
    return found


def allowed(path, suite, where):
    """The tests of a suite that may differ there; each is named in the file with a reason."""
    with open(path, encoding="utf-8") as f:
        rows = [line.split(maxsplit=3) for line in f if line.strip() and not line.startswith("#")]
    assert all(len(r) == 4 for r in rows), "suite, test, where, why"
    return {r[1] for r in rows if r[0] == suite and r[2] in where}


def main():
    out, schedule, differs, suite, *where = sys.argv[1:]
    said, tests = verdicts(out), list(scheduled(schedule))
    differ = [t for t in tests if said.get(t) == "differs"]
    hung = [t for t in tests if said.get(t) == "hangs"]
    unreached = [t for t in tests if t not in said]
    known = set(tests) if "-" in where else allowed(differs, suite, where)
    wrong = [t for t in tests if said.get(t) != "ok" and t not in known]
    parts = [f"{len(tests)} tests, {len(differ)} differ"]
    if hung:
        parts.append(f"{len(hung)} hang")
    if unreached:
        parts.append(f"{len(unreached)} not reached")
    print(len(tests), len(wrong), ", ".join(parts))
    for what, names in (("differ", differ), ("hang", hung), ("not reached", unreached), ("not allowed", wrong)):
        if names:
            print("\n".join(textwrap.wrap(f"{what}: {' '.join(names)}", 120, subsequent_indent="  ", break_on_hyphens=False)))


if __name__ == "__main__":
    main()
