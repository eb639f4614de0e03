"""Open invites: how many, how long, and what becomes of one."""

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.node.effects import InviteStretched, ReplyTo, StretchInvite
from chatnet_engine.node.people.invites import LIFETIME_S, MAX_INVITES, Invite, Invites
from chatnet_engine.secure.config import SecureConfig
from chatnet_protocol.errors import CommandError, ErrorCode

NOW = Now(1000.0, 5)


def invite(number: int = 1, secret: bytes = b"secret", peer: int = 0) -> Invite:
    return Invite(secret, ReplyTo(b"routing_id", number), True, peer)


def opened(invites: Invites, peer: int) -> None:
    invites.check(0, [])
    invites.open(peer, invite(peer, b"secret%d" % peer))
    assert invites.handle_stretched(peer, b"psk%d" % peer, NOW)


def test_an_invite_is_good_once_its_secret_is_stretched() -> None:
    invites = Invites()
    invites.open(7, invite())
    assert invites.psk(7) is None
    assert invites.psks() == {}
    assert invites.next_timeout() is None
    assert invites.handle_stretched(7, b"psk", NOW) is invites.get(7)
    assert (invites.psk(7), invites.psks()) == (b"psk", {7: b"psk"})
    assert invites.close(7)
    assert not invites.close(7)
    assert invites.handle_stretched(7, b"psk", NOW) is None


def test_what_is_asked_for_stored_and_open_counts_together() -> None:
    invites = Invites()
    for peer in range(1, MAX_INVITES):
        opened(invites, peer)
    with pytest.raises(CommandError) as caught:
        invites.check(0, [invite(8)])
    assert caught.value.code == ErrorCode.BUSY
    invites.check(0, [])
    assert SecureConfig().max_invites == MAX_INVITES


def test_a_new_invite_for_the_same_peer_takes_the_place_of_the_old_one() -> None:
    invites = Invites()
    for peer in range(1, MAX_INVITES + 1):
        opened(invites, peer)
    invites.check(1, [])
    invites.open(1, invite(9, b"new", 1))
    assert invites.psk(1) is None


def test_an_invite_ends_after_its_time() -> None:
    invites = Invites()
    opened(invites, 1)
    assert invites.next_timeout() == NOW.mono_s + LIFETIME_S
    assert invites.take_expired(Now(NOW.mono_s + LIFETIME_S - 1, 0)) == []
    assert invites.take_expired(Now(NOW.mono_s + LIFETIME_S, 0)) == [1]
    assert invites.psk(1) is None


def test_one_invite_at_a_time_is_made_for_a_peer() -> None:
    invites = Invites()
    with pytest.raises(CommandError):
        invites.check(1, [invite(peer=1)])
    invites.check(2, [invite(peer=1)])
    invites.open(1, invite(peer=1))
    with pytest.raises(CommandError):
        invites.check(1, [])


def test_no_secret_is_shown_by_a_value_on_its_way() -> None:
    assert "secret" not in repr(StretchInvite(1, b"secret"))
    assert "secret" not in repr(InviteStretched(1, b"secret"))
