"""How the two sides of a transfer meet: what one of them says, and what its file process is asked.

Handle and token are fresh for each attempt and good for one.
"""

from collections.abc import Callable

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.outputs import PeerLink
from chatnet_protocol.wire import control as ct

HANDLE_AND_TOKEN_BYTES = ct.HANDLE_BYTES + ct.TOKEN_BYTES


def listen(
    transfer_id: bytes, link: PeerLink, port: int, random: Callable[[int], bytes]
) -> tuple[pw.Connect, ct.Listen]:
    """Wait for the peer at our TCP listener; it is notified once the file process knows the
    token."""
    handle, token = _draw(random)
    request = ct.Listen(transfer_id, handle, token, port, link.suite)
    return pw.Connect(handle, token, link.suite, [], ct.TOKEN_VALID_S), request


def listen_on_link(
    transfer_id: bytes, link: PeerLink, random: Callable[[int], bytes]
) -> tuple[pw.Connect, ct.LinkStream]:
    """Wait for the peer to begin a bulk stream; it is notified once the file process waits."""
    handle, token = _draw(random)
    request = ct.LinkStream(transfer_id, handle, token, link.suite)
    return _stream(request), request


def answer(request: ct.Listen | ct.LinkStream, link: PeerLink) -> pw.Connect:
    """Do what the peer asks for; on TCP only its own known addresses are dialled, with the port
    it names or had."""
    if isinstance(request, ct.LinkStream):
        return _stream(request)
    link.tcp_port = request.port
    return pw.Connect(
        request.handle, request.token, request.suite, link.tcp_addrs(), ct.TOKEN_VALID_S
    )


def _stream(request: ct.LinkStream) -> pw.Connect:
    return pw.Connect(request.handle, request.token, request.suite, [], ct.TOKEN_VALID_S, bulk=True)


def _draw(random: Callable[[int], bytes]) -> tuple[bytes, bytes]:
    drawn = random(HANDLE_AND_TOKEN_BYTES)
    return drawn[: ct.HANDLE_BYTES], drawn[ct.HANDLE_BYTES :]
