"""A command that changes something is done once, whoever repeats it; a question is asked again."""

from chatnet_engine.node.effects import Effect, ReplyTo, SendReply
from chatnet_engine.node.replies import Replies
from chatnet_protocol.ipc.commands import Detach, Done, FetchStatus, MarkRead
from chatnet_protocol.limits import MAX_RESULTS_KEPT


def test_a_repeated_command_gets_its_first_answer_and_a_question_a_new_one() -> None:
    effects: list[Effect] = []
    replies = Replies(effects)
    mark, question = ReplyTo(b"r", 1), ReplyTo(b"r", 2)
    assert replies.begin(mark, MarkRead(1, 1)) == (True, None)
    assert replies.begin(mark, MarkRead(1, 1)) == (False, None)
    replies.reply(mark, Done())
    [sent] = effects
    assert isinstance(sent, SendReply)
    assert replies.begin(mark, MarkRead(1, 1)) == (False, sent.frame)
    assert replies.begin(question, FetchStatus()) == (True, None)
    replies.reply(question, Done())
    assert replies.begin(question, FetchStatus()) == (True, None)


def test_kept_answers_are_bounded() -> None:
    replies = Replies([])
    for number in range(MAX_RESULTS_KEPT + 1):
        replies.begin(ReplyTo(b"r", number), Detach() if number < 0 else MarkRead(1, 1))
    assert replies.begin(ReplyTo(b"r", 0), MarkRead(1, 1)) == (True, None)


def test_nobody_is_answered_when_nobody_asked() -> None:
    effects: list[Effect] = []
    Replies(effects).reply(None, Done())
    assert effects == []
