#!/usr/bin/python3
"""A client that notes the notifications it hears. Knows nothing of gilmok."""

import socket
import struct
import time

import pgwire


class Listener(pgwire.Client):
    """Notes what it hears, whatever comes between."""

    def __init__(self, port, **more):
        super().__init__(port, **more)
        self.heard, self.last_words = [], None
        self.login()

    def has_message(self):
        return len(self.buffer) >= 5 and len(self.buffer) > struct.unpack(">I", self.buffer[1:5])[0]

    def read_any(self):
        """The next message, None when it was a notification. A timeout leaves in the buffer what is there."""
        while not self.has_message():
            self.fill()
        kind, body = super().read()
        if kind != "A":
            return kind, body
        channel, payload = body[4:-1].split(b"\0")
        self.heard.append((channel.decode(), payload.decode()))
        return None

    def read(self):
        while not (got := self.read_any()):
            pass
        return got

    def do(self, sql):
        got = self.query(sql)
        assert not got.errors, got.errors
        return got

    def hear(self, count, seconds=5):
        """Until so many have come, or the time is over, or the end has."""
        end = time.monotonic() + seconds
        self.timeout = 0.05
        while len(self.heard) < count and time.monotonic() < end:
            try:
                if got := self.read_any():
                    assert got[0] in "EN", got
                    self.last_words = pgwire.PgError(got[1])
            except socket.timeout:
                pass
            except pgwire.Closed:
                break
        self.timeout = 5
        return self.heard

    def hears_nothing(self):
        return self.hear(len(self.heard) + 1, 0.3) == []
