#!/usr/bin/python3
"""Makes a script that shows a difference as small as it gets: fewer steps, fewer clients, shorter texts, plainer clients."""

import time

from steps import Script, Step


def without_client(script, who):
    """The others keep their numbers in texts: what they write to is their own still."""
    return script.with_steps([s for s in script.steps if s.client != who])


def candidates(script):
    """Smaller scripts, the smallest first."""
    n = len(script.steps)
    present = {s.client for s in script.steps}
    for who in sorted(present) if len(present) > 1 else ():
        yield without_client(script, who)
    if len(script.clients) > max(present) + 1:
        yield Script(script.pool, script.clients[: max(present) + 1], script.steps, script.seed)
    size = n // 2
    while size:
        for at in range(0, n - size + 1, size):
            yield script.with_steps(script.steps[:at] + script.steps[at + size :])
        size //= 2
    for at, step in enumerate(script.steps):
        for command in shorter(step.command):
            yield script.with_steps([*script.steps[:at], Step(step.client, command, step.kinds, step.together), *script.steps[at + 1 :]])
        if step.together:
            yield script.with_steps([*script.steps[:at], Step(step.client, step.command, step.kinds), *script.steps[at + 1 :]])
    for who, client in enumerate(script.clients):
        if client != ("new", 45):
            yield Script(script.pool, [("new", 45) if i == who else c for i, c in enumerate(script.clients)], script.steps, script.seed)


def shorter(command):
    if command[0] in ("query", "prepare"):
        sql = command[-1]
        for mark in ("; ", ", "):
            parts = sql.split(mark)
            for drop in range(len(parts) if len(parts) > 1 else 0):
                yield (*command[:-1], mark.join(parts[:drop] + parts[drop + 1 :]))


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
