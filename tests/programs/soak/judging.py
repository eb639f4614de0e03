"""Gathers what a soak left behind, and asks the checker whether every promise held."""

from collections.abc import Iterator
from pathlib import Path

from checker.histories import History, read_file
from checker.told import check_last_told
from checker.verdict import Side, check
from realworld.engines import RealEngine
from realworld.exports import check_exports
from realworld.stores import stored_view
from soak.actors import Follower
from soak.recording import read_tape
from soak.rounds import Soak

LOG = "engine.log"
ALARMS = ("Traceback", " ERROR ", " CRITICAL ")


def judge(soak: Soak) -> tuple[list[str], list[History]]:
    """Every broken promise as a sentence, and the two histories; the engines still run."""
    soak.look_after(0)
    problems = list(soak.problems)
    sides = []
    for number, engine in enumerate(soak.engines):
        tapes = [read_tape(path) for path in soak.talkers[number].tapes]
        last = read_tape(soak.judge_tapes[number])
        history = read_file(engine.database)
        key = soak.judges[number].view.session.key
        side = Side(engine.name, key, [history], [*tapes, last])
        side.landed = soak.inboxes[number].landed
        side.offered = soak.inboxes[1 - number].offered
        sides.append(side)
        said = [
            *check_last_told(last, history),
            *check_followed(soak.followers[number], history),
            *check_bodies(history),
            *check_log(engine),
        ]
        if soak.judges[number].view.durable() != stored_view(
            engine.database, soak.judges[number].view.session
        ):
            said.append("the view shows something else than the store holds")
        problems += [f"{engine.name}: {text}" for text in said]
    problems += check_exports(*soak.engines)
    problems += check(sides)
    return problems, [side.now for side in sides]


def check_followed(follower: Follower, history: History) -> Iterator[str]:
    """`events --since`, however often it was killed, missed and repeated nothing."""
    told = [(m["no"], m["id"], m["mine"], m["ack"] or 0) for m in follower.messages]
    # An own message has its ACK number later, if it has it at all when it is told of.
    held = [(m.no, m.id.hex(), m.mine, 0 if m.mine else m.ack) for m in history.messages]
    plain = [(no, i, mine, 0 if mine else ack) for no, i, mine, ack in told]
    if plain != held:
        first = next((n for n, (x, y) in enumerate(zip(plain, held, strict=False)) if x != y), None)
        yield f"events told {len(plain)} of {len(held)} messages, first difference at {first}"


def check_bodies(history: History) -> Iterator[str]:
    """Everything that people write here differs, so a text that is there twice was doubled."""
    texts = [message.body for message in history.messages if message.body]
    if len(set(texts)) != len(texts):
        yield f"{len(texts) - len(set(texts))} texts are in the history twice"


def check_log(engine: RealEngine) -> Iterator[str]:
    """No engine complained about itself."""
    log = Path(engine.connection_path).with_name(LOG)
    for line in [*log.read_text(errors="replace").splitlines(), *engine.said]:
        if any(alarm in line for alarm in ALARMS):
            yield f"the log says: {line[:200]}"
