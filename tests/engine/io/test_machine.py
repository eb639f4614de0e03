from chatnet_engine.clock import Now
from chatnet_engine.io.impair import Impairment, ImpairSpec
from chatnet_engine.io.ipc import PATH_CHECK_S
from chatnet_engine.io.machine import Machine
from chatnet_engine.node.effects import FilesRestarted
from chatnet_engine.store_ops.commit import Commit

ADDR = ("127.0.0.1", 9)


def test_the_next_deadline_is_the_earliest_of_all_parts(machine: Machine) -> None:
    machine.now = Now(100.0, 0)
    machine.ipc.handle_timeout(1e9)
    assert machine.next_timeout() == 1e9 + PATH_CHECK_S
    machine.impairment = Impairment(ImpairSpec(delay_s=5.0, seed=1))
    machine.send_datagrams([(b"x", ADDR)])
    assert machine.next_timeout() == 105.0
    machine.files.start(100.0)
    machine.send_to_file_process(b"die")
    while machine.files.fileno() >= 0:
        machine.handle_files(readable=True, writable=False)
    assert machine.next_timeout() == 100.0


def test_a_report_that_waits_makes_the_next_turn_come_at_once(machine: Machine) -> None:
    machine.now = Now(1.0, 0)
    machine.files.start(1.0)
    machine.send_to_file_process(b"die")
    while machine.files.fileno() >= 0:
        machine.handle_files(readable=True, writable=False)
    machine.now = Now(5.0, 0)
    machine.handle_timeout()
    assert machine.next_timeout() == 5.0
    assert machine.take_results() == [FilesRestarted()]


def test_it_is_idle_when_nothing_is_owed(machine: Machine) -> None:
    assert machine.idle
    machine.commit(Commit(1, []))
    assert not machine.idle
    while not machine.take_results():
        pass
    assert machine.idle
    machine.impairment = Impairment(ImpairSpec(delay_s=5.0, seed=1))
    machine.send_datagrams([(b"x", ADDR)])
    assert not machine.idle


def test_counters_name_what_happened(machine: Machine) -> None:
    machine.send_datagrams([(b"x", ADDR), (b"x", ("a name", 9))])
    machine.reply(b"nobody", b"x")
    machine.send_to_file_process(b"x")
    counters = machine.counters()
    assert counters["socket_sent"] == 1
    assert counters["socket_unsendable"] == 1
    assert counters["ipc_replies_dropped"] == 1
    assert counters["files_frames_dropped"] == 1
    assert "impair_lost" not in counters
    machine.impairment = Impairment(ImpairSpec(loss=1.0, seed=1))
    machine.send_datagrams([(b"x", ADDR)])
    assert machine.counters()["impair_lost"] == 1
