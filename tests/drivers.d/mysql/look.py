#!/usr/bin/python3
"""What the programs in Python share: features by their names, and what they see."""

import asyncio
import contextlib
import hashlib
import inspect
import os
import re

HOST, USER, PASSWORD, DATABASE, FOLDER, CA, OTHER_CA = (
    os.environ[f"MY_{name}"] for name in ("HOST", "USER", "PASSWORD", "DATABASE", "FOLDER", "CA", "OTHER_CA")
)
PORT = int(os.environ["MY_PORT"])
EMOJI = "ü – 漢字 – 🐬 – \\ ' \" \n%"
FEATURES = {}


def feature(work):
    FEATURES[work.__name__.strip("_")] = work
    return work


def see(*values):
    """One line; what is long, by its length and hash."""
    print(" ".join(short(v) for v in values), flush=True)


def short(value):
    if isinstance(value, str) and re.fullmatch(r"[a-z ]+|-", value):
        return value
    text = ascii(value)
    return text if len(text) < 2000 else f"{len(text)} {hashlib.md5(text.encode()).hexdigest()}"


@contextlib.contextmanager
def error(what="error"):
    """What the block is told."""
    try:
        yield
        see(what, "nothing")
    except Exception as e:
        see(what, *told(e))


def told(e):
    return type(e).__name__, e.args


def main(version):
    print("version", version)
    for name, work in FEATURES.items():
        print("begin", name)
        try:
            if inspect.iscoroutinefunction(work):
                asyncio.run(work())
            else:
                work()
        except Exception as e:
            print("raised", type(e).__name__, ascii(e.args)[:500], flush=True)
    print("end")
