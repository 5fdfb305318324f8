"""Certificates for tests, made as they run."""

import os
import ssl
import subprocess

import pgwire


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


class Authority:
    """A certificate authority in a folder of its own; keys may be read by `owner` alone."""

    def __init__(self, folder, name):
        self.folder, self.crt, self.key = folder, f"{folder}/{name}.crt", f"{folder}/{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-keyout", self.key, "-out", self.crt)  # fmt: skip
        os.chmod(self.crt, 0o644)

    def issue(self, name, owner, alt="IP:127.0.0.1,DNS:localhost", subject=None, new_key=("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")):
        crt, key, request, extra = (f"{self.folder}/{name}.{end}" for end in ("crt", "key", "csr", "ext"))
        with open(extra, "w", encoding="ascii") as f:
            f.write(f"subjectAltName={alt}\n")
        openssl("req", "-newkey", *new_key, "-nodes", "-subj", subject or f"/CN={name}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-days", "2", "-in", request, "-CA", self.crt, "-CAkey", self.key, "-CAcreateserial", "-extfile", extra,
                "-out", crt)  # fmt: skip
        os.chmod(key, 0o600)
        os.chmod(crt, 0o644)
        if owner is not None:
            os.chown(key, owner, -1)
        return crt, key


def wrap_client(ca, pair=None):
    """For pgwire.Client(wrap=...): TLS with a server that `ca` vouches for, and our certificate `pair` if any."""
    context = ssl.create_default_context(cafile=ca.crt)
    if pair:
        context.load_cert_chain(*pair)

    def wrap(sock):
        sock.sendall(pgwire.SSL_REQUEST)
        answer = sock.recv(1)
        assert answer == b"S", answer
        return context.wrap_socket(sock, server_hostname="127.0.0.1")

    return wrap
