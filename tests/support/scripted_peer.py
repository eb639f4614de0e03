"""Another person of a LocalWorld, who does what a test says."""

from chatnet_engine.addresses import Addr
from served_engine import HERE
from simworld.client import SimClient
from simworld.clock import Clock
from simworld.engine import SimEngine
from simworld.files import FilesNet
from simworld.network import Network


class ScriptedPeer:
    """Another person, with an engine and a front end."""

    def __init__(self, number: int, clock: Clock, network: Network, files: FilesNet) -> None:
        self.name = "bob" if number == 1 else f"peer{number}"
        self.addr: Addr = (f"10.0.0.{number}", 5000 + number)
        engine = SimEngine(clock, network, self.name, self.addr, files)
        engine.commit_s = engine.usual_commit_s = (0.0, 0.0)
        engine.checked = False
        self.engine = engine
        engine.up()
        engine.dial(HERE)
        self.client: SimClient = engine.attach()
