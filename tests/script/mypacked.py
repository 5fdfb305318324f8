#!/usr/bin/python3
"""MySQL's compressed packets in Python: how they are packed and unpacked, and a client that speaks them behind its login."""

import ctypes
import functools
import ssl
import struct
import zlib

import mywire
from mywire import COMPRESS, SSL, Closed

LEAST = 50  # shorter ones go as they are


@functools.cache
def libzstd():
    lib = ctypes.CDLL("libzstd.so.1")
    lib.ZSTD_compressBound.restype = lib.ZSTD_compress.restype = lib.ZSTD_decompress.restype = ctypes.c_size_t
    lib.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
    lib.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    lib.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    return lib


def zstd_pack(data, level=3):
    out = ctypes.create_string_buffer(libzstd().ZSTD_compressBound(len(data)))
    size = libzstd().ZSTD_compress(out, len(out), data, len(data), level)
    return out.raw[:size]


def zstd_unpack(data, size):
    out = ctypes.create_string_buffer(size + 1)
    assert libzstd().ZSTD_decompress(out, len(out), data, len(data)) == size
    return out.raw[:size]


def packed(payload, number=0, plain=0, size=None):
    """One compressed packet; `plain`: what it says that it unpacks to, `size`: that its payload is so long."""
    return (len(payload) if size is None else size).to_bytes(3, "little") + bytes([number & 255]) + plain.to_bytes(3, "little") + payload


def pack(data, number=0, how=COMPRESS, level=6, least=LEAST, raw=False):
    if raw or len(data) < least:
        return packed(data, number)
    return packed(zlib.compress(data, min(level, 9)) if how == COMPRESS else zstd_pack(data, level), number, len(data))


class Client(mywire.Client):
    """`unit`: it packs so many bytes at a time."""

    def __init__(self, *args, how=COMPRESS, level=3, unit=0xFFFFFF, tls=False, caps=mywire.KINDS["new"], **more):
        self.how, self.zstd_level, self.unit, self.tls, self.is_packed = how, level, unit, tls, False
        self.number, self.arrived, self.heads = 0, b"", []
        super().__init__(*args, caps=caps | how, **more)

    def login(self, user, password, db, collation, plugin):
        if self.tls:
            self.caps |= SSL
            self.send(mywire.packet(struct.pack("<IIB23x", self.caps, 1 << 30, collation), self.seq))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.sock = context.wrap_socket(self.sock)
            self.seq += 1
        super().login(user, password, db, collation, plugin)
        self.is_packed = self.welcome[:1] == b"\0"

    def send(self, data, number=0, raw=False):
        if not self.is_packed:
            super().send(data)
            return
        out = []
        for at in range(0, len(data), self.unit):
            out.append(pack(data[at : at + self.unit], number, self.how, self.zstd_level, raw=raw))
            number += 1
        self.number = number & 255
        self.send_bytes(b"".join(out))

    def send_bytes(self, data):
        """As they are."""
        self.sock.sendall(data)

    def receive(self, count):
        while len(self.arrived) < count:
            data = self.sock.recv(1 << 20)
            if not data:
                raise Closed(self.arrived)
            self.arrived += data
        out, self.arrived = self.arrived[:count], self.arrived[count:]
        return out

    def unpack(self):
        """The next compressed packet, whose number must follow; `self.number` None: it may have any."""
        head = self.receive(7)
        self.number = head[3] if self.number is None else self.number
        size, plain = int.from_bytes(head[:3], "little"), int.from_bytes(head[4:], "little")
        assert head[3] == self.number, (head, self.number)
        self.number = (self.number + 1) & 255
        self.heads.append((size, plain))
        payload = self.receive(size)
        if not plain:
            return payload
        out = zlib.decompress(payload) if self.how == COMPRESS else zstd_unpack(payload, plain)
        assert len(out) == plain and size < plain
        return out

    def take(self, count):
        if not self.is_packed:
            return super().take(count)
        while len(self.kept) < count:
            self.kept += self.unpack()
        out, self.kept = self.kept[:count], self.kept[count:]
        return out
