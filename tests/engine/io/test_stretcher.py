from collections.abc import Iterator

import pytest

from chatnet_engine.io.stretcher import Stretcher
from chatnet_engine.io.wakeup import WakeUp
from chatnet_engine.node.effects import InviteStretched, StretchInvite
from chatnet_engine.secure.invite import invite_psk


@pytest.fixture
def wakeup() -> Iterator[WakeUp]:
    wakeup = WakeUp()
    yield wakeup
    wakeup.close()


def test_a_code_becomes_its_psk_beside_the_pump(wakeup: WakeUp) -> None:
    stretcher = Stretcher(wakeup.ring)
    assert stretcher.take_answers() == []
    stretcher.stop()
    stretcher.ask(StretchInvite(7, b"0123456789"))
    stretcher.stop()
    assert stretcher.take_answers() == [InviteStretched(7, invite_psk(b"0123456789"))]
