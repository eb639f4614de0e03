"""What a soak would say if a promise broke, part by part."""

import hashlib
from pathlib import Path
from types import SimpleNamespace

from checker.histories import OFFER, TEXT, History, Message, Transfer
from soak.inboxes import PARTIAL_FOLDER, Inbox
from soak.judging import check_bodies, check_followed
from soak.recording import HEAD, KINDS, read_tape

OTHER_KEY = b"p" * 32


def message(no: int, mine: bool, body: bytes, kind: int = TEXT) -> Message:
    return Message(
        no,
        OTHER_KEY,
        mine,
        bytes([no]) * 16,
        kind,
        body,
        1,
        no if mine else 0,
        no,
        no,
        no,
        "",
        mine,
    )


HISTORY = History(
    [message(1, True, b"one"), message(2, False, b"two"), message(3, True, b"", OFFER)]
)


def test_a_text_that_is_there_twice_is_found() -> None:
    assert list(check_bodies(HISTORY)) == []
    again = History([*HISTORY.messages, message(4, False, b"two")])
    assert list(check_bodies(again)) == ["1 texts are in the history twice"]


def test_events_that_miss_or_repeat_are_found() -> None:
    told = [{"no": m.no, "id": m.id.hex(), "mine": m.mine, "ack": m.ack} for m in HISTORY.messages]
    for messages, fine in ((told, True), (told[:2], False), ([*told, told[2]], False)):
        follower = SimpleNamespace(messages=messages)
        assert (list(check_followed(follower, HISTORY)) == []) == fine  # type: ignore[arg-type]


def test_a_tape_is_good_up_to_where_it_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "a1.tape"
    records = [(KINDS.index(kind), frame) for kind, frame in (("asked", b"x"), ("told", b"yy"))]
    data = b"".join(HEAD.pack(kind, len(frame)) + frame for kind, frame in records)
    path.write_bytes(data)
    assert read_tape(path).frames == [(0, "asked", b"x"), (0, "told", b"yy")]
    for size in range(len(data)):
        path.write_bytes(data[:size])
        assert read_tape(path).frames == [(0, "asked", b"x")][: size >= HEAD.size + 1]


def test_a_file_lands_once_whole_and_under_its_name(tmp_path: Path) -> None:
    folder, sources = tmp_path / "in", tmp_path / "out"
    inbox = Inbox(folder, sources)
    assert list(inbox.look(list)) == []
    (folder / PARTIAL_FOLDER).mkdir(parents=True)
    sources.mkdir()
    for name in ("a", "b"):
        (sources / name).write_bytes(b"content")
    digest = hashlib.blake2b(b"content").hexdigest()
    offers = (("01", "a"), ("02", "b"))
    inbox.note_offers([{"id": i, "name": name, "digest": digest} for i, name in offers])
    (folder / "a").write_bytes(b"content")
    (folder / PARTIAL_FOLDER / "x").write_bytes(b"cont")
    assert inbox.partials() == 1
    assert list(inbox.look(list)) == []
    (folder / "b").write_bytes(b"cont")
    assert list(inbox.look(list)) == ["b has its final name and is not what was offered"]
    done, active = History(), History()
    done.transfers = {b"\x01": Transfer(OTHER_KEY, True, "done", "")}
    active.transfers = {b"\x01": Transfer(OTHER_KEY, False, "active", "")}
    inbox.tidy(done, active)
    assert (folder / "a").exists()
    inbox.tidy(done, done)
    assert not (folder / "a").exists()
    (folder / "a").write_bytes(b"content")
    assert list(inbox.look(list)) == ["a landed twice"]


def test_a_file_that_lands_while_the_offers_are_read_is_left_to_the_next_look(
    tmp_path: Path,
) -> None:
    inbox = Inbox(tmp_path, tmp_path)
    offer = {"id": "01", "name": "a", "digest": hashlib.blake2b(b"x").hexdigest()}

    def read_offers() -> list[dict[str, str]]:
        (tmp_path / "a").write_bytes(b"x")
        return []

    assert list(inbox.look(read_offers)) == []
    assert list(inbox.look(lambda: [offer])) == []
    assert list(inbox.landed) == ["a"]
