"""In some worlds people change what they are called; in the end everybody shows it."""

from functools import partial
from random import Random

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import LinkState
from simulate.world import World
from simworld.engine import SimEngine

NAMES_EVERY = 8
"""One world of so many; the others are what they were without."""
PAUSES_S = (0.2, 4.0)


def rename_at_random(world: World, seed: int, end_s: float) -> None:
    """Everybody gets another name now and then, until `end_s`."""
    if seed % NAMES_EVERY != NAMES_EVERY - 3:
        return
    number, random = 0, Random(f"names {seed}")

    def rename(engine: SimEngine) -> None:
        nonlocal number
        if world.clock.now_s > end_s:
            return
        number += 1
        clients = [client for client in engine.clients if client.view and client.role == "full"]
        if clients:
            world.counts["renamed"] += 1
            name = f"{engine.name} {number}"
            random.choice(clients).ask(cmd.SetSession(display_name=name))
        world.clock.after(random.uniform(*PAUSES_S), partial(rename, engine))

    for engine in world.engines:
        world.clock.after(random.uniform(*PAUSES_S), partial(rename, engine))


def check_names(world: World, within_s: float) -> list[str]:
    """Both ends of a link show what the other one calls itself. The last change may have been lost
    on a path that was about to end, and arrive on another one `within_s`."""
    world.clock.run(world.clock.now_s + within_s, lambda: not wrong_names(world))
    return wrong_names(world)


def wrong_names(world: World) -> list[str]:
    """What they show that is not so."""
    views = [engine.node.turn.publisher.view for engine in world.engines if engine.is_up]
    names = {view.session.key: view.session.display_name for view in views}
    return [
        f"{view.session.name} shows {peer.info.display_name!r}, not {names[peer.info.key]!r}"
        for view in views
        for peer in view.peers
        if peer.link.state == LinkState.UP
        and names.get(peer.info.key, peer.info.display_name) != peer.info.display_name
    ]
