"""Texts that a person wrote and that no engine has made durable yet."""

import errno
import os
import random
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chatnet_client import kept as module
from chatnet_client.client_events import Answered
from chatnet_client.kept import KeptTexts, MemoryKeeper
from chatnet_client.kept_file import KeptFile
from chatnet_client.kept_records import KeptText, decode, encode_removal, encode_text
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import Command, Queued, SendMessage, WithdrawMessage

NOW_MS = 1_700_000_000_000


def id_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def text_of(number: int, text: str = "hello") -> KeptText:
    return KeptText(id_of(number), 1, text, NOW_MS + number)


class Ids:
    def __init__(self) -> None:
        self.last = 0

    def __call__(self) -> bytes:
        self.last += 1
        return id_of(self.last)


def make(keeper: module.Keeper | None = None) -> KeptTexts:
    return KeptTexts(keeper or MemoryKeeper(), new_id=Ids(), wall_ms=lambda: NOW_MS)


def answer(command: Command, code: ErrorCode | None = None, late: bool = False) -> Answered:
    error = CommandError(code, "That is not possible.") if code else None
    return Answered(1, command, None if error else Queued(1, 1), error, timed_out=late)


def words(texts: KeptTexts, peer: int = 1) -> list[str]:
    return [waiting.text.text for waiting in texts.texts(peer)]


# --- the state ---------------------------------------------------------------------------------


def test_a_text_waits_from_the_moment_it_is_written_until_it_is_durable() -> None:
    texts = make()
    assert texts.add(1, "hello") == ""
    assert words(texts) == ["hello"]
    assert texts.take_commands(live=False) == []
    (command,) = texts.take_commands(live=True)
    assert command == SendMessage(id_of(1), 1, "hello", 0, NOW_MS)
    assert words(texts) == ["hello"]
    assert texts.handle_answer(answer(command)) is None
    assert words(texts) == []
    assert len(texts) == 0


def test_texts_go_one_after_the_other_in_their_order() -> None:
    texts = make()
    for text in "abc":
        texts.add(1, text)
    order = []
    while commands := texts.take_commands(live=True):
        assert texts.take_commands(live=True) == []
        (command,) = commands
        assert isinstance(command, SendMessage)
        order.append(command.text)
        texts.handle_answer(answer(command))
    assert order == ["a", "b", "c"]


def test_an_answer_that_never_came_is_asked_for_again_under_the_same_id() -> None:
    texts = make()
    texts.add(1, "hello")
    (first,) = texts.take_commands(live=True)
    texts.handle_answer(answer(first, ErrorCode.BUSY, late=True))
    (second,) = texts.take_commands(live=True)
    assert second == first


@pytest.mark.parametrize("code", sorted(module.PASSING))
def test_what_may_pass_is_asked_for_again_after_a_pause(code: ErrorCode) -> None:
    texts = make()
    texts.add(1, "hello")
    (first,) = texts.take_commands(live=True)
    texts.handle_answer(answer(first, code))
    assert texts.take_commands(live=True) == []
    due = texts.next_timeout()
    assert due is not None
    texts.handle_timeout(100.0)
    assert texts.next_timeout() == 100.0 + module.RETRY_S
    texts.handle_timeout(100.0 + module.RETRY_S)
    assert texts.next_timeout() is None
    assert texts.take_commands(live=True) == [first]


def test_what_cannot_be_sent_stays_with_its_reason_and_holds_nothing_up() -> None:
    texts = make()
    texts.add(1, "to nobody")
    texts.add(1, "hello")
    (first,) = texts.take_commands(live=True)
    refused = texts.handle_answer(answer(first, ErrorCode.UNKNOWN_PEER))
    assert refused is not None
    assert refused.refused == "That is not possible."
    assert words(texts) == ["to nobody", "hello"]
    (second,) = texts.take_commands(live=True)
    assert isinstance(second, SendMessage)
    assert second.text == "hello"
    assert texts.take_back(id_of(1)) == "to nobody"
    texts.handle_answer(answer(second))
    assert texts.take_commands(live=True) == []


def test_a_text_that_waits_can_be_taken_back_but_not_while_it_is_handed_over() -> None:
    texts = make()
    texts.add(1, "a")
    texts.add(1, "b")
    (first,) = texts.take_commands(live=True)
    assert texts.take_back(id_of(1)) is None
    assert texts.take_back(id_of(2)) == "b"
    assert texts.take_back(id_of(2)) is None
    texts.handle_answer(answer(first))
    assert texts.take_commands(live=True) == []


def test_a_text_that_an_engine_may_have_is_withdrawn_there_when_it_is_taken_back() -> None:
    texts = make()
    texts.add(1, "a")
    (first,) = texts.take_commands(live=True)
    texts.handle_answer(answer(first, ErrorCode.BUSY, late=True))
    assert texts.take_back(id_of(1)) == "a"
    assert texts.take_commands(live=False) == []
    (command,) = texts.take_commands(live=True)
    assert command == WithdrawMessage(id_of(1), 1)
    assert texts.handle_answer(answer(command, ErrorCode.NOT_ALLOWED)) is None


def test_each_text_clears_the_draft_that_it_was() -> None:
    texts = make()
    texts.add(1, "a")
    texts.set_draft_revision(7)
    (command,) = texts.take_commands(live=True)
    assert isinstance(command, SendMessage)
    assert command.draft_revision == 7
    texts.set_draft_revision(8)
    texts.handle_answer(answer(command, ErrorCode.BUSY, late=True))
    assert texts.take_commands(live=True) == [command]


def test_beyond_the_limits_a_text_stays_in_the_box(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TEXTS", 2)
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    texts = make()
    assert texts.add(1, "12345") == ""
    assert texts.add(1, "123456") == module.FULL
    assert texts.add(1, "12345") == ""
    assert texts.add(1, "") == module.FULL
    assert texts.add(1, "x" * 65537) == module.TOO_LONG
    texts.take_back(id_of(1))
    assert texts.add(1, "12345") == ""
    assert len(texts) == 2


# --- the records ---------------------------------------------------------------------------------


def test_records_come_back_as_they_were_written() -> None:
    first, second = text_of(1, "Grüße\n\x00 \U0001f600"), text_of(2)
    data = encode_text(first) + encode_text(second) + encode_removal(id_of(2))
    assert data.count(b"\n") == 3
    assert decode(data) == [first]
    assert decode(encode_text(first) + data) == [first]


def test_a_file_cut_or_zeroed_anywhere_loses_what_is_cut_alone() -> None:
    records = [encode_text(text_of(number, f"text {number}")) for number in range(1, 4)]
    data = b"".join(records)
    for cut in range(len(data) + 1):
        whole = sum(1 for end in range(1, 4) if len(b"".join(records[:end])) <= cut + 1)
        assert len(decode(data[:cut])) == whole
        assert len(decode(data[:cut] + bytes(len(data) - cut))) in (whole, whole - 1)


def test_damage_is_skipped() -> None:
    chance = random.Random(1)
    data = bytearray(b"".join(encode_text(text_of(n, f"text {n}")) for n in range(1, 6)))
    known = {(text.id, text.text) for text in decode(bytes(data))}
    for _ in range(500):
        damaged = bytearray(data)
        damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        assert {(text.id, text.text) for text in decode(bytes(damaged))} < known


# --- the file ------------------------------------------------------------------------------------


@pytest.fixture
def keeper(tmp_path: Path) -> KeptFile:
    return KeptFile(str(tmp_path))


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("typed-*"))


def test_what_is_kept_is_in_a_private_file_before_append_returns(
    keeper: KeptFile, tmp_path: Path
) -> None:
    keeper.append(text_of(1))
    keeper.append(text_of(2))
    keeper.remove(id_of(1))
    (path,) = files(tmp_path)
    assert decode(path.read_bytes()) == [text_of(2)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keeper.remove(id_of(2))
    assert path.read_bytes() == b""
    keeper.close()
    assert files(tmp_path) == []


def test_closing_loses_nothing_and_the_next_front_end_takes_over(
    keeper: KeptFile, tmp_path: Path
) -> None:
    keeper.append(text_of(1))
    other = KeptFile(str(tmp_path))
    assert other.adopt() == []  # its owner lives
    keeper.close()
    assert other.adopt() == [text_of(1)]
    (path,) = files(tmp_path)
    assert decode(path.read_bytes()) == [text_of(1)]
    assert other.adopt() == []
    other.close()


def test_what_a_killed_front_end_left_is_adopted(keeper: KeptFile, tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from chatnet_client.kept_file import KeptFile;"
        "from chatnet_client.kept_records import KeptText;"
        "KeptFile(sys.argv[1]).append(KeptText(bytes(15) + b'\\11', 1, 'hello', 5));"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={"PYTHONPATH": path},
        check=False,
        timeout=60,
    )
    texts = make(keeper)
    texts.add(1, "handed over already")
    texts.take_commands(live=True)
    texts.add(1, "written since")
    assert texts.adopt()
    assert words(texts) == ["handed over already", "hello", "written since"]
    texts.close()


def test_a_draft_that_was_sent_is_cleared_by_the_text_that_is_adopted() -> None:
    class Left(MemoryKeeper):
        def adopt(self) -> list[KeptText]:
            return [text_of(1, "hello"), text_of(2, "other")]

    texts = make(Left())
    texts.adopt(lambda peer: ("hello", 7))
    (first,) = texts.take_commands(live=True)
    texts.handle_answer(answer(first))
    (second,) = texts.take_commands(live=True)
    assert isinstance(first, SendMessage)
    assert isinstance(second, SendMessage)
    assert (first.draft_revision, second.draft_revision) == (7, 0)


def test_a_full_disk_leaves_the_text_in_the_box_and_the_file_whole(
    keeper: KeptFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    texts = make(keeper)
    assert texts.add(1, "one") == ""

    def full(fd: int, data: bytes, offset: int) -> int:
        if len(data) > 100:
            return real(fd, data[:60], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    problem = texts.add(1, "two" * 40)
    assert "No space left on device" in problem
    assert words(texts) == ["one"]
    monkeypatch.setattr(os, "pwrite", real)
    assert texts.add(1, "three") == ""
    (path,) = files(tmp_path)
    assert [text.text for text in decode(path.read_bytes())] == ["one", "three"]
    texts.close()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    texts = make(KeptFile(str(tmp_path / "absent")))
    assert "No such file or directory" in texts.add(1, "one")
    assert not texts.adopt()
    texts.close()


def test_a_file_that_cannot_be_taken_over_stays(
    keeper: KeptFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper.append(text_of(1))
    keeper.close()

    def full(fd: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    other = KeptFile(str(tmp_path))
    with monkeypatch.context() as context:
        context.setattr(os, "pwrite", full)
        assert other.adopt() == []
    assert other.adopt() == [text_of(1)]
    other.close()
    assert len(files(tmp_path)) == 1


def test_a_file_with_many_removals_is_written_anew(
    keeper: KeptFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatnet_client.kept_file.WRITE_ANEW_BYTES", 2000)
    keeper.append(text_of(1, "stays"))
    for number in range(2, 60):
        keeper.append(text_of(number))
        keeper.remove(id_of(number))
    (path,) = files(tmp_path)
    assert path.stat().st_size < 2500
    assert decode(path.read_bytes()) == [text_of(1, "stays")]
    other = KeptFile(str(tmp_path))
    assert other.adopt() == []  # the new file has an owner too
    keeper.close()


def test_links_and_strange_files_are_left_alone(keeper: KeptFile, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(encode_text(text_of(1)))
    (tmp_path / "typed-link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "typed-pipe")
    (tmp_path / "typed-folder").mkdir()
    assert keeper.adopt() == []
    keeper.close()
    assert (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("seed", range(5))
def test_whatever_dies_every_text_is_sent_once_or_kept(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    numbers = Ids()
    stored: dict[bytes, str] = {}
    order: list[str] = []
    written = 0

    def start() -> KeptTexts:
        texts = KeptTexts(KeptFile(str(tmp_path)), new_id=numbers, wall_ms=lambda: NOW_MS)
        texts.adopt()
        return texts

    def step(texts: KeptTexts, heard: Callable[[], bool]) -> None:
        for command in texts.take_commands(live=True):
            assert isinstance(command, SendMessage)
            if command.id not in stored:
                stored[command.id] = command.text
                order.append(command.text)
            late = not heard()
            texts.handle_answer(answer(command, ErrorCode.BUSY if late else None, late))

    texts = start()
    for _ in range(200):
        match chance.randrange(4):
            case 0 | 1:
                assert texts.add(1, f"{written:05}") == ""
                written += 1
            case 2:
                step(texts, lambda: chance.random() < 0.5)
            case 3 if chance.random() < 0.2:
                texts.close()
                texts = start()
    while len(texts):
        step(texts, lambda: True)
    texts.close()
    assert order == [f"{number:05}" for number in range(written)]


def test_an_answer_is_kept_with_what_it_answers() -> None:
    texts = make()
    texts.add(1, "yes", 0, id_of(99))
    (command,) = texts.take_commands(live=True)
    assert command == SendMessage(id_of(1), 1, "yes", 0, NOW_MS, id_of(99))
    kept = KeptText(id_of(1), 1, "yes", NOW_MS, id_of(99))
    assert decode(encode_text(kept)) == [kept]
    short = encode_text(KeptText(id_of(2), 1, "no", NOW_MS, b"short"))
    assert decode(encode_text(kept) + short) == [kept], "a line that nobody writes is skipped"
