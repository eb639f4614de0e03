"""Blocking the peer of a chat."""

from chat_model import Chat
from chatnet_protocol.ipc import commands as cmd


def test_the_peer_of_the_chat_is_blocked_and_unblocked() -> None:
    chat = Chat()
    chat.write("/block")
    chat.write("/unblock")
    assert chat.seen(cmd.SetPeer) == [cmd.SetPeer(1, blocked=True), cmd.SetPeer(1, blocked=False)]
    assert "stands alone" in chat.write("/block bob")[0]
    assert len(chat.seen(cmd.SetPeer)) == 2
