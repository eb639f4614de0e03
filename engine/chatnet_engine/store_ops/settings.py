"""Operations on what a person chose for the session, and on how a peer calls itself."""

from chatnet_engine.store_ops.transfers import OpBase


class StoreSettings(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Keep what a person chose in a front end; None: as it is. Result: SettingsStored."""

    name: str | None
    """The own display name."""
    given_name: str
    """The one that this engine was started with: a later start with another one has that."""
    inbox: str | None
    """The folder of received files; empty: the default one."""
    limit_bytes_s: int | None = None
    """Of files in each direction; 0: no limit."""
    given_limit: int = 0
    """The one that this engine was started with, as with the name."""


class SettingsStored(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """They are kept."""


class StoreDisplayName(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """A peer calls itself so from now on. Result: DisplayNameStored."""

    peer: int
    name: str


class DisplayNameStored(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """It stands."""

    peer: int
    name: str


SessionOp = StoreSettings | StoreDisplayName
SessionResult = SettingsStored | DisplayNameStored
