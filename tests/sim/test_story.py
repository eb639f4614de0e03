"""What the log of an engine says of its night: the whole story, and nothing that is private."""

import re

import pytest

from chatnet_engine.addresses import Addr
from chatnet_engine.io.trace_log import salt_of, to_row
from chatnet_engine.trace import DETAIL, Trace
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.trace import format_trace
from chatnet_protocol.version import WIRE_VERSION
from chatnet_protocol.wire import datagrams
from simulate.run import run_seed
from simworld.engine import SimEngine
from simworld.network import Line
from simworld.pair import B, Pair

SALT = salt_of(b"s" * 32)


def listen(engine: SimEngine, *, detail: bool = False) -> list[Trace]:
    """Every trace of this engine from now on; `detail` from its next start on."""
    traces: list[Trace] = []
    engine.on_trace = traces.append
    engine.trace_detail = detail
    return traces


def lines(traces: list[Trace]) -> list[str]:
    """As they stand in the log at INFO."""
    return [format_trace(to_row(trace, SALT)) for trace in traces if trace.kind not in DETAIL]


def in_order(story: list[str], *patterns: str) -> None:
    """Each pattern is found in a line after the one of the pattern before it."""
    rest = iter(story)
    for pattern in patterns:
        assert any(re.search(pattern, line) for line in rest), (pattern, story)


def answer_version(pair: Pair, data: bytes, source: Addr) -> None:
    """B's place answers every INIT as an engine of the next version does."""
    if data[0] == datagrams.INIT:
        answer = bytearray(datagrams.encode_version(datagrams.peek_index(data)))
        answer[1] = WIRE_VERSION + 1
        pair.network.send(B, source, bytes(answer))


def test_a_night_reads_as_a_story() -> None:
    pair = Pair(1)
    traces = listen(pair.a, detail=True)
    pair.a.crash()
    pair.a.up()
    pair.run(5)
    pair.at_a.say("good night")
    pair.settle()
    pair.at_b.ask(cmd.StopEngine("asked by a test"))
    pair.run(5)
    pair.network.listen(B, lambda data, source: answer_version(pair, data, source))
    pair.run(60)
    in_order(
        [format_trace(to_row(trace, SALT)) for trace in traces],
        "^connectivity:connection_started peer=1 address=ipv4#[0-9a-f]{6}:5002 ours=.* theirs=",
        "^connectivity:connection_state_updated peer=1 old=dialling new=up",
        "^messages:added peer=1 mine=yes count=1",
        "^messages:delivered peer=1 seq=1 ack=1",
        "^connectivity:connection_closed peer=1 by=peer code=shutdown was_up=yes",
        "^connectivity:connection_state_updated peer=1 old=up new=dialling",
        f"^connectivity:version_mismatch .*theirs={WIRE_VERSION + 1} ours={WIRE_VERSION}",
    )


def test_a_peer_that_falls_silent_leaves_its_hour_in_the_log() -> None:
    pair = Pair(2)
    pair.run(5)
    traces = listen(pair.a)
    pair.b.crash()
    pair.at_a.say("are you there?")
    pair.run(60)
    in_order(
        lines(traces),
        "^connectivity:connection_state_updated peer=1 old=up new=silent",
        "^connectivity:rehandshake_started peer=1",
    )


def test_a_new_address_a_failing_disk_and_a_transfer_leave_their_lines() -> None:
    pair = Pair(3, with_files=True)
    pair.settle()
    traces = listen(pair.a)
    pair.network.silence(B)
    pair.b.addr = ("10.0.0.77", 7777)
    pair.b.listen()
    pair.at_b.say("I have moved")
    pair.run(20)
    pair.a.store_fails = "The disk that holds the history is full."
    pair.at_a.say("this cannot be stored")
    pair.run(1)
    pair.a.store_fails = ""
    pair.settle()
    in_order(
        lines(traces),
        "^connectivity:path_assigned peer=1 address=ipv4#[0-9a-f]{6}:7777",
        "^store:commit_failed",
        "^store:commit_works_again",
    )


def test_packets_are_traced_only_where_they_are_wanted() -> None:
    quiet, loud = (Pair(4, Line(loss=0.1)) for _ in range(2))
    found = [listen(quiet.a), listen(loud.a, detail=True)]
    for pair in (quiet, loud):
        pair.a.crash()
        pair.a.up()
        for number in range(60):
            pair.at_a.say(f"{number}" * 300)
            pair.run(0.01)
        pair.settle()
    kinds = [{trace.kind for trace in traces} for traces in found]
    assert not kinds[0] & DETAIL
    assert {"recovery:packet_lost", "transport:packet_sent", "store:committed"} <= kinds[1]
    assert quiet.a.connection.serialize() == loud.a.connection.serialize()


def test_no_text_name_path_or_key_of_a_person_is_in_any_trace_of_a_whole_run() -> None:
    pair = Pair(5, with_files=True)
    said: list[str] = []

    def take(trace: Trace) -> None:
        bare = [value for value in trace.fields.values() if not isinstance(value, tuple)]
        said.extend((format_trace(to_row(trace, SALT)), repr(bare)))

    for engine in (pair.a, pair.b):
        engine.on_trace = take
        engine.trace_detail = True
        engine.crash()
        engine.name = f"MARKER-name-{engine.name}"
        engine.up()
    pair.run(5)
    pair.at_a.say("MARKER-text")
    pair.at_a.ask(cmd.SetPeer(1, name="MARKER-peer"))
    pair.at_a.ask(cmd.SetDraft(1, "MARKER-draft", 0))
    pair.at_a.ask(cmd.AddPeer("marker.example", 5003, "MARKER-other"))
    assert pair.a.files
    pair.a.files.process.sources["MARKER-file"] = b"MARKER-content"
    pair.at_a.ask(cmd.OfferFiles(bytes(15) + b"\1", 1, ["/home/MARKER-path/MARKER-file"]))
    pair.run(30)
    pair.at_b.ask(cmd.StopEngine("MARKER-reason"))
    pair.run(5)
    text = "\n".join(said)
    for kind in ("peer:added", "transfer:state_updated", "messages:added", "engine:stopping"):
        assert kind in text
    keys = [engine.session().key.hex() for engine in (pair.a, pair.b)]
    assert not [secret for secret in ("MARKER", "marker", "10.0.0.", *keys) if secret in text]


def test_the_simulator_prints_what_each_engine_did() -> None:
    told: list[str] = []
    outcome = run_seed(3, told.append)
    assert outcome.problems == []
    assert [line for line in told if " connectivity:connection_started " in line]
    assert [line for line in told if " messages:added " in line]
    assert [line for line in told if " store:committed " in line]
    assert not [line for line in told if " transport:packet_sent " in line]
    started = next(line for line in told if "connectivity:connection_started" in line)
    assert re.match(r" +\d+\.\d{4}  [abc]  ([abc] {5}|peer \d) connectivity", started)


@pytest.mark.parametrize("seed", [32, 46])
def test_a_run_that_prints_its_trace_is_the_same_run(seed: int) -> None:
    """Both seeds crash an engine between two effects."""
    silent = run_seed(seed)
    watched = run_seed(seed, lambda line: None, packets=True)
    assert silent.counts["crash at an effect"]
    assert (watched.counts, watched.simulated_s) == (silent.counts, silent.simulated_s)
