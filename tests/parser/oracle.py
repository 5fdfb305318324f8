"""oracle.py - what comparing the parser with another judge of SQL takes, whichever judge it is: corpora, parser_facts,
disagreements, the listed exceptions among them, and printing."""

import collections
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

DEATHS_MAX = 20     # of parser_facts in one run; each is one text's
FACTS_SECONDS = 60  # for a whole corpus; a second does
EXAMPLES = 3        # of each kind of disagreement
GROUPS = 8          # kinds of disagreement that are shown of a class


def state_folder():
    return os.environ.get("GILMOK_STATE") or f"/var/tmp/gilmok-{os.getuid()}"


# ---- corpora: for each text its length as four bytes, little-endian, and its bytes --------------------------------------


def read_corpus(path):
    with open(path, "rb") as file:
        data = file.read()
    texts, at = [], 0
    while at < len(data):
        length, = struct.unpack_from("<I", data, at)
        texts.append(data[at + 4:at + 4 + length])
        at += 4 + length
    return texts


def write_corpus(file, texts):
    for text in texts:
        file.write(struct.pack("<I", len(text)) + text)
    file.flush()


# ---- parser_facts -----------------------------------------------------------------------------------------------------


def facts_of_ours(binary, options, texts):
    """A list of parser_facts' answers. A text that it dies on is answered with {"died": how}; it goes on behind it."""
    answers, deaths = [], 0
    while len(answers) < len(texts):
        with tempfile.NamedTemporaryFile() as corpus:
            write_corpus(corpus, texts[len(answers):])
            try:
                ran = subprocess.run([binary, *options, corpus.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     timeout=FACTS_SECONDS, check=False)
                out, how = ran.stdout, f"status {ran.returncode}: {ran.stderr[-500:].decode('utf-8', 'replace')}"
            except subprocess.TimeoutExpired as stopped:
                out, how = stopped.stdout or b"", f"no end after {FACTS_SECONDS} s"
        answers += [json.loads(line) for line in out.decode("utf-8", "replace").split("\n")[:-1]]
        if len(answers) < len(texts):
            answers.append({"died": how})
            deaths += 1
            if deaths == DEATHS_MAX:
                sys.exit(f"parser_facts died {deaths} times, last of text {len(answers) - 1}: {how}")
        elif ran.returncode != 0:
            sys.exit(f"parser_facts ended with {how}")
    return answers


def what_is_unknown(answer):
    """(position, reason) of the first statement that gilmok cannot read, or None."""
    for statement in answer["statements"]:
        if "unknown" in statement:
            return statement["unknown"]["position"], statement["unknown"]["reason"]
    return None


def bounds(statements):
    return [[s["start"], s["end"]] for s in statements]


# ---- disagreements and exceptions -------------------------------------------------------------------------------------


class Disagreement:
    def __init__(self, text, group, theirs, ours):
        self.text, self.group, self.theirs, self.ours = text, group, theirs, ours

    def key(self):
        return hashlib.sha256(self.text).hexdigest()[:16]


class Known:
    """A line of a list of exceptions: CLASS, tab, WHAT, tab, REASON. WHAT: text:HASH, like:REGEX (found in the text) or
    says:REGEX (found in the judge's message)."""

    def __init__(self, line, number, classes):
        parts = line.split("\t")
        self.number, self.used = number, 0
        if len(parts) != 3 or parts[0] not in classes or not parts[2]:
            sys.exit(f"exceptions, line {number}: CLASS, WHAT and REASON, with tabs between them")
        self.group, what, self.reason = parts
        self.how, _, self.what = what.partition(":")
        if self.how not in ("text", "like", "says") or not self.what:
            sys.exit(f"exceptions, line {number}: text:, like: or says:")

    def covers(self, disagreement):
        if self.how == "text":
            return disagreement.key() == self.what
        if self.how == "like":
            return re.search(self.what.encode(), disagreement.text, re.S) is not None
        return isinstance(disagreement.theirs, str) and re.search(self.what, disagreement.theirs) is not None


def read_exceptions(path, classes):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        lines = enumerate(file.read().split("\n"), 1)
        return [Known(line, number, classes) for number, line in lines if line and not line.startswith("#")]


def without_known(group, disagreements, exceptions):
    left = []
    for disagreement in disagreements:
        covering = [e for e in exceptions if e.group == group and e.covers(disagreement)]
        for exception in covering[:1]:
            exception.used += 1
        if not covering:
            left.append(disagreement)
    return left


# ---- printing ---------------------------------------------------------------------------------------------------------


def shorten(text, width=150):
    line = " ".join(text.decode("utf-8", "replace").split())
    return line if len(line) <= width else line[:width - 3] + "..."


def percent(part, whole):
    """Rounded down, so that 100.00 says all."""
    return f"{10000 * part // whole / 100:.2f} %" if whole else "-"


def show_class(group, disagreements, exceptions):
    listed = sum(e.used for e in exceptions if e.group == group)
    print(f"{group:<11}{len(disagreements):>6} disagreements" + (f", and {listed} listed exceptions" if listed else ""))
    groups = collections.defaultdict(list)
    for disagreement in disagreements:
        groups[disagreement.group].append(disagreement)
    in_order = sorted(groups.items(), key=lambda item: -len(item[1]))
    for name, members in in_order[:GROUPS]:
        print(f"    {len(members):>5}  {name[:140]}")
        for disagreement in members[:EXAMPLES]:
            print(f"             {shorten(disagreement.text)}")
    if len(in_order) > GROUPS:
        rest = sum(len(members) for _, members in in_order[GROUPS:])
        print(f"    {rest:>5}  of {len(in_order) - GROUPS} other kinds: --list {group}")


def list_class(judge, disagreements, limit):
    for disagreement in disagreements[:limit]:
        print(f"-- {disagreement.key()}  {disagreement.group}")
        print(f"-- {judge}: {json.dumps(disagreement.theirs)}")
        print(f"-- gilmok: {json.dumps(disagreement.ours)}")
        print(disagreement.text.decode("utf-8", "replace"), end="\n\n")
    print(f"-- {len(disagreements)} in all")
