#!/usr/bin/python3
"""Makes a script that shows a difference as small as it gets: fewer steps, fewer clients, fewer items, shorter texts."""

import time

from steps import MOVER, Step

NEEDED = "SHcfdXM"  # without them a step would wait for ever


def without_client(script, who):
    steps = [Step(s.client - (s.client > who), s.items, s.kinds) for s in script.steps if s.client != who]
    smaller = script.with_steps(steps)
    smaller.clients = [c for i, c in enumerate(script.clients) if i != who]
    return smaller


def candidates(script):
    """Smaller scripts, the smallest first."""
    n = len(script.steps)
    if len(script.clients) > 1:
        for who in range(len(script.clients)):
            yield without_client(script, who)
    size = n // 2
    while size:
        for at in range(0, n - size + 1, size):
            yield script.with_steps(script.steps[:at] + script.steps[at + size :])
        size //= 2
    for at, step in enumerate(script.steps):
        if step.client == MOVER:
            continue
        for items in fewer_items(step.items):
            yield script.with_steps([*script.steps[:at], Step(step.client, items, step.kinds), *script.steps[at + 1 :]])
    for who, startup in enumerate(script.clients):
        if len(startup) > 1:
            smaller = script.with_steps(script.steps)
            smaller.clients = [{"user": c["user"]} if i == who else c for i, c in enumerate(script.clients)]
            yield smaller


def fewer_items(items):
    for at, item in enumerate(items):
        if item[0] == "B":
            # An Execute without its Bind might meet a portal that a failed Query has left, which PostgreSQL 15 does not always survive.
            if not any(i[0] == "E" for i in items[at:]):
                yield items[:at] + items[at + 1 :]
        elif item[0] not in NEEDED and len(items) > 1:
            yield items[:at] + items[at + 1 :]
        if item[0] == "S" and at + 1 < len(items):
            yield items[:at] + items[at + 1 :]
        if item[0] == "Q" and "; " in item[1]:
            parts = item[1].split("; ")
            for drop in range(len(parts)):
                yield items[:at] + [("Q", "; ".join(parts[:drop] + parts[drop + 1 :]))] + items[at + 1 :]


def shrink(script, differs, seconds):
    """The smallest script found in that time for which differs(script) still holds."""
    end = time.monotonic() + seconds
    again = True
    while again and time.monotonic() < end:
        again = False
        for smaller in candidates(script):
            if time.monotonic() > end:
                break
            if smaller.steps and differs(smaller):
                script, again = smaller, True
                break
    return script
