"""`events` and `history`: what happens and what happened, for people and for programs."""

import argparse
from collections.abc import Iterator, Sequence
from functools import partial

from chatnet_cli import render, targets
from chatnet_cli.details import detail_lines, details_object
from chatnet_cli.environment import Environment, ExitStatus, Failure, UsageError
from chatnet_cli.news import News
from chatnet_cli.verbs import restoring
from chatnet_client.client import Client
from chatnet_client.client_events import Changed, ClientEvent, EngineLost, Live, Missed, Reset
from chatnet_client.quotes import Quotes
from chatnet_client.words.deliveries import question
from chatnet_protocol.ipc.commands import Delivery, FetchHistory
from chatnet_protocol.ipc.events import Event, MessagesAdded, MessagesRestored
from chatnet_protocol.ipc.rows import ClientRole, MessageRow
from chatnet_protocol.ipc.view import PeerView
from chatnet_protocol.limits import MAX_HISTORY_ROWS

READER_CHECK_S = 1.0
"""How often `events` looks whether anybody still reads it while nothing happens."""


def events(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Print what happens, for ever; with --since first every durable message after that one."""
    with targets.attach(
        env, options, role=ClientRole.READ_ONLY, since_no=options.since, keep_up=True
    ) as client:
        only = None
        if options.peer is not None:
            only = targets.find_peer(client.view, options.peer).info.peer
        news, quotes = News(), QuoteLines(client)
        while not env.reader_is_gone():
            event = client.next_event(READER_CHECK_S)
            if event is None:
                continue
            shown = _objects if options.json else partial(_lines, news, quotes)
            for line in shown(event, client, only):
                env.out(line)
    return ExitStatus.DONE


def history(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Print stored messages, oldest first; or ask for and give lost ones back."""
    if options.restore or options.give or options.refuse:
        return restoring.run(env, options)
    if options.stop or options.timeout is not None:
        raise UsageError("--stop and --timeout go with --restore.")
    if options.details is not None:
        return _details(env, options)
    with targets.attach(env, options, role=ClientRole.READ_ONLY) as client:
        number = 0
        if options.peer is not None:
            number = targets.find_peer(client.view, options.peer).info.peer
        found = _newest(client, number, options.limit, options.search)
        if options.search and not found:
            env.say("No message and no file name matches.")
        quotes = QuoteLines(client)
        if not options.json:
            quotes.want(found)
        for peer, row in reversed(found):
            view = client.view.peer(peer)
            if options.json:
                env.out(render.dumps(render.message_object(row, client.view, peer)))
            elif view is not None:
                for line in (*quotes.lines(view, row), render.message_line(row, view, day=True)):
                    env.out(line)
    return ExitStatus.DONE


def _details(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Print everything that is known of one message."""
    with targets.attach(env, options, role=ClientRole.READ_ONLY) as client:
        page = client.history(FetchHistory(after_no=options.details - 1, limit=1))
        for number, row in zip(page.peers, page.rows, strict=True):
            peer = client.view.peer(number)
            if row.no != options.details or peer is None:
                continue
            delivery = client.ask(question(row, number), Delivery)
            if options.json:
                message = render.message_object(row, client.view, number)
                env.out(render.dumps(details_object(message, delivery)))
            else:
                for line in detail_lines(row, delivery, peer):
                    env.out(line)
            return ExitStatus.DONE
    raise Failure(f"There is no message {options.details} in the history.")


class QuoteLines:
    """What the messages say that others answer, asked of the engine when it is needed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._quotes: dict[int, Quotes] = {}

    def want(self, found: Sequence[tuple[int, MessageRow]]) -> None:
        """Know what the messages in `found` answer. Raises CommandError, RequestTimeout."""
        for peer in {peer for peer, row in found if row.reply_to}:
            quotes = self._quotes.setdefault(peer, Quotes(peer))
            quotes.want([row for number, row in found if number == peer])
            while command := quotes.take_command():
                quotes.handle_page(self._client.history(command))

    def handle_event(self, event: Event) -> None:
        """What was missing may have come."""
        for quotes in self._quotes.values():
            quotes.handle_event(event)

    def lines(self, peer: PeerView, row: MessageRow) -> list[str]:
        """What stands above a message that answers another."""
        quotes = self._quotes.get(peer.info.peer)
        if not row.reply_to or quotes is None:
            return []
        return [render.quote_line(quotes.find(row), peer)]


def _newest(client: Client, peer: int, limit: int, search: str) -> list[tuple[int, MessageRow]]:
    found: list[tuple[int, MessageRow]] = []
    place, no = 0, 0
    while len(found) < limit:
        wanted = min(MAX_HISTORY_ROWS, limit - len(found))
        page = client.history(
            FetchHistory(peer=peer, before_place=place, before_no=no, limit=wanted, search=search)
        )
        found += zip(page.peers, page.rows, strict=False)
        if not page.rows or not page.more:
            break
        place, no = page.rows[-1].place, page.rows[-1].no
    return found


def _messages(event: ClientEvent) -> list[tuple[int, MessageRow]]:
    if isinstance(event, Missed):
        return list(zip(event.peers, event.rows, strict=False))
    if isinstance(event, Changed) and isinstance(event.event, MessagesAdded | MessagesRestored):
        return [(event.event.peer, row) for row in event.event.rows]
    return []


def _objects(event: ClientEvent, client: Client, only: int | None) -> Iterator[str]:
    for peer, row in _messages(event):
        if only in (None, peer):
            yield render.dumps(render.message_object(row, client.view, peer))
    match event:
        case Reset(view=view, boot=boot):
            yield render.dumps(
                {
                    "type": "attached",
                    "session": view.session.name,
                    "boot": boot.hex(),
                    "last_no": view.last_no,
                }
            )
        case EngineLost(reason=reason):
            yield render.dumps({"type": "engine-lost", "reason": reason})
        case Live():
            yield render.dumps({"type": "live"})
        case Changed(event=change) if not isinstance(change, MessagesAdded | MessagesRestored):
            inner = getattr(change, "row", None)
            number = getattr(change, "peer", getattr(inner, "peer", None))
            if only is None or number in (None, only):
                yield render.dumps(render.struct_object(change))
        case _:
            pass


def _lines(
    news: News, quotes: QuoteLines, event: ClientEvent, client: Client, only: int | None
) -> Iterator[str]:
    if isinstance(event, Changed):
        quotes.handle_event(event.event)
    quotes.want(_messages(event))
    for number, row in _messages(event):
        peer = client.view.peer(number)
        if peer is not None and only in (None, number):
            yield from quotes.lines(peer, row)
            yield render.message_line(row, peer, day=row.restored)
    match event:
        case EngineLost(reason=reason):
            yield f"-- {reason}; waiting for the engine"
        case Changed(event=change):
            for line in news.of(change, client.mirror):
                if only is None or line.peer in (0, only):
                    yield f"-- {line.text}"
        case _:
            pass
