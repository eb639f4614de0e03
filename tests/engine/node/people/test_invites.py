"""Open invites: how many, how long, and what becomes of one."""

import pytest

from chatnet_engine.node.config import Now
from chatnet_engine.node.effects import InviteStretched, ReplyTo, StretchInvite
from chatnet_engine.node.people.invites import LIFETIME_S, MAX_INVITES, Invites
from chatnet_engine.secure.config import SecureConfig
from chatnet_protocol.errors import CommandError, ErrorCode

NOW = Now(1000.0, 5)


def asker(number: int) -> ReplyTo:
    return ReplyTo(b"route", number)


def opened(invites: Invites, peer: int) -> None:
    invites.ask(asker(peer), b"secret%d" % peer, 0, made=True)
    assert invites.handle_stored(asker(peer), peer) == StretchInvite(peer, b"secret%d" % peer)
    assert invites.handle_stretched(peer, b"psk%d" % peer, NOW)


def test_an_invite_is_good_once_its_secret_is_stretched() -> None:
    invites = Invites()
    invites.ask(asker(1), b"secret", 0, made=True)
    invites.handle_stored(asker(1), 7)
    assert invites.psk(7) is None
    assert invites.psks() == {}
    assert invites.next_timeout() is None
    invite = invites.handle_stretched(7, b"psk", NOW)
    assert invite is invites.get(7)
    assert (invites.psk(7), invites.psks()) == (b"psk", {7: b"psk"})
    assert invites.close(7)
    assert not invites.close(7)
    assert invites.handle_stretched(7, b"psk", NOW) is None


def test_what_is_asked_for_stored_and_open_counts_together() -> None:
    invites = Invites()
    for peer in range(1, MAX_INVITES):
        opened(invites, peer)
    invites.ask(asker(8), b"s", 0, made=False)
    with pytest.raises(CommandError) as caught:
        invites.ask(asker(9), b"s", 0, made=True)
    assert caught.value.code == ErrorCode.BUSY
    invites.drop(asker(8))
    invites.ask(asker(9), b"s", 0, made=True)
    assert SecureConfig().max_invites == MAX_INVITES


def test_a_new_invite_for_the_same_peer_takes_the_place_of_the_old_one() -> None:
    invites = Invites()
    for peer in range(1, MAX_INVITES + 1):
        opened(invites, peer)
    invites.ask(asker(9), b"new", 1, made=True)
    assert invites.handle_stored(asker(9), 1) == StretchInvite(1, b"new")
    assert invites.psk(1) is None


def test_an_invite_ends_after_its_time() -> None:
    invites = Invites()
    opened(invites, 1)
    assert invites.next_timeout() == NOW.mono_s + LIFETIME_S
    assert invites.take_expired(Now(NOW.mono_s + LIFETIME_S - 1, 0)) == []
    assert invites.take_expired(Now(NOW.mono_s + LIFETIME_S, 0)) == [1]
    assert invites.psk(1) is None


def test_rows_that_nobody_invited_change_nothing() -> None:
    invites = Invites()
    assert invites.handle_stored(None, 1) is None
    assert invites.handle_stored(asker(1), 1) is None


def test_no_secret_is_shown_by_a_value_on_its_way() -> None:
    assert "secret" not in repr(StretchInvite(1, b"secret"))
    assert "secret" not in repr(InviteStretched(1, b"secret"))
