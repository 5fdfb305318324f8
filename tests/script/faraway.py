#!/usr/bin/python3
"""A server that is not on this machine must prove that it knows the password; only loopback may do without.

Runs in a network namespace of its own, where an address that is not of loopback stands on the loopback device.
"""

import ctypes
import fcntl
import multiprocessing
import os
import socket
import struct
import traceback

import harness
import pgwire
import pytest

FAR = "192.0.2.7"  # kept for documentation (RFC 5737): nobody's
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCSIFADDR, SIOCSIFFLAGS = 0x8916, 0x8914
IFF_UP, IFF_RUNNING = 0x1, 0x40


def enter_namespace():
    """False when this machine allows no namespaces."""
    flags = CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        return False
    address = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(FAR))
    try:
        with socket.socket() as s:
            fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP | IFF_RUNNING))
            fcntl.ioctl(s, SIOCSIFADDR, struct.pack("16s16s", b"lo:1", address))
    except OSError:
        return False
    return True


class Far(harness.Gilmok):
    """gilmok whose server stands at an address that is not of loopback."""

    def write(self, name, text):
        super().write(name, text.replace("host = 127.0.0.1", f"host = {FAR}").replace("[cluster main]", "[cluster main]\nserver_tls = disable"))


def listen(handler, address):
    server = harness.Server(handler=handler) if handler else harness.Server(password="app-password")
    server.sock.close()
    server.sock = socket.create_server((address, 0), backlog=16)
    server.port = server.sock.getsockname()[1]
    harness.threading.Thread(target=server.accept, daemon=True).start()
    return server


def trusting(wire):
    wire.read_first()
    wire.send(harness.GREETING)
    wire.read()


def check_trust_is_refused():
    gilmok = Far(listen(trusting, FAR).port)
    try:
        with pytest.raises(pgwire.PgError) as refused:
            gilmok.login()
        assert refused.value.sqlstate == "08001"
        assert "let us in without SCRAM" in str(refused.value)
    finally:
        gilmok.close()


def check_proof_is_accepted():
    gilmok = Far(listen(None, FAR).port)
    try:
        client = gilmok.login()
        assert client.ask("far away") == "far away"
        client.end()
    finally:
        gilmok.close()


def check_no_password_in_clear():
    """server_auth allows it, and nobody could say who listens."""

    def asking(wire):
        wire.read_first()
        wire.send(pgwire.auth(3))
        heard.append(wire.read())

    heard = []
    gilmok = Far(listen(asking, FAR).port, cluster=["server_auth = password"])
    try:
        with pytest.raises(pgwire.PgError, match="without TLS that is verified"):
            gilmok.login()
        assert heard == []
    finally:
        gilmok.close()


def check_trust_on_loopback():
    gilmok = harness.Gilmok(listen(trusting, "127.0.0.1").port)
    try:
        gilmok.login().end()
    finally:
        gilmok.close()


class Wide(harness.Gilmok):
    """gilmok that listens everywhere at its start; its configuration says so until it is written anew."""

    def write(self, name, text):
        super().write(name, text.replace("listen = 127.0.0.1", "listen = 0.0.0.0") if not os.path.exists(f"{self.dir}/{name}") else text)


def check_trust_stays_on_this_machine():
    """A reload brings trust, and a listener that a restart would end goes on."""
    gilmok = Wide(listen(None, "127.0.0.1").port)
    try:
        gilmok.write("gilmok.conf", gilmok.text.replace("admin_users", "client_auth = trust\nadmin_users"))
        gilmok.process.send_signal(1)
        harness.wait_for(lambda: "reloaded" in gilmok.said(), what="the reload")
        client = gilmok.login()
        assert client.method == "ok"
        client.end()
        far = pgwire.Wire(socket.create_connection((FAR, gilmok.port), source_address=(FAR, 0)))
        far.send(pgwire.startup({"user": "app", "database": "shop"}))
        kind, body = far.read()
        assert kind == "E" and pgwire.error_fields(body)["C"] == "28000", (kind, body)
        far.end()
    finally:
        gilmok.close()


class Unsaid(harness.Gilmok):
    """gilmok with a server far away, about which nothing is said but where it is; and clients wherever gilmok itself looks for them."""

    def write(self, name, text):
        lines = [line for line in text.split("\n") if not line.startswith("listen =")]
        super().write(name, "\n".join(lines).replace("host = 127.0.0.1", f"host = {FAR}"))


def check_defaults_are_for_this_machine():
    """Nothing listens beyond loopback; nothing leaves for beyond it without TLS that is verified."""

    def no_tls(wire):
        heard.append(wire.take(8))
        wire.send(b"N")
        heard.append(wire.take(1))

    heard = []
    kept, harness.free_port = harness.free_port, lambda: 6432
    try:
        gilmok = Unsaid(listen(no_tls, FAR).port)
    finally:
        harness.free_port = kept
    try:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((FAR, 6432), timeout=2)
        client = gilmok.client()
        client.authenticate()
        assert client.method == "scram"
        got = client.collect()
        assert got.errors[0].sqlstate == "08001" and "TLS" in str(got.errors[0]), got.errors
        assert heard == [pgwire.SSL_REQUEST], "it went on in clear"
    finally:
        gilmok.close()


def child(check, answer):
    try:
        if not enter_namespace():
            answer.send("skip")
            return
        check()
        answer.send("")
    except BaseException:
        answer.send(traceback.format_exc())


CHECKS = [
    check_trust_is_refused,
    check_proof_is_accepted,
    check_no_password_in_clear,
    check_trust_stays_on_this_machine,
    check_trust_on_loopback,
    check_defaults_are_for_this_machine,
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.cve("T-AUTHMATRIX CVE-2025-46801", "T-DOWN rogue server", "T-STRIP CVE-2015-3152", "BAR 36 console", "BAR 37 logins", "BAR 38 TLS")
def test_far_away(check):
    here, there = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=child, args=(check, there))
    process.start()
    assert here.poll(30), "no answer"
    said = here.recv()
    process.join(10)
    if said == "skip":
        pytest.skip("this machine allows no network namespaces")
    assert not said, said
