"""The grammar of the command line: verbs, options, help with examples."""

import argparse
from typing import TypeAlias

from chatnet_cli.arguments import allowed_size_of, count, host, port, seconds, size_of
from chatnet_cli.parser import EXAMPLES, HelpFormatter, Parser

VERB_OPTIONS = ("--session", "--peer")
"""Options that stand anywhere and take a value."""
WHO = "name, number or address of the peer"


def build() -> argparse.ArgumentParser:
    """The parser; `verb` in its result names what to do."""
    parser = Parser(
        prog="chatnet",
        usage="chatnet LOCAL_PORT PEER_HOST PEER_PORT\n       chatnet VERB ...",
        description="Chat and send files directly between two machines: no server, no account.",
        epilog=EXAMPLES,
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    verbs = parser.add_subparsers(dest="verb", title="verbs", metavar="VERB", parser_class=Parser)
    _add_starting(verbs)
    _add_sending(verbs)
    _add_reading(verbs)
    _add_transfers(verbs)
    _add_peers(verbs)
    _add_session(verbs)
    return parser


Verbs: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001 - argparse has no other name for it


def _verb(verbs: Verbs, name: str, summary: str, example: str, *, peer: bool = True) -> Parser:
    parser: Parser = verbs.add_parser(
        name,
        prog=f"chatnet {name}",
        help=summary,
        description=summary,
        epilog="examples:\n" + "\n".join(f"  {line}" for line in example.splitlines()),
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--session", metavar="NAME", help="only needed if several are running")
    if peer:
        parser.add_argument("--peer", metavar="NAME", help=WHO)
    return parser


def _json(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def _timeout(parser: Parser | argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--timeout",
        type=seconds,
        metavar="S",
        help="stop waiting after S seconds (exit 4)",
    )


def _add_starting(verbs: Verbs) -> None:
    start = _verb(
        verbs,
        "start",
        "start this session's engine if none runs, and chat",
        "chatnet 12345 192.168.233.128 12346",
        peer=False,
    )
    start.splits_addresses = True
    start.add_argument("local_port", type=port, metavar="LOCAL_PORT")
    start.add_argument("peer_host", type=host, metavar="PEER_HOST", help="or HOST:PORT")
    start.add_argument("peer_port", type=port, metavar="PEER_PORT")
    start.add_argument("--front-end", metavar="NAME", help="qt, cli, or another that is installed")
    start.add_argument("--name", metavar="NAME", help="what peers see as your name")
    start.add_argument("--bind", metavar="ADDR", help="local address of the engine")
    _add_invite(start)
    start.add_argument("--limit", metavar="RATE", help="files move at most so fast: 5MB a second")
    start.add_argument("--impair", metavar="SPEC", help="a bad network on purpose: loss=20%%,...")
    _verb(
        verbs,
        "engine",
        "run the engine in the foreground (-d: in the background)",
        "chatnet engine 12345 192.168.233.128 12346\nchatnet engine --help",
        peer=False,
    )
    attach = _verb(
        verbs,
        "attach",
        "attach a front end to a running session",
        "chatnet attach\nchatnet attach cli --peer bob",
    )
    attach.add_argument("front_end", nargs="?", metavar="qt|cli|NAME")
    attach.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="for the front end")


def _add_sending(verbs: Verbs) -> None:
    send = _verb(
        verbs,
        "send",
        "send a text",
        'chatnet send "on my way"\nfortune | chatnet send - --wait read --timeout 60',
    )
    send.add_argument("text", metavar="TEXT|-", help="the text, or - for standard input")
    send.add_argument(
        "--reply-to",
        metavar="NO|ID",
        help="the message that it answers: its number in the history, or its id",
    )
    send.add_argument("--wait", choices=("queued", "delivered", "read"), default="queued")
    _timeout(send)
    _json(send)
    withdraw = _verb(
        verbs,
        "withdraw",
        "take back a text that was never sent",
        "chatnet withdraw 17",
        peer=False,
    )
    withdraw.add_argument("--delete", action="store_true", help="erase its words as well")
    withdraw.add_argument("number", type=count, metavar="NO", help="its number in the history")
    files = _verb(
        verbs,
        "send-file",
        "offer files or folders",
        "chatnet send-file photo.jpg notes/ --wait done --timeout 600",
    )
    files.add_argument("paths", nargs="+", metavar="PATH")
    files.add_argument("--update", action="store_true", help="send what changed in one folder")
    files.add_argument("--wait", choices=("accepted", "done"))
    _timeout(files)
    _json(files)


def _add_reading(verbs: Verbs) -> None:
    events = _verb(
        verbs,
        "events",
        "show what happens, live",
        "chatnet events\nchatnet events --json --since 0",
    )
    events.add_argument("--since", type=count, metavar="N", help="start after message N")
    _json(events)
    history = _verb(
        verbs,
        "history",
        "show stored messages; --restore: get lost ones from the peer",
        "chatnet history --limit 20\nchatnet history --search holiday --json\n"
        "chatnet history --restore    (messages were lost here: ask for them)\n"
        "chatnet history --give       (on the other side: consent)",
    )
    history.add_argument("--limit", type=count, default=50, metavar="N", help="default: 50")
    history.add_argument("--search", default="", metavar="TEXT", help="in texts and file names")
    history.add_argument("--details", type=count, metavar="NO", help="all about one message")
    _json(history)
    back = history.add_argument_group("after a loss")
    what = back.add_mutually_exclusive_group()
    what.add_argument(
        "--restore", action="store_true", help="ask the peer for what is missing here, and wait"
    )
    what.add_argument(
        "--give", action="store_true", help="send the conversation to a peer that asks for it"
    )
    what.add_argument("--refuse", action="store_true", help="refuse it, or stop sending")
    back.add_argument("--stop", action="store_true", help="with --restore: stop asking")
    _timeout(back)
    export = _verb(
        verbs,
        "export",
        "write the whole history: JSON lines, or Markdown",
        "chatnet export > history.jsonl\nchatnet export --format markdown --peer bob bob.md",
    )
    export.add_argument("file", nargs="?", default="-", metavar="FILE", help="default: stdout")
    export.add_argument("--format", choices=("jsonl", "markdown"), default="jsonl")
    backup = _verb(
        verbs,
        "backup",
        "copy the running session: history, keys, identity",
        "chatnet backup ~/backup/today\nchatnet backup --history-only /media/disk/history",
        peer=False,
    )
    backup.add_argument("folder", metavar="FOLDER", help="a new or an empty folder")
    backup.add_argument("--history-only", action="store_true", help="no keys, only the messages")
    _timeout(backup)
    restore = _verb(
        verbs,
        "restore-backup",
        "restore a backup into a session that is not running",
        "chatnet restore-backup ~/backup/today --session 12345 --replace",
        peer=False,
    )
    restore.add_argument("folder", metavar="FOLDER", help="what `chatnet backup` made")
    restore.add_argument("--replace", action="store_true", help="what is there now is set aside")


def _add_transfers(verbs: Verbs) -> None:
    listing = _verb(
        verbs,
        "transfers",
        "list files sent and received; --watch: live",
        "chatnet transfers --json\nchatnet transfers --watch",
    )
    listing.add_argument("--watch", action="store_true", help="keep printing changes")
    _json(listing)
    for name, summary in (
        ("accept", "accept files; download finished ones again"),
        ("allow-updates", "let the sender's updates take a received folder's place"),
        ("reject", "refuse offered files"),
        ("pause", "pause a file"),
        ("resume", "resume a paused file"),
        ("cancel", "cancel a transfer"),
    ):
        parser = _verb(verbs, name, summary, f"chatnet {name} 17", peer=False)
        parser.add_argument("id", metavar="ID", help="its number, or the start of its id")
        if name == "accept":
            parser.add_argument("--folder", metavar="PATH", help="where to put the files")
            always = "from now on accept files of this peer up to SIZE automatically"
            parser.add_argument("--always", type=size_of, metavar="SIZE", help=always)
        elif name == "allow-updates":
            parser.add_argument("--off", action="store_true", help="no longer")


def _add_peers(verbs: Verbs) -> None:
    _json(_verb(verbs, "peers", "list peers and links", "chatnet peers", peer=False))
    peer = _verb(
        verbs,
        "peer",
        "add, name, verify, auto-accept, trust, block, retry or remove a peer",
        "chatnet peer add 192.168.233.128 12346 --name bob\nchatnet peer verify bob\n"
        "chatnet peer auto-accept bob 1GB",
    )
    actions = peer.add_subparsers(dest="action", required=True, parser_class=Parser)
    _add_address(
        actions.add_parser("add", help="add a peer by address", description="add a peer by address")
    )
    for name, summary in (
        ("name", "change what a peer is called"),
        ("address", "dial a peer somewhere else from now on; its key stays"),
        ("verify", "compare the safety number"),
        ("auto-accept", "accept files up to this size automatically; 0: always ask"),
        ("trust", "accept a stranger or an uninvited first contact; --replace: a changed key"),
        ("keep", "keep refusing a different key; it is not asked about again"),
        ("retry", "reconnect now"),
        ("block", "answer this key no more; nothing of it arrives, the conversation stays"),
        ("unblock", "answer it again"),
        ("remove", "forget address and key; the history stays"),
    ):
        _add_peer_action(name, actions.add_parser(name, help=summary, description=summary))
    _verb(
        verbs,
        "invite",
        "create an invite for a new peer",
        "chatnet invite\nchatnet join LINE    (on the other side)",
    )
    join = _verb(
        verbs, "join", "add the peer who made an invite", "chatnet join 'chatnet:1/…'", peer=False
    )
    join.add_argument("text", metavar="LINE", help="from chatnet invite, or HOST:PORT; -: stdin")
    alias = _verb(
        verbs, "peer-add", "the same as peer add", "chatnet peer-add 10.0.0.7 5001", peer=False
    )
    _add_address(alias, session=False)
    alias.set_defaults(action="add")


def _add_peer_action(name: str, parser: Parser) -> None:
    parser.add_argument("--session", default=argparse.SUPPRESS, metavar="NAME")
    parser.add_argument("--peer", default=argparse.SUPPRESS, metavar="NAME", help=WHO)
    parser.add_argument("who", nargs="?", metavar="PEER", help=WHO)
    if name == "name":
        parser.add_argument("name", metavar="NAME")
    elif name == "address":
        parser.splits_addresses = True
        parser.add_argument("host", type=host, metavar="HOST", help="or HOST:PORT")
        parser.add_argument("port", type=port, metavar="PORT")
    elif name == "auto-accept":
        parser.add_argument(
            "size",
            nargs="?",
            type=allowed_size_of,
            metavar="SIZE",
            help="500MB, 1GiB, default; none: show it",
        )
    elif name == "verify":
        parser.add_argument("--yes", action="store_true", help="the numbers were compared")
        parser.add_argument("--undo", action="store_true", help="take a verification back")
    elif name == "trust":
        parser.add_argument("--replace", action="store_true", help="take the offered key")


def _add_address(parser: Parser, *, session: bool = True) -> None:
    parser.splits_addresses = True
    if session:
        parser.add_argument("--session", default=argparse.SUPPRESS, metavar="NAME")
    parser.add_argument("host", type=host, metavar="HOST", help="or HOST:PORT")
    parser.add_argument("port", type=port, metavar="PORT")
    parser.add_argument("--name", metavar="NAME")
    _add_invite(parser)


def _add_invite(parser: Parser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--invite", action="store_true", help="prompt for the peer's invite code")
    group.add_argument("--invite-file", metavar="FILE", help="read it there; -: standard input")


def _add_session(verbs: Verbs) -> None:
    _json(_verb(verbs, "status", "show engine, links, clients, transfers",
                "chatnet status --json", peer=False))  # fmt: skip
    for name, meta, summary, example in (
        ("name", "NAME", "show or change the name that peers see", 'chatnet name "Alice B."'),
        ("inbox", "FOLDER", "show or change the folder for received files; default: back to it",
         "chatnet inbox ~/Received\nchatnet inbox default"),
        ("limit", "RATE", "show or change how fast files may move; none: no limit",
         "chatnet limit 5MB\nchatnet limit none"),
    ):  # fmt: skip
        own = _verb(verbs, name, summary, example, peer=False)
        own.add_argument("value", nargs="?", metavar=meta, help="none: show it")
    clean = _verb(
        verbs,
        "clean",
        "remove left-over partial files and earlier folders",
        "chatnet clean\nchatnet clean --yes",
        peer=False,
    )
    clean.add_argument("--yes", action="store_true", help="remove them without a question")
    _timeout(clean)
    _json(clean)
    _json(_verb(verbs, "sessions", "list sessions", "chatnet sessions", peer=False))
    stop = _verb(verbs, "stop", "end the engine", "chatnet stop --session 12345", peer=False)
    how_long = "wait for what can still be sent (default: 2; a second stop ends it at once)"
    stop.add_argument("--timeout", type=seconds, default=2.0, metavar="S", help=how_long)
    demo = _verb(
        verbs,
        "demo",
        "two engines with a bad line between them, and a window for each",
        "chatnet demo\nchatnet demo --loss 40% --delay 200ms --script",
        peer=False,
    )
    demo.add_argument("--loss", default="20%", metavar="SHARE", help="of packets (default: 20%%)")
    demo.add_argument("--delay", default="50ms", metavar="TIME", help="each way (default: 50ms)")
    demo.add_argument("--seed", type=count, metavar="N", help="the same losses again")
    demo.add_argument("--script", action="store_true", help="no windows, a scripted conversation")
    trace = _verb(
        verbs,
        "trace",
        "show what the engine does, live",
        "chatnet trace\nchatnet trace --packets\nchatnet trace --json",
        peer=False,
    )
    trace.add_argument("--packets", action="store_true", help="packets too, addresses in full")
    _json(trace)
    _verb(verbs, "doctor", "check this machine's setup", "chatnet doctor", peer=False)
