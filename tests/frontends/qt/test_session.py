"""Commands and their answers: nothing is lost while the engine is away, nothing is sent twice."""

import pytest

from chatnet_client import kept
from chatnet_client.client_events import ClientFailed, Live, Refused
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc.commands import Done, Queued, RetryPeer, SendMessage
from chatnet_qt.session import MAX_OFFERS
from qtworld import MakeStage, Stage, peer_view, session_view


def send(stage: Stage, text: str, revision: int = 0, peer: int = 1) -> str:
    problem = stage.session.keep_text(peer, text)
    if not problem:
        stage.session.hand_over(revision)
    stage.settle()
    return problem


def test_a_text_is_asked_again_under_its_id_until_it_is_confirmed(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    stage.client.answers_messages = False
    assert send(stage, "hello", 3) == ""
    stage.client.time_out()
    stage.settle()
    first, second = stage.client.asked(SendMessage)
    assert first == second
    assert first.draft_revision == 3
    assert stage.session.unconfirmed == 1
    stage.client.answer(Queued(no=1, seq=1))
    stage.settle()
    assert stage.session.unconfirmed == 0


def test_what_waits_is_bounded(make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MAX_TEXTS", 3)
    stage = make_stage(session_view(peer_view()))
    stage.client.answers_messages = False
    assert [send(stage, "x") for _ in range(4)] == ["", "", "", kept.FULL]
    assert len(stage.client.asked(SendMessage)) == 1
    assert all(stage.session.offer_files(1, ["/tmp/x"]) for _ in range(MAX_OFFERS))
    assert not stage.session.offer_files(1, ["/tmp/x"])


def test_a_refused_text_is_told_and_stays_with_its_content(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    stage.client.answers_messages = False
    told: list[tuple[int, str]] = []
    stage.session.refused.connect(lambda peer, words: told.append((peer, words)))
    send(stage, "hello")
    stage.client.answer(error="The peer is unknown.")
    stage.settle()
    assert told == [(1, "The peer is unknown.")]
    assert stage.session.unconfirmed == 0
    (waiting,) = stage.session.waiting(1)
    assert (waiting.text.text, waiting.refused) == ("hello", "The peer is unknown.")


def test_every_message_has_an_id_of_its_own_and_all_go_in_order(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    for number in range(20):
        stage.session.keep_text(1, str(number))
        stage.session.hand_over(0)
    stage.until(lambda: stage.session.unconfirmed == 0)
    sent = stage.client.asked(SendMessage)
    assert len({command.id for command in sent}) == 20
    assert [command.text for command in sent] == [str(number) for number in range(20)]


def test_nothing_is_handed_over_while_the_engine_is_away(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    stage.client.lose()
    stage.settle()
    send(stage, "one")
    send(stage, "two")
    assert stage.client.asked(SendMessage) == []
    stage.client.reset(session_view(peer_view()), b"boot2")
    stage.until(lambda: stage.session.unconfirmed == 0)
    assert [command.text for command in stage.client.asked(SendMessage)] == ["one", "two"]


def test_an_answer_reaches_whoever_asked(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    answers: list[object] = []
    stage.session.request(RetryPeer(1), lambda answer: answers.append(answer.result))
    stage.settle()
    assert answers == [Done()]


def test_an_engine_that_will_never_take_us_is_named(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    stage.client.say(Refused(ErrorCode.VERSION, "Upgrade ChatNet on this side.", final=True))
    stage.settle()
    assert not stage.session.online
    assert stage.window.engine_strip.shown
    assert "Upgrade ChatNet" in stage.window.engine_strip.shown.words


def test_a_client_that_dies_is_no_connection_any_more(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    failed: list[tuple[str, str]] = []
    stage.session.client_failed.connect(lambda words, trace: failed.append((words, trace)))
    stage.client._on_event(Live(1))
    stage.client._on_event(ClientFailed("The thread died.", "trace"))
    stage.settle()
    assert failed == [("The thread died.", "trace")]
    assert not stage.session.online
