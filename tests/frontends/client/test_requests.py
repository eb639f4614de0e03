"""Repeats, deadlines and limits of commands under way."""

import pytest

from chatnet_client import requests as module
from chatnet_client.requests import OFFER_TIMEOUT_S, REPEAT_S, Requests
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import (
    Done,
    FetchStatus,
    KeepAlive,
    OfferFiles,
    SendMessage,
    StopEngine,
)
from chatnet_protocol.ipc.envelope import Failure, Reply
from chatnet_protocol.limits import MAX_REQUESTS_UNDER_WAY


def ready() -> Requests:
    requests = Requests()
    requests.release(0.0, ())
    return requests


def test_a_command_is_repeated_under_its_id_until_answered() -> None:
    requests = ready()
    token = requests.ask(FetchStatus(), 0.0)
    (first,) = requests.take_requests(0.0)
    assert requests.take_requests(REPEAT_S - 0.01) == []
    assert requests.take_requests(REPEAT_S) == [first]
    answer = requests.handle_reply(Reply(first.id, None, Done()))
    assert answer is not None
    assert (answer.token, answer.result, answer.user) == (token, Done(), True)
    assert requests.handle_reply(Reply(first.id, None, Done())) is None
    assert requests.next_timeout() is None


def test_stopping_is_asked_once() -> None:
    requests = ready()
    requests.ask(StopEngine(), 0.0, timeout_s=5.0)
    assert len(requests.take_requests(0.0)) == 1
    assert requests.take_requests(2.0) == []
    requests.hold()
    requests.release(3.0, ())
    assert requests.take_requests(3.0) == []
    assert [answer.timed_out for answer in requests.take_expired(5.0)] == [True]


def test_an_offer_may_take_as_long_as_its_files_take_to_list() -> None:
    requests = ready()
    requests.ask(OfferFiles(bytes(16), 1, ["/many"]), 0.0, timeout_s=5.0)
    assert requests.take_expired(OFFER_TIMEOUT_S - 1) == []
    assert [answer.timed_out for answer in requests.take_expired(OFFER_TIMEOUT_S)] == [True]


def test_holding_keeps_user_commands_and_forgets_the_machine_s() -> None:
    requests = ready()
    requests.ask(KeepAlive(1), 0.0, user=False)
    requests.ask(FetchStatus(), 0.0, timeout_s=3.0)
    old = requests.take_requests(0.0)
    requests.hold()
    assert requests.take_requests(2.0) == []
    requests.release(2.0, ())
    (new,) = requests.take_requests(2.0)
    assert new.command == FetchStatus()
    assert new.id not in {request.id for request in old}


def test_held_commands_expire_too() -> None:
    requests = Requests()
    requests.ask(FetchStatus(), 0.0, timeout_s=3.0)
    assert requests.next_timeout() == 3.0
    (late,) = requests.take_expired(3.0)
    assert late.timed_out
    assert len(requests) == 0


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Failure("unknown-peer", "no"), ErrorCode.UNKNOWN_PEER),
        (Failure("from-the-future", "no"), ErrorCode.INTERNAL),
        (None, ErrorCode.INTERNAL),
    ],
)
def test_failures_become_command_errors(reply: Failure | None, code: ErrorCode) -> None:
    requests = ready()
    requests.ask(FetchStatus(), 0.0)
    (request,) = requests.take_requests(0.0)
    answer = requests.handle_reply(Reply(request.id, reply, None))
    assert answer is not None
    assert answer.error is not None
    assert answer.error.code == code


def test_the_limit_is_for_users_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 2)
    requests = ready()
    requests.ask(FetchStatus(), 0.0)
    requests.ask(FetchStatus(), 0.0)
    with pytest.raises(CommandError) as caught:
        requests.ask(FetchStatus(), 0.0)
    assert caught.value.code == ErrorCode.BUSY
    requests.ask(KeepAlive(1), 0.0, user=False)
    assert len(requests) == 3


def test_no_more_requests_are_under_way_than_the_engine_takes() -> None:
    requests = ready()
    for number in range(MAX_REQUESTS_UNDER_WAY + 10):
        requests.ask(KeepAlive(number), 0.0)
    first = requests.take_requests(0.0)
    assert len(first) == MAX_REQUESTS_UNDER_WAY
    assert requests.take_requests(0.5) == []
    assert requests.next_timeout() == REPEAT_S
    for request in first[:3]:
        requests.handle_reply(Reply(request.id, None, Done()))
    more = requests.take_requests(0.5)
    news = [KeepAlive(MAX_REQUESTS_UNDER_WAY + extra) for extra in range(3)]
    assert [request.command for request in more] == news
    assert len(requests.take_requests(REPEAT_S)) == MAX_REQUESTS_UNDER_WAY - 3


def test_what_the_engine_would_cut_is_refused_and_the_rest_goes() -> None:
    requests = Requests()
    requests.release(0.0, ())
    token = requests.ask(SendMessage(bytes(16), 1, "yes", reply_to=bytes(16)), 1.0)
    requests.ask(SendMessage(bytes(16), 1, "yes"), 1.0)
    assert len(requests.take_requests(1.0)) == 1
    assert requests.next_timeout() == 0.0
    (answer,) = requests.take_expired(1.0)
    assert (answer.token, answer.timed_out) == (token, False)
    assert answer.error is not None
    assert answer.error.code == ErrorCode.NOT_ALLOWED
    requests.hold()
    requests.release(2.0, ["replies", "something new"])
    requests.ask(SendMessage(bytes(16), 1, "yes", reply_to=bytes(16)), 2.0)
    assert len(requests.take_requests(2.0)) == 2
