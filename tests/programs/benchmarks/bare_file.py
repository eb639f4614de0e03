"""One end of a file copy in its simplest form, for `benchmarks.files`.

    bare_file tls|sealed|plain send|receive PORT PATH

`tls`: the standard library's TLS 1.3, nothing else. `sealed`: records of 1 MiB under AES-GCM, the
file hashed with BLAKE3 at both ends; no handshake, no file names. `plain`: the bytes. The receiver
makes the file durable; each end prints its CPU seconds as JSON, the receiver also the seconds from
the accepted connection to then.
"""

import datetime
import json
import os
import resource
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import blake3
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PIECE_BYTES = 2**20
TAG_BYTES = 16
KEY = bytes(16)


def main(arguments: list[str]) -> int:
    """One end of the connection, with its socket."""
    how, role, port, path = arguments
    with open(path, "rb" if role == "send" else "wb", buffering=0) as file:
        if role == "send":
            with socket.create_connection(("127.0.0.1", int(port))) as sock:
                before_s = _cpu_s()
                _send(how, sock, file.fileno())
            took_s = 0.0
        else:
            with socket.create_server(("127.0.0.1", int(port))) as listener:
                print("listening", flush=True)
                sock, _ = listener.accept()
            start_s, before_s = time.monotonic(), _cpu_s()
            with sock:
                _receive(how, sock, file.fileno())
            os.fsync(file.fileno())
            took_s = time.monotonic() - start_s
    print(json.dumps({"s": took_s, "cpu_s": _cpu_s() - before_s}), flush=True)
    return 0


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _send(how: str, sock: socket.socket, fd: int) -> None:
    if how == "sealed":
        _send_sealed(sock, fd)
        return
    if how == "tls":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        sock = context.wrap_socket(sock)
    buffer = memoryview(bytearray(PIECE_BYTES))
    while got := os.readv(fd, [buffer]):
        sock.sendall(buffer[:got])
    if isinstance(sock, ssl.SSLSocket):
        sock.unwrap()


def _receive(how: str, sock: socket.socket, fd: int) -> None:
    if how == "sealed":
        _receive_sealed(sock, fd)
        return
    if how == "tls":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with _certificate() as pem:
            context.load_cert_chain(pem)
        sock = context.wrap_socket(sock, server_side=True)
    buffer = memoryview(bytearray(PIECE_BYTES))
    while got := sock.recv_into(buffer):
        _write(fd, buffer[:got])
    if isinstance(sock, ssl.SSLSocket):
        sock.unwrap()


def _send_sealed(sock: socket.socket, fd: int) -> None:
    cipher, hasher, sealed = AESGCM(KEY), blake3.blake3(), 0
    buffer = memoryview(bytearray(PIECE_BYTES))
    while got := os.readv(fd, [buffer]):
        hasher.update(buffer[:got])
        record = cipher.encrypt(sealed.to_bytes(12, "big"), buffer[:got], None)
        sealed += 1
        sock.sendall(len(record).to_bytes(4, "big"))
        sock.sendall(record)
    digest = hasher.digest()
    sock.sendall(len(digest).to_bytes(4, "big") + digest)


def _receive_sealed(sock: socket.socket, fd: int) -> None:
    cipher, hasher, opened = AESGCM(KEY), blake3.blake3(), 0
    head, buffer = memoryview(bytearray(4)), memoryview(bytearray(PIECE_BYTES + TAG_BYTES))
    while True:
        _fill(sock, head)
        record = buffer[: int.from_bytes(head, "big")]
        _fill(sock, record)
        if len(record) == hasher.digest_size:
            break
        data = cipher.decrypt(opened.to_bytes(12, "big"), record, None)
        opened += 1
        hasher.update(data)
        _write(fd, memoryview(data))
    assert bytes(record) == hasher.digest()


def _fill(sock: socket.socket, view: memoryview) -> None:
    while view:
        got = sock.recv_into(view)
        assert got, "the other end went away"
        view = view[got:]


def _write(fd: int, view: memoryview) -> None:
    while view:
        view = view[os.write(fd, view) :]


@contextmanager
def _certificate() -> Iterator[Path]:
    """A file with a key and its own certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bare")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    signed = builder.sign(key, hashes.SHA256())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with tempfile.NamedTemporaryFile() as file:
        file.write(secret + signed.public_bytes(Encoding.PEM))
        file.flush()
        yield Path(file.name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
