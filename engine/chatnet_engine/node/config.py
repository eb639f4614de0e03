"""What a node is configured with at its start."""

from dataclasses import dataclass, field

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.trace import Tracer
from chatnet_protocol.ipc.rows import SessionRow


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Everything that stays the same for one boot of an engine."""

    session: SessionRow
    boot: bytes
    """BOOT_BYTES random bytes, new at each start."""
    incarnation: int
    """64 random bits, new at each start, not 0."""
    private_key: bytes
    """X25519, 32 bytes."""
    fast_aes: bool = False
    """Whether AES-GCM was faster than ChaCha20-Poly1305 in the self-test at the start."""
    contain: bool = True
    """Whether what handling a peer, a command or a transfer raises is contained there. Tests let
    it through, but for those that inject it."""
    arq: ArqConfig = field(default_factory=ArqConfig)
    """Of every link; both ends of a link need the same windows. The default is the specified one.
    """
    trace: Tracer = field(default_factory=Tracer)
    """Takes in what the node does; what it took leaves with the effects of the turn."""
