"""The shared draft: who is taken over, who keeps the own text, what is shared when."""

import pytest

from chatnet_qt.draft import LATEST_S, PAUSE_S, Draft, Share


@pytest.fixture
def draft() -> Draft:
    return Draft()


def shared(draft: Draft, text: str, revision: int) -> None:
    draft.handle_shared(text, revision, cleared=False)


def test_an_untouched_box_follows(draft: Draft) -> None:
    assert draft.handle_shared("from the terminal", 1, cleared=False)
    assert draft.text == "from the terminal"
    assert draft.next_timeout() is None


def test_what_is_typed_is_shared_after_a_pause(draft: Draft) -> None:
    draft.handle_edit("h", 1.0)
    draft.handle_edit("hi", 1.1)
    assert draft.next_timeout() == pytest.approx(1.1 + PAUSE_S)
    assert draft.take_share(1.2) is None
    assert draft.take_share(1.1 + PAUSE_S) == Share("hi", 0)
    assert draft.take_share(9.0) is None, "one is under way"


def test_typing_without_a_pause_is_shared_now_and_then(draft: Draft) -> None:
    now = 0.0
    while draft.take_share(now) is None:
        now += 0.1
        draft.handle_edit(f"x{now}", now)
        assert now < 10
    assert now == pytest.approx(0.1 + LATEST_S, abs=0.15)


def test_the_own_share_coming_back_changes_nothing(draft: Draft) -> None:
    draft.handle_edit("hi", 0.0)
    draft.take_share(1.0)
    draft.handle_edit("hi there", 1.1)
    assert not draft.handle_shared("hi", 1, cleared=False)
    draft.handle_answer(True, "hi", 1)
    assert draft.text == "hi there"
    assert not draft.apart
    assert draft.take_share(9.0) == Share("hi there", 1)


def test_the_loser_keeps_its_text_and_stops_sharing(draft: Draft) -> None:
    draft.handle_edit("mine", 0.0)
    shared(draft, "theirs", 1)
    assert draft.text == "mine"
    assert draft.apart
    assert draft.next_timeout() is None
    assert draft.take_flush() is None


def test_a_refused_share_is_the_same(draft: Draft) -> None:
    draft.handle_edit("mine", 0.0)
    draft.take_share(1.0)
    draft.handle_answer(False, "theirs", 4)
    assert draft.text == "mine"
    assert draft.apart
    assert draft.take_theirs() == "theirs"
    assert not draft.apart


def test_sending_while_apart_shows_the_others_draft_and_clears_nothing(draft: Draft) -> None:
    draft.handle_edit("mine", 0.0)
    shared(draft, "theirs", 1)
    assert draft.take_sent() == ("mine", 0)
    assert draft.text == "theirs"
    assert not draft.apart


def test_sending_names_the_revision_that_it_clears(draft: Draft) -> None:
    draft.handle_edit("hi", 0.0)
    draft.take_share(1.0)
    draft.handle_answer(True, "hi", 5)
    assert draft.take_sent() == ("hi", 5)
    draft.handle_shared("", 6, cleared=True)
    assert draft.text == ""
    assert draft.next_timeout() is None


def test_a_message_sent_elsewhere_clears_an_untouched_box(draft: Draft) -> None:
    shared(draft, "hi", 1)
    assert draft.handle_shared("", 2, cleared=True)
    assert draft.text == ""


def test_what_was_typed_on_is_kept_and_shared_after_it_was_cleared_elsewhere(draft: Draft) -> None:
    shared(draft, "hi", 1)
    draft.handle_edit("hi and more", 1.0)
    assert not draft.handle_shared("", 2, cleared=True)
    assert not draft.apart
    assert draft.take_share(9.0) == Share("hi and more", 2)


def test_sending_while_a_share_is_under_way_clears_that_one(draft: Draft) -> None:
    draft.handle_edit("hi", 0.0)
    draft.take_share(1.0)
    assert draft.take_sent() == ("hi", 1)
    draft.handle_shared("hi", 1, cleared=False)
    draft.handle_answer(True, "hi", 1)
    draft.handle_shared("", 2, cleared=True)
    assert draft.text == ""
    assert draft.next_timeout() is None


def test_a_draft_that_was_not_cleared_by_sending_is_taken_back(draft: Draft) -> None:
    draft.handle_edit("hi", 0.0)
    draft.take_share(1.0)
    draft.take_sent()
    draft.handle_answer(True, "hi", 3)
    assert draft.take_share(9.0) == Share("", 3)


def test_an_old_revision_is_ignored(draft: Draft) -> None:
    shared(draft, "new", 5)
    assert not draft.handle_shared("old", 4, cleared=False)
    assert draft.text == "new"


def test_a_restarted_history_with_smaller_revisions_counts(draft: Draft) -> None:
    shared(draft, "new", 5)
    assert draft.handle_snapshot("after the restore", 2)
    assert draft.text == "after the restore"
    assert not draft.handle_snapshot("after the restore", 2)


def test_a_failed_share_is_tried_again_by_the_next_edit(draft: Draft) -> None:
    draft.handle_edit("a", 0.0)
    draft.take_share(1.0)
    draft.handle_failure()
    draft.handle_edit("ab", 2.0)
    assert draft.take_share(9.0) == Share("ab", 0)


def test_leaving_shares_at_once(draft: Draft) -> None:
    draft.handle_edit("half a sen", 0.0)
    assert draft.take_flush() == Share("half a sen", 0)


def test_typing_back_to_the_others_text_ends_being_apart(draft: Draft) -> None:
    draft.handle_edit("mine", 0.0)
    shared(draft, "theirs", 1)
    draft.handle_edit("theirs", 1.0)
    assert not draft.apart
