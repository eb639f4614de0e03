"""The shared line: debounced, revised, and never torn from whoever writes it."""

from chatnet_cli.draft import DEBOUNCE_S, SharedDraft
from chatnet_protocol.ipc.commands import DraftSet, SetDraft
from chatnet_protocol.limits import MAX_DRAFT_BYTES


def test_a_rested_line_is_shared_once() -> None:
    draft = SharedDraft(1, "", 4)
    draft.typed("he", 0.0)
    assert draft.next_timeout() == DEBOUNCE_S
    draft.typed("hello", 0.3)
    assert draft.take_command(0.5) is None
    assert draft.take_command(0.7) == SetDraft(1, "hello", 4)
    assert draft.take_command(9.0) is None
    assert draft.next_timeout() is None
    assert not draft.answered(DraftSet(True, 5, "hello"))
    draft.typed("hello!", 10.0)
    assert draft.take_command(11.0) == SetDraft(1, "hello!", 5)


def test_one_write_at_a_time() -> None:
    draft = SharedDraft(1, "", 0)
    draft.typed("a", 0.0)
    assert draft.take_command(1.0) is not None
    draft.typed("ab", 1.0)
    assert draft.take_command(2.0) is None
    draft.answered(DraftSet(True, 1, "a"))
    assert draft.take_command(2.0) == SetDraft(1, "ab", 1)


def test_a_line_emptied_during_a_write_is_emptied_everywhere() -> None:
    draft = SharedDraft(1, "", 0)
    draft.typed("half", 0.0)
    assert draft.take_command(1.0) is not None
    draft.typed("", 1.0)
    assert draft.take_command(2.0) is None
    draft.answered(DraftSet(True, 1, "half"))
    assert draft.take_command(2.0) == SetDraft(1, "", 1)


def test_an_untouched_line_follows() -> None:
    draft = SharedDraft(1, "old", 1)
    assert draft.changed("new", 2, ours=False) == (True, False)
    assert draft.line == "new"
    assert draft.changed("older", 1, ours=False) == (False, False)
    assert draft.line == "new"


def test_whoever_loses_keeps_the_own_line_and_stops_sharing() -> None:
    draft = SharedDraft(1, "", 0)
    draft.typed("mine", 0.0)
    assert draft.changed("theirs", 1, ours=False) == (False, True)
    assert draft.line == "mine"
    draft.typed("mine too", 1.0)
    assert draft.take_command(9.0) is None
    assert draft.revision == 0, "sending it must not clear what the other writes"
    draft.typed("", 10.0)
    assert draft.revision == 1
    assert draft.take_command(11.0) == SetDraft(1, "", 1)


def test_losing_by_the_answer_is_the_same() -> None:
    draft = SharedDraft(1, "", 0)
    draft.typed("mine", 0.0)
    draft.take_command(1.0)
    assert draft.answered(DraftSet(False, 3, "theirs"))
    assert draft.line == "mine"
    assert draft.revision == 0


def test_a_message_sent_during_a_write_clears_that_write() -> None:
    draft = SharedDraft(1, "", 0)
    draft.typed("hel", 0.0)
    assert draft.take_command(1.0) == SetDraft(1, "hel", 0)
    draft.typed("hello", 1.0)
    assert draft.revision == 1
    assert draft.changed("hel", 1, ours=True) == (False, False)
    assert draft.revision == 1, "the event may come before the answer"
    draft.sent()
    draft.answered(DraftSet(True, 1, "hel"))
    assert draft.changed("", 2, ours=False) == (False, False)
    assert (draft.line, draft.revision) == ("", 2)
    assert draft.next_timeout() is None


def test_somebody_else_sending_the_shared_line_empties_it_here() -> None:
    draft = SharedDraft(1, "", 0)
    draft.typed("hello", 0.0)
    draft.take_command(1.0)
    draft.answered(DraftSet(True, 1, "hello"))
    assert draft.changed("", 2, ours=False) == (True, False)
    assert draft.line == ""


def test_after_the_engine_was_away() -> None:
    draft = SharedDraft(1, "shared", 1)
    assert draft.reopened("newer", 2)
    assert draft.line == "newer"
    draft.typed("newer still", 0.0)
    assert not draft.reopened("newer", 2)
    assert draft.take_command(9.0) == SetDraft(1, "newer still", 2)
    assert not draft.reopened("somebody else's", 5)
    assert draft.line == "newer still"
    assert draft.revision == 0


def test_the_same_text_from_elsewhere_is_no_conflict() -> None:
    draft = SharedDraft(1, "", 0)
    draft.typed("same", 0.0)
    assert draft.changed("same", 1, ours=False) == (False, False)
    assert draft.revision == 1


def test_commands_and_long_lines_are_not_shared() -> None:
    draft = SharedDraft(1, "", 0)
    draft.typed("/file secret", 0.0)
    assert draft.take_command(9.0) is None
    draft.typed("x" * (MAX_DRAFT_BYTES + 1), 9.0)
    assert draft.take_command(19.0) is None
    assert not draft.answered(None)
