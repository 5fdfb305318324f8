#!/usr/bin/python3
"""Runs `BIN check -c FILE` over tests/golden/config/*.case and compares what it prints.

A case is one text file:

    == gilmok.conf                  a file, with mode and owner when they matter:
    == users.txt 0640 owner=65534   (default 0600; the case is skipped when not root)
    == bad.conf escaped             \\xNN stands for a byte
    == env NAME=VALUE               @DIR@ is the temporary directory
    == expected 1                   exit status and output, to the end

Paths in the output are relative, as each case runs inside its own temporary copy.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CASES = Path(__file__).resolve().parent / "config"


def split(text):
    """The case's parts as (header words, body)."""
    parts = []
    for line in text.splitlines(keepends=True):
        if line.startswith("== "):
            parts.append((line[3:].split(), []))
        elif parts:
            parts[-1][1].append(line)
    return [(words, "".join(body)) for words, body in parts]


def write_file(folder, words, body):
    """False when the file cannot be given its owner."""
    path = folder / words[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    data = body.encode()
    mode = 0o600
    for word in words[1:]:
        if word == "escaped":
            data = re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m.group(1), 16)]), data)
        elif word.startswith("owner="):
            if os.geteuid() != 0:
                return False
        else:
            mode = int(word, 8)
    path.write_bytes(data)
    path.chmod(mode)
    for word in words[1:]:
        if word.startswith("owner="):
            os.chown(path, int(word[6:]), -1)
    return True


def run_case(binary, case, update):
    """None when right or skipped, else what differs."""
    text = case.read_text()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        want = None
        for words, body in split(text):
            if words[0] == "expected":
                want = (int(words[1]), body)
            elif words[0] == "env":
                key, value = words[1].split("=", 1)
                env[key] = value.replace("@DIR@", name)
            elif not write_file(folder, words, body):
                return None
        done = subprocess.run([binary, "check", "-c", "gilmok.conf"], cwd=folder, env=env, timeout=20,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        got = (done.returncode, done.stdout.decode(errors="replace").replace(name, "@DIR@"))
    if done.stderr:
        return "standard error: " + done.stderr.decode(errors="replace")
    if update:
        case.write_text(text.split("== expected")[0] + f"== expected {got[0]}\n{got[1]}")
        return None
    if want is None:
        return "has no expected part"
    if got != want:
        return f"expected {want[0]}:\n{want[1]}got {got[0]}:\n{got[1]}"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--update", action="store_true", help="rewrite the expected parts")
    args = parser.parse_args()
    binary = str(Path(args.binary).resolve())
    cases = sorted(CASES.glob("*.case"))
    failures = 0
    for case in cases:
        wrong = run_case(binary, case, args.update)
        if wrong:
            failures += 1
            print(f"FAILED {case.name}: {wrong}")
    print(f"{len(cases)} cases, {failures} failed")
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
