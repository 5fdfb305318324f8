#!/usr/bin/python3
"""oracle.py FOLDER CORPUS [--list]: the statements of a corpus that gilmok calls reads, on the servers whose sockets are in FOLDER."""

import collections
import os
import re
import struct
import subprocess
import sys
import time

import psycopg

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "flow"))
from answers import answers, is_clean, shape  # noqa: E402

WANTED = 90  # per cent of what the standby runs
CLEAN_MIN = 5000  # reads that run: fewer, and something is wrong with the servers
CONF = """
[gilmok]
listen = 127.0.0.1:6999
client_auth = trust

[cluster main]

[node main/one]
host = {folder}
port = 5432

[database regression]
cluster = main
"""
QUERY = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(select|values|table|with)\b", re.I | re.S)


def connect(folder, port):
    server = psycopg.connect(host=folder, port=port, user="postgres", dbname="regression", autocommit=True)
    server.execute("set statement_timeout = '2s'; set lc_messages = 'C'; set max_parallel_workers_per_gather = 0")
    return server


def texts_of(path):
    data, at, found = open(path, "rb").read(), 0, []
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        text = data[at + 4:at + 4 + size]
        at += 4 + size
        try:
            found.append(text.decode())
        except UnicodeDecodeError:
            pass
    return [text for text in found if "\0" not in text]


def ask(folder, texts):
    conf = os.path.join(folder, "gilmok.conf")
    with open(conf, "w", encoding="utf-8") as out:
        out.write(CONF.format(folder=folder))
    command = [os.environ["GILMOK_BIN"], "route", "-c", conf, "-d", "regression", "-U", "postgres", "--null"]
    done = subprocess.run(command, input="".join(text + "\0" for text in texts).encode(), stdout=subprocess.PIPE, check=True)
    return [line.split("\t", 1) for line in done.stdout.decode().split("\n")[:-1]]


def catch_up(primary, standby):
    lsn = primary.execute("select pg_current_wal_insert_lsn()").fetchone()[0]
    end = time.monotonic() + 60
    while not standby.execute("select pg_last_wal_replay_lsn() >= %s::pg_lsn", [lsn]).fetchone()[0]:
        if time.monotonic() > end:
            sys.exit("the standby does not catch up")
        time.sleep(0.05)


def is_alike(primary, standby, text, reasons, counts):
    here, there = answers(primary, text), answers(standby, text)
    counts["run"] += is_clean(here)
    if here == there:
        return True
    again = answers(primary, text)
    is_fresh = "volatile, but" in reasons or "samples rows" in reasons
    if here == again and not is_fresh:
        return False
    counts["another answer each time"] += 1
    return is_clean(here) == is_clean(there) if is_fresh else shape(here) == shape(there)


def reconnected(servers, folder):
    """A statement may have ended its connection."""
    return [server if not server.closed and server.pgconn.status == psycopg.pq.ConnStatus.OK else connect(folder, port)
            for server, port in zip(servers, (5432, 5433))]  # fmt: skip


def main():
    folder, corpus = sys.argv[1:3]
    servers = [connect(folder, 5432), connect(folder, 5433)]
    if answers(servers[0], "select pg_is_in_recovery(), random()") == answers(servers[1], "select pg_is_in_recovery(), random()"):
        sys.exit("both servers are one")
    texts = texts_of(corpus)
    called = ask(folder, texts)
    if len(called) != len(texts):
        sys.exit(f"{len(texts)} texts, {len(called)} answers")
    catch_up(*servers)
    counts, words, exceptions, kept = collections.Counter(), collections.Counter(), [], []
    queries = reads = 0
    for text, (word, reasons) in zip(texts, called):
        words[word] += 1
        servers = reconnected(servers, folder)
        if word == "replica" and not is_alike(*servers, text, reasons, counts):
            exceptions.append((text, reasons))
    for text, (word, reasons) in zip(texts, called):
        if not QUERY.match(text):
            continue
        servers = reconnected(servers, folder)
        found = answers(servers[1], text)
        if not is_clean(found):
            continue
        queries += 1
        reads += word == "replica"
        if word != "replica":
            kept.append((reasons.split("; ")[0], text))
    print(f"{len(texts)} texts: " + ", ".join(f"{count} {word}" for word, count in words.most_common()))
    print(f"of the reads {counts['run']} run, {counts['another answer each time']} with another answer each time")
    for text, reasons in exceptions:
        print(f"EXCEPTION: {text!r}\n  {reasons}")
    print(f"{len(exceptions)} exceptions")
    by_reason = collections.Counter(re.sub(r"^(\w+)(?: \S+)? at \d+: ", r"\1: ", reason) for reason, _ in kept)
    percent = 100 * reads / queries
    print(f"the standby runs {queries} SELECT, VALUES, TABLE and WITH; {reads} are called reads, {percent:.1f} %")
    for reason, count in by_reason.most_common():
        print(f"  {count:5} kept: {reason}")
    if "--list" in sys.argv:
        for reason, text in sorted(kept):
            print(f"{reason} | {' '.join(text.split())}")
    return 1 if exceptions or percent < WANTED or counts["run"] < CLEAN_MIN else 0


if __name__ == "__main__":
    sys.exit(main())
