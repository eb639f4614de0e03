"""A session made by hand for tests of the window: rows, a view, and a client without an engine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from chatnet_client.client_events import (
    Answered,
    Changed,
    ClientEvent,
    EngineLost,
    Gauged,
    Live,
    Outage,
    Reset,
)
from chatnet_client.kept import Keeper
from chatnet_client.words import outage_words
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import (
    AddPeer,
    CleanUp,
    Command,
    Done,
    DraftSet,
    FetchHistory,
    FetchSpace,
    HistoryPage,
    MakeInvite,
    Queued,
    Result,
    SendMessage,
    SetDraft,
    Space,
)
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.ipc.rows import (
    ClientRow,
    LinkRow,
    MessageKind,
    MessageRow,
    PeerRow,
    SessionRow,
    TransferRow,
)
from chatnet_protocol.ipc.view import PeerView, View, screen_order
from chatnet_qt.bridge import OnEvent
from chatnet_qt.conversation_pane import ConversationPane
from chatnet_qt.main_window import MainWindow
from chatnet_qt.qt import QApplication, QElapsedTimer, QEvent, QEventLoop, QScrollBar, present
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings

C = TypeVar("C")
NOW_MS = 1_790_000_000_000
ME = 7
"""Number of the window among the clients."""


def message_id(no: int) -> bytes:
    return no.to_bytes(16, "big")


def text_row(
    no: int, text: str, *, mine: bool = False, ack: int = 0, seq: int = 0, at_ms: int = 0
) -> MessageRow:
    at_ms = at_ms or NOW_MS + no * 1000
    source = "" if mine else "10.0.0.7:5001"
    return MessageRow(
        no=no,
        id=message_id(no),
        mine=mine,
        kind=MessageKind.TEXT,
        body=text.encode(),
        sent_ms=at_ms,
        arrived_ms=at_ms,
        seq=seq,
        ack=ack,
        source=source,
        lamport=no,
        place=no,
    )


def offer_row(
    no: int, name: str, size_bytes: int, *, mine: bool = False, **more: int
) -> MessageRow:
    body = encode_offer(Offer([OfferedFile([name], size_bytes)]))
    row = text_row(no, "", mine=mine, **more)
    return msgspec.structs.replace(row, kind=int(MessageKind.OFFER), body=body)


def transfer_row(
    row: MessageRow, state: str, name: str, size_bytes: int, **more: Any
) -> TransferRow:
    fields = {"files": 1, **more}
    return TransferRow(
        id=row.id,
        peer=1,
        no=row.no,
        mine=row.mine,
        state=state,
        name=name,
        size_bytes=size_bytes,
        **fields,
    )


def peer_view(number: int = 1, *, name: str = "Bob", state: str = "up", **more: Any) -> PeerView:
    info = PeerRow(
        peer=number,
        name=name,
        host="10.0.0.7",
        port=5000 + number,
        key=bytes(range(32)),
        trust="pinned",
        address=f"10.0.0.7:{5000 + number}",
        safety_number=" ".join(f"{n * 7919 % 100000:05d}" for n in range(1, 13)),
    )
    link = LinkRow(peer=number, state=state, since_ms=NOW_MS, address=f"10.0.0.7:{5000 + number}")
    view = PeerView(info=info, link=link)
    for key, value in more.items():
        setattr(view, key, value)
    return view


def with_rows(peer: PeerView, rows: list[MessageRow]) -> PeerView:
    peer.messages = rows
    peer.last_no = max((row.no for row in rows), default=0)
    peer.last_seq = max((row.seq for row in rows if row.mine), default=0)
    peer.last_ack = max((row.ack for row in rows if not row.mine), default=0)
    return peer


def session_view(*peers: PeerView) -> View:
    session = SessionRow(
        name="12345",
        display_name="Ann",
        host="0.0.0.0",
        port=12345,
        key=bytes(32),
        fingerprint="",
        inbox="/home/ann/Downloads/ChatNet",
        log="/home/ann/.local/share/chatnet/engine.log",
        version="0.1.0",
    )
    clients = [ClientRow(ME, "qt", "full", NOW_MS)]
    return View(session=session, peers=list(peers), clients=clients)


class FakeClient:
    """Keeps the commands, answers those that need no person, and says what the test wants said."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self.commands: list[Command] = []
        self.history: list[MessageRow] = []
        self.page_of: Callable[[FetchHistory], HistoryPage] = self._page
        """Answers FetchHistory; CommandError is an answer too."""
        self.unanswered: list[tuple[int, Command]] = []
        self.answers_messages = True
        self.held: set[type] = set()
        """Commands that wait until the test answers them."""
        self.closed = False
        self.engine_starts = 0
        self._token = 0

    def start(self) -> None:
        pass

    def start_engine(self) -> None:
        self.engine_starts += 1

    def close(self) -> None:
        self.closed = True

    def send(self, command: Command) -> int:
        self._token += 1
        self.commands.append(command)
        try:
            result = self._result(command)
        except CommandError as error:
            self._on_event(Answered(self._token, command, None, error))
            return self._token
        if result is None:
            self.unanswered.append((self._token, command))
        else:
            self._on_event(Answered(self._token, command, result, None))
        return self._token

    def _result(self, command: Command) -> Result | None:
        if type(command) in self.held:
            return None
        match command:
            case FetchHistory():
                return self.page_of(command)
            case SetDraft() | MakeInvite() | AddPeer():
                return None
            case FetchSpace() | CleanUp():
                return Space()
            case SendMessage():
                return Queued(no=1, seq=1) if self.answers_messages else None
            case _:
                return Done()

    def _page(self, command: FetchHistory) -> HistoryPage:
        rows = [row for row in self.history if command.search in row.text]
        if command.ids:
            rows = [row for row in self.history if row.id in command.ids]
            return HistoryPage(rows=rows, peers=[command.peer] * len(rows), more=False)
        if command.after_place is not None:
            rows.sort(key=screen_order)
            after = (command.after_place, command.after_no or 0)
            at = [(row.place, row.no) for row in rows]
            rows = rows[at.index(after) + 1 :] if after in at else rows
            page, more = rows[: command.limit], len(rows) > command.limit
        elif command.after_no is not None:
            rows = sorted((r for r in rows if r.no > command.after_no), key=lambda r: r.no)
            page, more = rows[: command.limit], len(rows) > command.limit
        else:
            if command.before_place or command.before_no:
                before = (command.before_place, command.before_no)
                rows = [row for row in rows if (row.place, row.no) < before]
            rows.sort(key=screen_order)
            page, more = rows[-command.limit :], len(rows) > command.limit
        return HistoryPage(rows=page, peers=[command.peer] * len(page), more=more)

    # --- what the test says ---

    def asked(self, kind: type[C]) -> list[C]:
        return [command for command in self.commands if isinstance(command, kind)]

    def answer(self, result: Result | None = None, error: str = "") -> None:
        """Answer the oldest unanswered command."""
        token, command = self.unanswered.pop(0)
        failure = CommandError(ErrorCode.INVALID, error) if error else None
        self._on_event(Answered(token, command, result, failure))

    def answer_draft(self, accepted: bool, revision: int, text: str) -> None:
        self.answer(DraftSet(accepted=accepted, revision=revision, text=text))

    def time_out(self) -> None:
        token, command = self.unanswered.pop(0)
        late = CommandError(ErrorCode.BUSY, "The engine did not answer in time.")
        self._on_event(Answered(token, command, None, late, timed_out=True))

    def say(self, *events: ClientEvent) -> None:
        for event in events:
            self._on_event(event)

    def reset(self, view: View, boot: bytes = b"boot") -> None:
        self.say(Reset(view, boot, 1, ME), Live(ME))

    def change(self, *events: ev.Event) -> None:
        self.say(*(Changed(0, event) for event in events))

    def gauge(self, gauge: ev.Gauge) -> None:
        self.say(Gauged(gauge))

    def lose(self, reason: str = "no heartbeat for 3 s", outage: Outage | None = None) -> None:
        self.say(EngineLost(outage_words(outage) if outage else reason, outage))


@dataclass
class Stage:
    """A window on a fake client."""

    app: QApplication
    session: Session
    window: MainWindow
    client: FakeClient

    @property
    def pane(self) -> ConversationPane:
        assert self.window.pane is not None
        return self.window.pane

    @property
    def bar(self) -> QScrollBar:
        return present(self.pane.view.verticalScrollBar())

    def settle(self) -> None:
        """Let everything that is waiting happen: posted events, and timers that are due soon."""
        for _ in range(5):
            self.app.processEvents()
        pane = self.window.pane
        if pane is not None:
            pane.view.report_now()
        for _ in range(5):
            self.app.processEvents()

    def until(self, true: Callable[[], bool], within_ms: int = 60_000) -> None:
        """Run the event loop until something holds; fails after that time."""
        deadline = QElapsedTimer()
        deadline.start()
        while not true():
            assert deadline.elapsed() < within_ms, "it did not happen"
            self.app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)

    def arrive(self, *rows: MessageRow, peer: int = 1) -> None:
        self.client.change(ev.MessagesAdded(peer=peer, first_no=rows[0].no, rows=list(rows)))
        self.settle()

    def close(self) -> None:
        """Take the window away."""
        self.window.close()
        self.session.close()
        self.window.deleteLater()
        self.session.deleteLater()
        self.app.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        self.app.processEvents()


MakeStage = Callable[..., Stage]


def open_stage(
    app: QApplication,
    folder: str,
    view: View | None = None,
    *,
    size: tuple[int, int] = (600, 500),
    history: Sequence[MessageRow] = (),
    page_of: Callable[[FetchHistory], HistoryPage] | None = None,
    keeper: Keeper | None = None,
) -> Stage:
    """A window of `size` on `view`, its settings in `folder`."""
    clients: list[FakeClient] = []

    def make_client(on_event: OnEvent) -> FakeClient:
        clients.append(FakeClient(on_event))
        return clients[0]

    session = Session(make_client, keeper=keeper)
    window = MainWindow(session, Settings(folder))
    window.resize(*size)
    stage = Stage(app, session, window, clients[0])
    clients[0].history = list(history)
    if page_of is not None:
        clients[0].page_of = page_of
    window.show()
    app.setActiveWindow(window)
    session.start()
    if view is not None:
        clients[0].reset(view)
    stage.settle()
    return stage
