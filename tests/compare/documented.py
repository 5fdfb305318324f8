#!/usr/bin/python3
"""Differences that docs/compatibility.md says there may be, told one by one: what a script shows of them is counted apart."""

import re

import pgwire


def code(messages, at):
    """The SQLSTATE of an error there; "" of anything else."""
    return pgwire.error_fields(messages[at][1]).get("C", "") if at < len(messages) and messages[at][0] == "E" else ""


def kind(messages, at):
    return messages[at][0] if at < len(messages) else ""


def texts_of(script, difference):
    """What the names of the client's statements stand for, at the end of the step: {name: text}."""
    texts = {}
    for step in script.steps[: difference.number + 1]:
        if step.client != difference.step.client:
            continue
        for item in step.items:
            if item[0] == "X":
                texts = {}
            elif item[0] == "P":
                texts.setdefault(item[1], []).append(item[2].strip().lower())
    return texts


def describes_an_execute(script, d):
    """Describe of an EXECUTE tells what its name stands for now, not when it was parsed."""
    if kind(d.expected, d.at) not in ("T", "n") or kind(d.got, d.at) not in ("T", "n"):
        return False
    texts = texts_of(script, d)
    described = [i[2] for i in d.step.items if i[:2] == ("D", "S")]
    return any(t.startswith("execute") for name in described for t in texts.get(name, ()))


def unnamed_behind_discard_all(script, d):
    """26000 for the unnamed statement behind a DISCARD ALL in the same pipeline: brought in front of it, under a name."""
    if code(d.got, d.at) != "26000" or code(d.expected, d.at) == "26000":
        return False
    texts, has_discarded = texts_of(script, d), False
    for item in d.step.items:
        if item[0] == "B" and item[2] == "" and has_discarded:
            return True
        if item[0] == "B" and any("discard all" in t for t in texts.get(item[2], ())):
            has_discarded = True
    return False


def name_taken_once_more(script, d):
    """No 42P05 for a name that is taken, of a client that is kept on its connection and parses a text that names statements."""
    if code(d.expected, d.at) != "42P05" or kind(d.got, d.at) != "1":
        return False
    return any(i[0] == "P" and i[2].strip().lower().startswith(("prepare", "execute", "deallocate", "explain")) for i in d.step.items)


def executed_behind_a_rollback(script, d):
    """26000 for an EXECUTE in the same Query behind the ROLLBACK of a failed transaction, on a connection that lacks the statement."""
    if code(d.got, d.at) != "26000" or code(d.expected, d.at) == "26000":
        return False
    return any(i[0] == "Q" and re.search(r"\b(rollback|commit|abort|end)\b.*;.*\bexecute\b", i[1], re.I | re.S) for i in d.step.items)


def position_inside_an_execute(script, d):
    """The position of an error inside what EXECUTE runs counts from another beginning."""
    if code(d.expected, d.at) == "" or code(d.expected, d.at) != code(d.got, d.at):
        return False
    a, b = (pgwire.error_fields(m[d.at][1]) for m in (d.expected, d.got))
    differ = [k for k in {*a, *b} if a.get(k) != b.get(k)]
    return differ == ["P"] and any("execute" in i[-1].lower() for i in d.step.items if i[0] in "QP")


def snapshot_for_a_plan(script, d):
    """25001 for SET TRANSACTION, or none: the server has read a statement anew whose table has changed, in the transaction at hand."""
    if {code(d.expected, d.at), code(d.got, d.at)} != {"", "25001"} or "C" not in (kind(d.expected, d.at), kind(d.got, d.at)):
        return False
    describes = any(i[0] == "D" for step in script.steps[: d.number] if step.client == d.step.client for i in step.items)
    return describes and any("isolation level" in i[-1].lower() for i in d.step.items if i[0] in "QP")


def snapshot_for_sequences(script, d):
    """25001 for SET TRANSACTION behind what may move sequences and has not run: what others have left of them was discarded."""
    if code(d.got, d.at) != "25001" or kind(d.expected, d.at) != "C":
        return False
    is_it = any("isolation level" in i[-1].lower() for i in d.step.items if i[0] in "QP")
    before = [i for step in script.steps[: d.number] if step.client == d.step.client for i in step.items]
    return is_it and any(i[0] == "B" or (i[0] == "Q" and "\\" in i[1]) for i in before[-4:])


def executes_what_names_statements(script, d):
    """0A000 for an EXECUTE of a prepared statement that is itself a PREPARE, EXECUTE or DEALLOCATE: refused in gilmok's own words."""
    return code(d.got, d.at) == "0A000" and b"a prepared statement that is itself a PREPARE" in d.got[d.at][1] and "prepare" in script.kinds()


def hidden_by_a_temporary_table(script, d):
    """No 0A000 for a statement whose table a new temporary one hides: the connection has had temporary objects before."""
    is_it = code(d.expected, d.at) == "0A000" and b"cached plan" in d.expected[d.at][1] and kind(d.got, d.at) in ("2", "T", "D", "C")
    return is_it and bool(script.kinds() & {"temp", "hidden_pin"})


def prepared_by_the_same_text(script, d):
    """26000 for what functions execute by a name that the same query string prepares or deallocates."""
    if kind(d.got, d.at) != "D" or b"26000" not in d.got[d.at][1] or kind(d.expected, d.at) != "D":
        return False
    return any(i[0] == "Q" and ";" in i[1] and re.search(r"\b(prepare|deallocate)\b", i[1], re.I) for i in d.step.items)


ALL = (describes_an_execute, unnamed_behind_discard_all, name_taken_once_more, executed_behind_a_rollback, position_inside_an_execute,
       snapshot_for_a_plan, snapshot_for_sequences, executes_what_names_statements, hidden_by_a_temporary_table,
       prepared_by_the_same_text)  # fmt: skip


def kind_of(script, difference):
    """Which of them a difference is, in a sentence; None: none of them."""
    if not hasattr(difference.step, "items"):
        return None
    return next((each.__doc__ for each in ALL if each(script, difference)), None)
