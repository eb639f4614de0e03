"""Commands and their answers: nothing is lost while the engine is away, nothing is sent twice."""

from chatnet_client.client_events import ClientFailed, Live, Refused
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc.commands import Done, OfferFiles, Queued, RetryPeer, SendMessage
from chatnet_qt.session import MAX_UNCONFIRMED
from qtworld import peer_view, session_view


def test_a_text_is_asked_again_under_its_id_until_it_is_confirmed(make_stage) -> None:
    stage = make_stage(session_view(peer_view()))
    stage.client.answers_messages = False
    assert stage.session.send_text(1, "hello", 3)
    stage.client.time_out()
    stage.settle()
    first, second = stage.client.asked(SendMessage)
    assert first == second
    assert stage.session.unconfirmed == 1
    stage.client.answer(Queued(no=1, seq=1))
    stage.settle()
    assert stage.session.unconfirmed == 0


def test_texts_that_wait_are_bounded(make_stage) -> None:
    stage = make_stage(session_view(peer_view()))
    stage.client.answers_messages = False
    assert all(stage.session.send_text(1, "x", 0) for _ in range(MAX_UNCONFIRMED))
    assert not stage.session.send_text(1, "one too many", 0)
    assert not stage.session.offer_files(1, ["/tmp/x"])
    assert len(stage.client.asked(SendMessage)) == MAX_UNCONFIRMED
    assert not stage.client.asked(OfferFiles)


def test_a_refused_text_ends_waiting_and_is_told(make_stage) -> None:
    stage = make_stage(session_view(peer_view()))
    stage.client.answers_messages = False
    told: list[tuple[int, str]] = []
    stage.session.refused.connect(lambda peer, words: told.append((peer, words)))
    stage.session.send_text(1, "hello", 0)
    stage.client.answer(error="The peer is unknown.")
    stage.settle()
    assert told == [(1, "The peer is unknown.")]
    assert stage.session.unconfirmed == 0


def test_every_message_has_an_id_of_its_own(make_stage) -> None:
    stage = make_stage(session_view(peer_view()))
    for _ in range(20):
        stage.session.send_text(1, "same", 0)
    assert len({command.id for command in stage.client.asked(SendMessage)}) == 20


def test_an_answer_reaches_whoever_asked(make_stage) -> None:
    stage = make_stage(session_view(peer_view()))
    answers: list[object] = []
    stage.session.request(RetryPeer(1), lambda answer: answers.append(answer.result))
    stage.settle()
    assert answers == [Done()]


def test_an_engine_that_will_never_take_us_is_named(make_stage) -> None:
    stage = make_stage(session_view(peer_view()))
    stage.client.say(Refused(ErrorCode.VERSION, "Upgrade ChatNet on this side.", final=True))
    stage.settle()
    assert not stage.session.online
    assert "Upgrade ChatNet" in stage.window.engine_strip.shown.words


def test_a_client_that_dies_is_no_connection_any_more(make_stage) -> None:
    stage = make_stage(session_view(peer_view()))
    failed: list[tuple[str, str]] = []
    stage.session.client_failed.connect(lambda words, trace: failed.append((words, trace)))
    stage.client._on_event(Live(1))
    stage.client._on_event(ClientFailed("The thread died.", "trace"))
    stage.settle()
    assert failed == [("The thread died.", "trace")]
    assert not stage.session.online
