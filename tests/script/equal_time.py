#!/usr/bin/python3
"""Whether a user exists cannot be told from how long a refusal takes (Welch's t over interleaved logins)."""

import base64
import gc
import os
import random
import statistics
import struct
import time

import harness
import pgwire
import pytest

# How many refused logins of each kind; the bound of |t| is the one customary for leaks of time.
COUNT = int(os.environ.get("GILMOK_TEST_TIMINGS", "1500"))
T_MAX = 4.5


@pytest.fixture(scope="module", params=["scram-sha-256", "md5", "password"])
def plain(request):
    path = harness.release_bin()
    if not path:
        pytest.skip("times are taken in a build without sanitizers (GILMOK_RELEASE_BIN)")
    server = harness.Server()
    users = {f"known{i}": f"password {i}" for i in range(8)}
    gilmok = harness.Gilmok(server.port, binary=path, users=users, main=[f"client_auth_socket = {request.param}"], socket=True)
    gilmok.method = request.param
    yield gilmok
    gilmok.close()
    server.close()


def password_refusal(client, user):
    """Nanoseconds from a wrong password to the refusal."""
    salt = client.expect("R")[4:]
    sent = pgwire.md5_response(user, "wrong", salt) if salt else "wrong"
    a = time.perf_counter_ns()
    client.send(pgwire.message("p", pgwire.cstr(sent)))
    kind, body = client.read()
    b = time.perf_counter_ns()
    assert kind == "E" and pgwire.error_fields(body)["C"] == "28P01"
    client.end()
    return b - a, 0


def refusal(gilmok, user):
    """Nanoseconds from client-first to server-first, and from a wrong proof to the refusal."""
    client = pgwire.Client(f"{gilmok.dir}/.s.PGSQL.{gilmok.port}", user=user)
    client.send_startup()
    if gilmok.method != "scram-sha-256":
        return password_refusal(client, user)
    client.expect("R")
    scram = pgwire.ScramClient("wrong")
    initial = scram.initial()
    a = time.perf_counter_ns()
    client.send(initial)
    first = client.expect("R")[4:].decode()
    b = time.perf_counter_ns()
    nonce = first.split(",", 1)[0][2:]
    final = pgwire.message("p", f"c=biws,r={nonce},p={base64.b64encode(os.urandom(32)).decode()}".encode())
    c = time.perf_counter_ns()
    client.send(final)
    kind, body = client.read()
    d = time.perf_counter_ns()
    assert kind == "E" and pgwire.error_fields(body)["C"] == "28P01"
    client.end()
    return b - a, d - c


def welch(a, b):
    """Student's t without the slowest tenth, which is the machine's doing and not the code's."""
    limit = sorted(a + b)[int(len(a + b) * 0.9)]
    a, b = [x for x in a if x <= limit], [x for x in b if x <= limit]
    spread = statistics.variance(a) / len(a) + statistics.variance(b) / len(b)
    if not spread:
        return 0.0  # a step that the method does not have
    return (statistics.mean(a) - statistics.mean(b)) / spread**0.5


def compare(gilmok):
    """t of both steps."""
    times = {True: ([], []), False: ([], [])}
    gc.disable()
    try:
        for _ in range({"scram-sha-256": COUNT, "md5": COUNT // 2, "password": COUNT // 5}[gilmok.method]):
            for is_known in random.sample([True, False], 2):  # side by side, so that a drift of the machine meets both
                user = ("known" if is_known else "gnome") + str(random.randrange(8))
                for store, taken in zip(times[is_known], refusal(gilmok, user)):
                    store.append(taken)
    finally:
        gc.enable()
    for step in (0, 1):
        middle = [statistics.median(times[k][step]) / 1000 for k in (True, False)]
        print(f"step {step}: known {middle[0]:.1f} us, unknown {middle[1]:.1f} us")
    return [welch(times[True][step], times[False][step]) for step in (0, 1)]


@pytest.mark.cve("T-CT CVE-2026-6478", "T-ENUM PgBouncer 1.15")
def test_unknown_users_take_as_long_as_wrong_passwords(plain):
    for i in range(8):
        refusal(plain, f"known{i}")
    tried = []
    for _ in range(3):  # the machine may have stumbled; a difference in the code comes every time
        tried.append(compare(plain))
        print("t =", tried[-1])
        if all(abs(t) < T_MAX for t in tried[-1]):
            return
    raise AssertionError(f"t of both steps, three times: {tried}")
