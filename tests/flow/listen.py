#!/usr/bin/python3
"""`listen = shared`: clients that listen share their server connections, and hear what they would hear alone."""

import os
import random
import socket
import struct
import time
from collections import Counter

import pytest

import hearing
import pgwire
from flowtools import APP_DB, APP_PASSWORD, APP_USER, PRIMARY_PORT, in_threads, superuser
from harness import wait_for


def Listener(gilmok, **more):
    return hearing.Listener(gilmok.port, user=APP_USER, password=APP_PASSWORD, database=APP_DB, **more)


def end_all(*clients):
    for c in clients:
        c.end()


@pytest.fixture
def shared(start):
    return start(pool_size=2, database=["listen = shared", "queue_timeout = 5s"])


@pytest.fixture
def notify():
    """Past gilmok."""
    with superuser() as su:
        yield lambda channel, payload="": su.execute("select pg_notify(%s, %s)", [channel, payload])


def is_free(gilmok):
    """Nobody but the connection that listens is leased."""
    held = [r for r in gilmok.show("CLIENTS") if r["database"] == APP_DB and r["held_by"]]
    return not held


def settle(gilmok):
    wait_for(lambda: is_free(gilmok), what="clients without server connections")


def servers(gilmok, **where):
    return gilmok.show("SERVERS", database=APP_DB, **where)


def listening(gilmok):
    return [r for r in servers(gilmok) if r["application_name"] == "gilmok listens"]


def test_fifty_listen_in_a_pool_of_two(shared, notify):
    clients = [Listener(shared) for _ in range(50)]
    for i, c in enumerate(clients):
        c.do(f"listen all_of_us; listen group_{i % 5}")
    settle(shared)
    for i in range(20):
        notify("all_of_us", f"a{i}")
        notify(f"group_{i % 5}", f"g{i}")
    for i, c in enumerate(clients):
        want = [x for k in range(20) for x in [("all_of_us", f"a{k}")] + [(f"group_{k % 5}", f"g{k}")] * (k % 5 == i % 5)]
        assert c.hear(24) == want
    for c in clients:
        c.do("select 1")
    assert len(servers(shared)) == 2 and len(listening(shared)) == 1
    end_all(*clients)


def test_channels_are_heard_at_once_after_listen(shared, notify):
    one, two = Listener(shared), Listener(shared)
    one.do("listen x")
    notify("x", "1")
    two.do("listen x")
    notify("x", "2")
    one.do("listen y")
    notify("y", "3")
    assert one.hear(3) == [("x", "1"), ("x", "2"), ("y", "3")]
    assert two.hear(1) == [("x", "2")]
    end_all(one, two)


def test_each_payload_comes_once_whatever_is_notified_during_listen(shared):
    """Others notify without a pause while clients listen and unlisten: from LISTEN's answer on nothing lacks or comes twice."""
    begun, ended, done = [0, 0], [0, 0], []

    def talk(k):
        with superuser() as su:
            while len(done) < 4:
                n = begun[k] = begun[k] + 1
                su.execute("select pg_notify('c' || (%s %% 3), %s), pg_notify('c' || (%s %% 3), 'same')", [n, f"{k} {n}", n])
                ended[k] = n
        return begun[k]

    def numbers_of(heard, k):
        return [int(p.split()[1]) for _, p in heard if p.startswith(f"{k} ")]

    def check(heard, c, first, last):
        """`first`: begun before LISTEN was answered, may lack. `last`: ended by now, must not."""
        assert {channel for channel, _ in heard} <= {f"c{c}"}
        for k in 0, 1:
            ns = numbers_of(heard, k)
            if ns:
                assert ns == list(range(ns[0], ns[0] + 3 * len(ns), 3)), (k, ns)
                assert ns[0] <= first[k] + 3, (k, ns[0], first[k])
            must = [n for n in range(first[k] + 1, last[k] + 1) if n % 3 == c]
            assert set(must) <= set(ns), (k, ns, must)
        payloads = Counter(p for _, p in heard)
        assert abs(payloads["same"] - sum(len(numbers_of(heard, k)) for k in (0, 1))) <= 2

    def listen(client, rng):
        c = rng.randrange(3)
        client.do(f"listen c{c}" if rng.random() < 0.5 else f"do $$ begin execute 'listen c{c}'; end $$")
        first = list(begun)
        client.heard.clear()
        for _ in range(rng.randrange(4)):
            client.do("select 1") if rng.random() < 0.5 else client.hear(1000, rng.random() / 20)
        last = list(ended)
        end = time.monotonic() + 5
        while any(max(numbers_of(client.heard, k), default=first[k]) <= last[k] - 3 for k in (0, 1)) and time.monotonic() < end:
            client.hear(len(client.heard) + 1, 0.1)
        check(client.heard, c, first, [n - 3 for n in last])
        client.do(rng.choice(["unlisten *", f"unlisten c{c}", "discard all", f"begin; unlisten c{c}; commit"]))
        client.heard.clear()
        if rng.random() < 0.3:
            assert client.hears_nothing(), "a notification after UNLISTEN was answered"

    def listen_often(k):
        client, rng, rounds = Listener(shared, timeout=20), random.Random(k), 0
        end = time.monotonic() + 4
        while time.monotonic() < end:
            listen(client, rng)
            rounds += 1
        client.end()
        return rounds

    def work(i):
        if i < 2:
            return talk(i)
        try:
            return listen_often(i)
        finally:
            done.append(i)

    rounds = in_threads(6, work, seconds=60)
    print("notifications", rounds[:2], "rounds", rounds[2:])
    assert min(rounds[2:]) > 5


def test_a_rollback_takes_listen_back(shared, notify):
    one = Listener(shared)
    one.do("listen kept")
    settle(shared)
    one.do("begin; listen x"), one.do("rollback")
    one.do("begin"), one.do("unlisten kept"), one.do("rollback")
    one.do("begin"), one.do("unlisten *"), one.do("rollback")
    one.do("begin"), one.do("savepoint s"), one.do("unlisten kept"), one.do("rollback to s"), one.do("listen y"), one.do("commit")
    settle(shared)
    notify("x"), notify("kept", "1"), notify("y", "2")
    assert one.hear(2) == [("kept", "1"), ("y", "2")]
    assert one.hear(3, 0.3) == [("kept", "1"), ("y", "2")]
    end_all(one)


@pytest.mark.parametrize(
    "sql",
    ["unlisten x", "unlisten *", "discard all", "begin; unlisten x; commit", "do $$ begin execute 'unlisten x'; end $$",
     "begin; do $$ begin execute 'unlisten *'; end $$; commit"],
)  # fmt: skip
@pytest.mark.parametrize("extended", [False, True])
def test_unlisten(shared, notify, sql, extended):
    if extended and sql.startswith("begin"):
        pytest.skip("one statement a Parse")
    one, two = Listener(shared), Listener(shared)
    one.do("listen x"), two.do("listen x")
    settle(shared)
    if extended:
        one.send(pgwire.parse(sql) + pgwire.bind() + pgwire.execute() + pgwire.SYNC)
        assert not one.collect().errors
    else:
        one.do(sql)
    notify("x", "1")
    assert two.hear(1) == [("x", "1")]
    assert one.hears_nothing()
    settle(shared)
    one.do("listen x")
    notify("x", "2")
    assert one.hear(1) == [("x", "2")]
    end_all(one, two)


@pytest.mark.parametrize("end", ["rollback", "commit and chain"])
def test_unlisten_behind_the_end_of_a_failed_transaction(shared, notify, end):
    """In the same group: the ROLLBACK is on its way when the UNLISTEN is looked at."""
    one = Listener(shared)
    one.do("listen x"), one.do("listen y")
    settle(shared)
    one.do("begin"), one.query("select 1/0")
    one.send(b"".join(pgwire.parse(sql) + pgwire.bind() + pgwire.execute() for sql in (end, "unlisten x")) + pgwire.SYNC)
    assert not one.collect().errors
    one.do("commit")
    notify("x", "1"), notify("y", "2")
    assert one.hear(1) == [("y", "2")]
    assert one.hear(2, 0.3) == [("y", "2")]
    end_all(one)


def test_statements_one_by_one_in_a_transaction(shared, notify):
    one, two = Listener(shared), Listener(shared)
    one.do("listen a; listen b"), two.do("listen a; listen b")
    settle(shared)
    for sql in ("begin", "unlisten a", "select 1", "listen c", "commit"):
        one.do(sql)
    settle(shared)
    for sql in ("begin", "do $$ begin execute 'unlisten b'; execute 'listen d'; end $$", "commit"):
        two.do(sql)
    settle(shared)
    for channel in "abcd":
        notify(channel, channel)
    assert one.hear(2) == [("b", "b"), ("c", "c")]
    assert two.hear(2) == [("a", "a"), ("d", "d")]
    assert one.hear(3, 0.2) + two.hear(3, 0.2) == [("b", "b"), ("c", "c"), ("a", "a"), ("d", "d")]
    end_all(one, two)


def test_in_a_transaction_nothing_is_heard_until_its_end(shared, notify):
    one = Listener(shared)
    one.do("listen x")
    settle(shared)
    one.do("begin")
    notify("x", "1")
    assert one.hears_nothing()
    one.do("select 1")
    assert one.hears_nothing()
    one.do("commit")
    assert one.hear(1) == [("x", "1")]
    end_all(one)


def test_names_are_heard_as_they_are(shared, notify):
    one = Listener(shared)
    names = ['a"b', "Grün", "a b", "x" * 63, "select"]
    for name in names:
        one.do('listen "' + name.replace('"', '""') + '"')
    settle(shared)
    for name in names:
        notify(name, "ü" + name)
    assert one.hear(5) == [(n, "ü" + n) for n in names]
    one.do('unlisten "a""b"')
    notify('a"b', "late"), notify("select", "end")
    assert one.hear(6)[5:] == [("select", "end")]
    end_all(one)


def test_other_encodings_keep_their_connection(start, notify):
    g = start(pool_size=4, database=["listen = shared"])
    one, latin = Listener(g), Listener(g)
    one.do("listen x")
    settle(g)
    latin.do("set client_encoding = latin1"), latin.do("listen x")
    wait_for(lambda: g.show("CLIENTS", held_by="listen"), what="a client that keeps its connection")
    notify("x", "ü")
    assert one.hear(1) == [("x", "ü")]
    kind, body = "", b""
    latin.sock.settimeout(5)
    while b"\xfc" not in body:
        body += latin.sock.recv(100)
    assert body[0:1] == b"A"
    one.do("set client_encoding = latin1")
    notify("x", "plain")
    assert one.hear(2)[1] == ("x", "plain")
    notify("x", "ü")
    one.hear(3)
    assert one.last_words.sqlstate == "0A000" and "listen = pin" in one.last_words.fields["H"]
    end_all(one, latin)


def test_the_end_of_the_shared_connection_ends_those_who_listen(shared, notify):
    listeners, others = [Listener(shared) for _ in range(5)], [Listener(shared) for _ in range(5)]
    for c in listeners:
        c.do("listen x")
    settle(shared)
    listeners[0].do("begin")
    wait_for(lambda: listening(shared), what="the connection that listens")
    pid = int(listening(shared)[0]["remote_pid"])
    with superuser() as su:
        su.execute("select pg_terminate_backend(%s)", [pid])
    for c in listeners:
        c.hear(1)
        assert c.last_words and c.last_words.severity == "FATAL" and "listens" in c.last_words.fields["M"], c.last_words
    for c in others:
        c.do("select 1")
    again = Listener(shared)
    again.do("listen x")
    notify("x", "1")
    assert again.hear(1) == [("x", "1")]
    end_all(again, *listeners, *others)


def test_who_does_not_read_is_ended(shared, notify):
    deaf, good = Listener(shared), Listener(shared)
    deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    good.do("listen x"), deaf.do("listen x")
    settle(shared)
    in_txn = Listener(shared)
    in_txn.do("listen x")
    settle(shared)
    in_txn.do("begin")
    with superuser() as su:
        for i in range(3000):
            su.execute("select pg_notify('x', %s || repeat('x', 7000))", [str(i)])
            if i % 100 == 0:
                good.hear(10**6, 0.01)
    good.hear(3000)
    assert len(good.heard) == 3000
    in_txn.hear(1)
    assert in_txn.last_words.sqlstate == "54000"
    wait_for(lambda: len(shared.show("CLIENTS", database=APP_DB)) == 1, what="the end of the others")
    end_all(deaf, good, in_txn)


def test_the_connection_goes_back_when_nobody_listens(shared, notify):
    one = Listener(shared)
    one.do("listen x")
    settle(shared)
    wait_for(lambda: listening(shared), what="the connection that listens")
    one.do("unlisten *")
    wait_for(lambda: not listening(shared), seconds=10, what="the connection's return")
    assert servers(shared)
    one.do("listen x")
    notify("x", "1")
    assert one.hear(1) == [("x", "1")]
    end_all(one)
    wait_for(lambda: not listening(shared), seconds=10, what="the connection's return")


def test_pause_and_its_kin(shared, notify):
    one = Listener(shared)
    one.do("listen x")
    settle(shared)
    assert not shared.console("PAUSE").errors
    notify("x", "1")
    assert one.hear(1) == [("x", "1")]
    assert len(servers(shared)) == 1
    assert not shared.console("RESUME").errors
    assert not shared.console("RECONNECT").errors
    assert not shared.console("RELOAD").errors
    one.do("select 1")
    notify("x", "2")
    assert one.hear(2)[1] == ("x", "2")
    assert not shared.console("KILL").errors
    one.hear(3)
    assert one.last_words.sqlstate == "57P01"
    wait_for(lambda: not servers(shared), what="the end of the server connections")
    assert not shared.console("RESUME").errors
    end_all(one)


def test_own_state_stays_apart(shared, notify):
    """The connection that was the first listener's own is nobody's any more; what it had set follows it."""
    one = Listener(shared)
    one.do("set work_mem = '1234kB'"), one.do("listen x")
    settle(shared)
    assert one.ask("show work_mem") in ("1234kB", b"1234kB")
    assert one.ask("select count(*) from pg_listening_channels()") in ("0", b"0")
    one.do("create temp table mine (a int)"), one.do("listen y")
    wait_for(lambda: shared.show("CLIENTS", held_by="temporary objects"), what="the pin")
    notify("x", "1"), notify("y", "2")
    assert sorted(one.hear(2)) == [("x", "1"), ("y", "2")]  # by two connections
    one.do("drop table mine")
    settle(shared)
    end_all(one)


def test_a_pool_of_one_pins(start, notify):
    g = start(pool_size=1, database=["listen = shared"])
    one = Listener(g)
    one.do("listen x")
    time.sleep(0.3)
    assert g.show("CLIENTS", held_by="listen")
    notify("x", "1")
    assert one.hear(1) == [("x", "1")]
    end_all(one)


def test_pipelines(shared, notify):
    one = Listener(shared)
    one.send(b"".join(pgwire.query(q) for q in ("listen a", "begin", "listen b", "commit", "select 1", "unlisten a")))
    for _ in range(6):
        assert not one.collect().errors
    settle(shared)
    one.send(b"".join(pgwire.query(q) for q in ("begin", "unlisten b", "listen c", "commit", "select 1", "listen d")))
    for _ in range(6):
        assert not one.collect().errors
    settle(shared)
    for channel in "abcd":
        notify(channel, channel)
    assert one.hear(2) == [("c", "c"), ("d", "d")]
    assert one.hear(3, 0.3) == [("c", "c"), ("d", "d")]
    end_all(one)


@pytest.mark.parametrize("behind", [pgwire.query("listen b"), pgwire.parse("listen b") + pgwire.bind() + pgwire.execute() + pgwire.SYNC])
def test_what_comes_right_behind_an_unlisten_in_doubt(shared, notify, behind):
    """ROLLBACK TO looks like ROLLBACK: only gilmok's look tells that the UNLISTEN was committed, and the next text is there already."""
    one, other = Listener(shared), Listener(shared)
    one.do("listen a; listen d")
    other.do("listen d")
    settle(shared)
    for sql in ("begin", "unlisten d", "savepoint s", "rollback to s"):
        one.do(sql)
    one.send(pgwire.query("commit") + behind)
    for _ in range(2):
        assert not one.collect().errors
    settle(shared)
    for channel in "dba":
        notify(channel, "1")
    assert other.hear(1) == [("d", "1")]
    assert one.hear(2) == [("b", "1"), ("a", "1")] and one.hear(3, 0.2) == [("b", "1"), ("a", "1")]
    end_all(one, other)


def random_script(rng):
    """Statements about channels, in and out of transactions; never UNLISTEN * behind ROLLBACK TO (docs/compatibility.md)."""
    script, channels, has_star = [], "abcd", True

    def change():
        c = rng.choice(channels)
        what = rng.choice([f"listen {c}"] * 3 + [f"unlisten {c}"] * 2 + ["unlisten *"] * has_star)
        return what if rng.random() < 0.7 else f"do $$ begin execute '{what}'; end $$"

    for _ in range(rng.randrange(2, 6)):
        has_star = True
        if rng.random() < 0.5:
            script.append(rng.choice([change, change, lambda: "select 1", lambda: "discard all", lambda: "select 1/0"])())
            continue
        script.append("begin")
        points, has_star = 0, rng.random() < 0.3
        for _ in range(rng.randrange(5)):
            kind = rng.choice(["change", "change", "savepoint", "rollback to", "release", "error"])
            if kind == "savepoint":
                points += 1
                script.append(f"savepoint s{points}")
            elif kind in ("rollback to", "release") and points and not has_star:
                script.append(f"{kind} s{points}")
                points -= kind == "release"
            elif kind == "error" and points and not has_star:
                script += ["select 1/0", f"rollback to s{points}"]
            else:
                script.append(change())
        script.append(rng.choice(["commit", "commit", "rollback"]))
    return script


def play(client, script, rng):
    """In whatever pieces: one by one, or several at once; as simple queries, or extended ones with a Sync each or one for all,
    which then has no ROLLBACK (docs/compatibility.md)."""
    while script:
        n = rng.choice([1, 1, 1, 2, 3])
        piece, script = script[:n], script[n:]
        kind = rng.choice(["simple", "simple", "extended"] + ["pipeline"] * (not any("rollback" in sql for sql in piece)))
        if kind == "simple":
            messages = [pgwire.query(sql) for sql in piece]
        else:
            messages = [pgwire.parse(sql) + pgwire.bind() + pgwire.execute() for sql in piece]
            messages = [m + pgwire.SYNC for m in messages] if kind == "extended" else [b"".join(messages) + pgwire.SYNC]
        client.send(b"".join(messages))
        for _ in messages:
            client.collect()
        if rng.random() < 0.3:
            time.sleep(0.003)


def test_random_scripts_leave_the_same_channels(start, notify):
    """As on a connection of one's own, whatever is rolled back; while another client listens to the same channels."""
    seconds = float(os.environ.get("GILMOK_TEST_LISTEN_SECONDS", "4"))
    seed = int(os.environ.get("GILMOK_TEST_LISTEN_SEED", time.time()))
    g = start(pool_size=3, database=["listen = shared"])
    other = Listener(g)
    other.do("listen a; listen b; listen c; listen d")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seed += 1
        script = random_script(random.Random(seed))
        direct = hearing.Listener(PRIMARY_PORT, user=APP_USER, password=APP_PASSWORD, database=APP_DB)
        ours = Listener(g)
        for c in direct, ours:
            play(c, script, random.Random(seed))
            c.heard.clear()
        for channel in "abcd":
            notify(channel, str(seed))
        direct.do("select 1"), direct.do("select 1")  # before its answer the server tells what was notified
        ours.hear(max(1, len(direct.heard)), 2 if direct.heard else 0.02)
        ours.hear(4, 0.01)
        assert sorted(ours.heard) == sorted(direct.heard), f"{seed}: {script}, {ours.heard} instead of {direct.heard}"
        end_all(direct, ours)
    print("the last seed was", seed)
    end_all(other)


def cancel_request(port, key):
    """Sent, and not waited for."""
    s = socket.create_connection(("127.0.0.1", port), timeout=5)
    s.sendall(struct.pack(">II", 8 + len(key), 80877102) + key)
    return s


def test_cancels_around_unlisten(shared, notify):
    """The mark of the shared connection stays its own, whatever a client that leaves it is doing."""
    other, keeper = Listener(shared), Listener(shared)
    keeper.do("listen kept")
    settle(shared)
    one = Listener(shared)
    one.timeout = 5
    for i in range(150):
        one.query(f"listen a{i % 3}")
        socks = []
        one.send(pgwire.query("select 1"))
        socks.append(cancel_request(shared.port, one.key))
        one.collect()
        one.send(pgwire.query("unlisten *") if i % 4 == 0 else pgwire.query(f"unlisten a{i % 3}"))
        socks.append(cancel_request(shared.port, one.key))
        one.collect()
        one.query(f"listen b{i % 3}")
        one.query("unlisten *")
        for s in socks:
            s.close()
        if i % 10 == 0:
            other.do(f"listen c{i}")
            notify(f"c{i}", str(i))
            assert other.hear(i // 10 + 1)[-1] == (f"c{i}", str(i))
    notify("kept", "1")
    assert keeper.hear(1) == [("kept", "1")]
    end_all(one, other, keeper)
