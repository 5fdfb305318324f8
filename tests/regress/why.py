#!/usr/bin/python3
"""why.py FOLDER SOURCES - what the differing tests of a run rely on that a server connection keeps for its session.

FOLDER is what `regress` has left of a suite, SOURCES the folder with its *.sql files. A line for each differing test:
its name, which kinds of session state its script makes outside of transactions (how often), and the first line that
is different. It reads the scripts by patterns, not by a parser: a help for reading diffs, not a verdict.
"""

import os
import re
import sys

import tally

# (word, statement's beginning or what it contains). A SET that says LOCAL ends with its transaction.
KINDS = (
    ("settings", r"^\s*(set(?!\s+(local|constraints|transaction|role|session\s+authorization))|reset(?!\s+(role|session)))\s"),
    ("role", r"^\s*(set|reset)\s+(session\s+|local\s+)?(role|session\s+authorization)\b"),
    ("set_config", r"\bset_config\s*\("),
    ("temp", r"^\s*create\s+(or\s+replace\s+)?(local\s+|global\s+)?(recursive\s+)?temp(orary)?\s|\binto\s+temp(orary)?\s|\bpg_temp\b"),
    ("prepare", r"^\s*(prepare(?!\s+transaction)|execute|deallocate)\s"),
    ("hold", r"\bwith\s+hold\b"),
    ("listen", r"^\s*(un)?listen\s"),
    ("sequences", r"\b(currval|lastval)\s*\("),
    ("locks", r"\bpg_(try_)?advisory_(un)?lock(?!_all)\w*\s*\("),
    ("load", r"^\s*load\s"),
    ("discard", r"^\s*discard\s"),
    ("backend", r"\bpg_backend_pid\s*\(|\bpg_my_temp_schema\s*\("),
    ("statistics", r"\bpg_stat_\w+"),
    ("snapshots", r"\bpg_export_snapshot\s*\("),
    ("seed", r"\bsetseed\s*\("),
    ("reconnects", r"^\\c(onnect)?\b"),
    ("gset", r"\\g(desc|exec|set)\b"),
)
PATTERNS = [(word, re.compile(pattern, re.I)) for word, pattern in KINDS]


def statements(text):
    """Roughly: pieces up to a semicolon, and lines of psql's own."""
    text = re.sub(r"--[^\n]*", "", text)
    for piece in re.split(r";|\n(?=\\)", text):
        if piece.strip():
            yield piece.strip()


def relies_on(path):
    counts, is_open = {}, False
    with open(path, encoding="utf-8", errors="replace") as f:
        text = f.read()
    for statement in statements(text):
        if re.match(r"(begin|start\s+transaction)\b", statement, re.I):
            is_open = True
        elif re.match(r"(commit|rollback|abort|end)\s*$", statement, re.I):
            is_open = False
        for word, pattern in PATTERNS:
            if pattern.search(statement) and not (is_open and word == "settings"):
                counts[word] = counts.get(word, 0) + 1
    return counts


def differences(path):
    """{test: its first changed lines} from regression.diffs."""
    with open(path, encoding="utf-8", errors="replace") as f:
        parts = re.split(r"(?m)^diff .*/(\S+?)(?:_\d)?\.out \S+/results/(\S+)\.out$", f.read())
    first = {}
    for name, hunks in zip(parts[2::3], parts[3::3]):
        changed = [line for line in hunks.split("\n") if line[:1] in "+-" and line[:3] not in ("+++", "---") and line[1:].strip()]
        errors = [line for line in changed if re.match(r"[+-](ERROR|FATAL)", line)]
        first[name] = (errors or changed or [""])[0]
    return first


def main():
    folder, sources = sys.argv[1:]
    said, first = tally.verdicts(os.path.join(folder, "run.out")), differences(os.path.join(folder, "regression.diffs"))
    for test in tally.scheduled(os.path.join(folder, "schedule")):
        if said.get(test) == "ok":
            continue
        path = os.path.join(sources, test + ".sql")
        counts = relies_on(path) if os.path.exists(path) else {}
        kinds = ", ".join(f"{word} {n}" for word, n in sorted(counts.items(), key=lambda item: -item[1]))
        print(f"{test} ({said.get(test, 'not reached')}): {kinds or '-'} | {first.get(test, '')[:90]}")


main()
