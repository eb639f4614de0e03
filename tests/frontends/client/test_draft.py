"""The shared draft: who is taken over, who keeps the own text, what is shared when."""

import pytest

from chatnet_client.draft import SHARE_S, SharedDraft
from chatnet_protocol.ipc.commands import DraftSet, SetDraft
from chatnet_protocol.limits import MAX_DRAFT_BYTES


@pytest.fixture
def draft() -> SharedDraft:
    return SharedDraft(1)


def written(draft: SharedDraft, text: str, now: float) -> SetDraft:
    """`text` is typed, rests, and is under way."""
    draft.handle_edit(text, now)
    command = draft.take_command(now + SHARE_S)
    assert command is not None
    return command


def stored(draft: SharedDraft, text: str, now: float) -> None:
    """And the session has it."""
    command = written(draft, text, now)
    answer = DraftSet(True, command.base_revision + 1, text)
    assert not draft.handle_answer(command, answer)


# --- what is shared, and when ------------------------------------------------------------------


def test_what_is_typed_is_shared_soon() -> None:
    draft = SharedDraft(1, "", 4)
    draft.handle_edit("h", 1.0)
    assert draft.next_timeout() == 1.0 + SHARE_S
    draft.handle_edit("hi", 1.25)
    assert draft.next_timeout() == 1.0 + SHARE_S
    assert draft.take_command(1.25) is None
    command = draft.take_command(1.0 + SHARE_S)
    assert command == SetDraft(1, "hi", 4)
    assert draft.take_command(9.0) is None, "one is under way"
    assert draft.next_timeout() is None
    assert not draft.handle_answer(command, DraftSet(True, 5, "hi"))
    draft.handle_edit("hi!", 10.0)
    assert draft.take_command(11.0) == SetDraft(1, "hi!", 5)


def test_of_typing_without_a_pause_a_kill_costs_no_more_than_a_few_keys(draft: SharedDraft) -> None:
    shared, text = "", ""
    for key in range(100):
        now = key / 10
        text += "x"
        draft.handle_edit(text, now)
        if (command := draft.take_command(now)) is not None:
            shared = command.text
            draft.handle_answer(command, DraftSet(True, command.base_revision + 1, shared))
        assert len(text) - len(shared) <= 10 * SHARE_S + 1


def test_one_write_at_a_time(draft: SharedDraft) -> None:
    command = written(draft, "a", 0.0)
    draft.handle_edit("ab", 1.0)
    assert draft.take_command(2.0) is None
    draft.handle_answer(command, DraftSet(True, 1, "a"))
    assert draft.take_command(2.0) == SetDraft(1, "ab", 1)


def test_a_text_emptied_during_a_write_is_emptied_everywhere(draft: SharedDraft) -> None:
    command = written(draft, "half", 0.0)
    draft.handle_edit("", 1.0)
    assert draft.take_command(2.0) is None
    draft.handle_answer(command, DraftSet(True, 1, "half"))
    assert draft.take_command(2.0) == SetDraft(1, "", 1)


def test_the_own_write_coming_back_changes_nothing(draft: SharedDraft) -> None:
    command = written(draft, "hi", 0.0)
    draft.handle_edit("hi there", 1.1)
    assert not draft.handle_changed("hi", 1)
    draft.handle_answer(command, DraftSet(True, 1, "hi"))
    assert draft.text == "hi there"
    assert not draft.conflicted
    assert draft.take_command(9.0) == SetDraft(1, "hi there", 1)


def test_a_failed_write_is_tried_again_by_the_next_edit(draft: SharedDraft) -> None:
    command = written(draft, "a", 0.0)
    draft.handle_answer(command, None)
    assert draft.next_timeout() is None
    draft.handle_edit("ab", 2.0)
    assert draft.take_command(9.0) == SetDraft(1, "ab", 0)


def test_a_write_that_came_through_after_all_is_known_as_the_own(draft: SharedDraft) -> None:
    command = written(draft, "a", 0.0)
    draft.handle_edit("ab", 1.0)
    draft.handle_answer(command, None)
    assert not draft.handle_changed("a", 1)
    assert not draft.conflicted
    assert draft.take_command(9.0) == SetDraft(1, "ab", 1)


def test_private_and_long_texts_are_not_shared(draft: SharedDraft) -> None:
    draft.handle_edit("/file secret", 0.0, private=True)
    assert draft.next_timeout() is None
    assert draft.take_command(9.0) is None
    assert draft.take_flush() is None
    draft.handle_edit("x" * (MAX_DRAFT_BYTES + 1), 9.0)
    assert draft.take_command(19.0) is None
    draft.handle_edit("no text \ud800", 20.0)
    assert draft.take_command(29.0) is None
    draft.handle_edit("x" * MAX_DRAFT_BYTES, 30.0)
    assert draft.take_command(39.0) is not None


def test_leaving_shares_at_once(draft: SharedDraft) -> None:
    draft.handle_edit("half a sen", 0.0)
    assert draft.take_flush() == SetDraft(1, "half a sen", 0)
    assert draft.take_flush() is None


def test_leaving_during_a_write_goes_on_after_it(draft: SharedDraft) -> None:
    written(draft, "half", 0.0)
    draft.handle_edit("half a sen", 1.0)
    assert draft.take_flush() == SetDraft(1, "half a sen", 1)


# --- what others write -------------------------------------------------------------------------


def test_an_untouched_text_follows() -> None:
    draft = SharedDraft(1, "old", 1)
    assert draft.handle_changed("new", 5)
    assert draft.text == "new"
    assert draft.next_timeout() is None
    assert not draft.handle_changed("older", 4)
    assert draft.text == "new"


def test_an_emptied_text_follows() -> None:
    draft = SharedDraft(1, "old", 1)
    draft.handle_edit("", 0.0)
    assert draft.handle_changed("new", 2)
    assert (draft.text, draft.conflicted) == ("new", False)


def test_the_loser_keeps_its_text_and_stops_sharing(draft: SharedDraft) -> None:
    draft.handle_edit("mine", 0.0)
    assert not draft.handle_changed("theirs", 1)
    assert (draft.text, draft.conflicted) == ("mine", True)
    draft.handle_edit("mine too", 1.0)
    assert draft.next_timeout() is None
    assert draft.take_command(9.0) is None
    assert draft.take_flush() is None


def test_losing_by_the_answer_is_the_same(draft: SharedDraft) -> None:
    command = written(draft, "mine", 0.0)
    assert not draft.handle_answer(command, DraftSet(False, 4, "theirs"))
    assert (draft.text, draft.conflicted) == ("mine", True)
    assert draft.take_theirs() == "theirs"
    assert not draft.conflicted


def test_an_answer_to_somebody_elses_write_says_nothing(draft: SharedDraft) -> None:
    written(draft, "mine", 0.0)
    assert not draft.handle_answer(SetDraft(2, "mine", 0), DraftSet(False, 4, "theirs"))
    assert not draft.conflicted
    assert draft.take_sent() == 1, "the own write is still under way"


def test_emptying_the_loser_shows_the_others_text_and_keeps_it(draft: SharedDraft) -> None:
    draft.handle_edit("mine", 0.0)
    draft.handle_changed("theirs", 1)
    assert draft.handle_edit("", 10.0)
    assert (draft.text, draft.conflicted) == ("theirs", False)
    assert draft.take_command(19.0) is None
    draft.handle_edit("", 20.0)
    assert draft.take_command(29.0) == SetDraft(1, "", 1)


def test_typing_the_others_text_ends_being_apart(draft: SharedDraft) -> None:
    draft.handle_edit("mine", 0.0)
    draft.handle_changed("theirs", 1)
    draft.handle_edit("theirs", 1.0)
    assert not draft.conflicted


def test_the_same_text_from_elsewhere_is_no_conflict(draft: SharedDraft) -> None:
    draft.handle_edit("same", 0.0)
    assert not draft.handle_changed("same", 1)
    assert not draft.conflicted
    assert draft.take_sent() == 1


def test_sharing_goes_on_when_the_others_text_is_gone(draft: SharedDraft) -> None:
    command = written(draft, "mine", 0.0)
    draft.handle_answer(command, DraftSet(False, 1, "theirs"))
    assert not draft.handle_changed("", 2)
    assert not draft.conflicted
    assert draft.take_command(9.0) == SetDraft(1, "mine", 2)


# --- sending -----------------------------------------------------------------------------------


def test_sending_names_the_revision_that_it_clears() -> None:
    draft = SharedDraft(1, "", 4)
    stored(draft, "hi", 0.0)
    assert draft.take_sent() == 5
    assert draft.text == ""
    assert not draft.handle_changed("", 6)
    assert draft.next_timeout() is None


def test_what_was_never_shared_clears_nothing() -> None:
    draft = SharedDraft(1, "", 4)
    draft.handle_edit("quick", 0.0)
    assert draft.take_sent() == 0
    assert draft.text == ""
    assert draft.next_timeout() is None


@pytest.mark.parametrize("event_first", [True, False])
def test_sending_while_a_write_is_under_way_clears_that_one(event_first: bool) -> None:
    draft = SharedDraft(1)
    command = written(draft, "hel", 0.0)
    draft.handle_edit("hello", 1.0)
    if event_first:
        assert not draft.handle_changed("hel", 1)
    assert draft.take_sent() == 1
    assert not draft.handle_changed("hel", 1)
    assert not draft.handle_answer(command, DraftSet(True, 1, "hel"))
    assert draft.next_timeout() is None, "the message clears it"
    assert not draft.handle_changed("", 2)
    assert draft.text == ""
    assert draft.next_timeout() is None


def test_a_draft_that_was_not_cleared_by_sending_is_taken_back(draft: SharedDraft) -> None:
    command = written(draft, "hi", 0.0)
    draft.take_sent()
    draft.handle_answer(command, DraftSet(True, 3, "hi"))
    assert draft.take_command(9.0) == SetDraft(1, "", 3)


def test_the_next_text_is_shared_after_the_sent_one_is_cleared(draft: SharedDraft) -> None:
    stored(draft, "one", 0.0)
    draft.take_sent()
    draft.handle_edit("two", 1.0)
    assert not draft.handle_changed("", 2)
    assert draft.take_command(9.0) == SetDraft(1, "two", 2)


def test_sending_while_apart_shows_the_others_draft_and_clears_nothing(draft: SharedDraft) -> None:
    draft.handle_edit("mine", 0.0)
    draft.handle_changed("theirs", 1)
    assert draft.take_sent() == 0
    assert (draft.text, draft.conflicted) == ("theirs", False)


def test_somebody_else_sending_an_untouched_text_empties_it_here(draft: SharedDraft) -> None:
    stored(draft, "hello", 0.0)
    assert draft.handle_changed("", 2)
    assert draft.text == ""


def test_what_was_typed_on_is_kept_and_shared_after_it_was_sent_elsewhere(
    draft: SharedDraft,
) -> None:
    draft.handle_changed("hi", 1)
    draft.handle_edit("hi and more", 1.0)
    assert not draft.handle_changed("", 2)
    assert not draft.conflicted
    assert draft.take_command(9.0) == SetDraft(1, "hi and more", 2)


# --- after the engine was away -----------------------------------------------------------------


def test_a_snapshot_is_followed_or_conflicts_like_an_event() -> None:
    draft = SharedDraft(1, "shared", 1)
    assert draft.handle_snapshot("newer", 2)
    assert draft.text == "newer"
    draft.handle_edit("newer still", 0.0)
    assert not draft.handle_snapshot("newer", 2)
    assert not draft.conflicted
    assert draft.take_command(9.0) == SetDraft(1, "newer still", 2)
    assert not draft.handle_snapshot("somebody else's", 5)
    assert (draft.text, draft.conflicted) == ("newer still", True)
    assert draft.take_sent() == 0


def test_a_restored_history_with_smaller_revisions_counts() -> None:
    draft = SharedDraft(1, "new", 5)
    assert draft.handle_snapshot("after the restore", 2)
    assert draft.text == "after the restore"
    assert not draft.handle_snapshot("after the restore", 2)
    draft.handle_edit("mine", 0.0)
    assert not draft.handle_snapshot("after the restore", 1)
    assert not draft.conflicted, "nobody wrote anything else"
    assert draft.take_command(9.0) == SetDraft(1, "mine", 1)


def test_a_write_that_is_repeated_after_a_snapshot_is_the_own(draft: SharedDraft) -> None:
    command = written(draft, "half", 0.0)
    draft.handle_edit("half a sen", 1.0)
    draft.handle_snapshot("", 0)
    assert not draft.handle_changed("half", 1)
    assert not draft.conflicted
    draft.handle_answer(command, DraftSet(True, 1, "half"))
    assert draft.take_command(9.0) == SetDraft(1, "half a sen", 1)
