#!/usr/bin/python3
"""What the programs in Python share: features by their names, and what they say about each."""

import asyncio
import contextlib
import inspect
import os
import sys

PORT, USER, PASSWORD, DATABASE = (os.environ[name] for name in ("PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"))
DEAD_PORT, CA, OTHER_CA = (os.environ[f"FEATURES_{name}"] for name in ("DEAD_PORT", "CA", "OTHER_CA"))
MOVES = os.environ["FEATURES_ROUTE"] != "direct"
TWO_PHASES = bool(os.environ["FEATURES_TWO_PHASES"])
FEATURES = {}


class Missing(Exception):
    """The driver, or this server, has no such thing."""


def feature(work):
    FEATURES[work.__name__.strip("_")] = work
    return work


def equal(got, expected):
    if got != expected:
        if isinstance(got, (list, tuple)) and isinstance(expected, (list, tuple)) and len(got) == len(expected):
            got, expected = next((a, b) for a, b in zip(got, expected) if a != b)
        raise AssertionError(f"got {str(got)[:200]}, not {str(expected)[:200]}")


@contextlib.contextmanager
def fails(sqlstate, kind=Exception):
    """The block raises an error with this SQLSTATE, or with this text."""
    try:
        yield
    except kind as e:
        found = getattr(e, "pgcode", None) or getattr(e, "sqlstate", None)
        if found != sqlstate and sqlstate not in str(e):
            raise AssertionError(f"error {found} {e}, not {sqlstate}") from e
        return
    raise AssertionError(f"no error {sqlstate}")


def moved(pids):
    """(client, server process) of what was asked: through gilmok, clients' statements were done by several; directly, by one."""
    if MOVES != (len(pids) > len({client for client, _ in pids})):
        raise AssertionError(f"statements were done by {len(pids)} server processes")


def main(version):
    print("version", version, flush=True)
    for name in sys.argv[1:] or list(FEATURES):
        if name not in FEATURES:
            continue
        print("begin", name, flush=True)
        try:
            work = FEATURES[name]
            if inspect.iscoroutinefunction(work):
                asyncio.run(asyncio.wait_for(work(), 30))
            else:
                work()
            said = "ok"
        except Missing:
            said = "-"
        except Exception as e:
            said = "failed " + " ".join(f"{type(e).__name__} {e}".split())[:400]
        print(name, said, flush=True)
    print("end", flush=True)
