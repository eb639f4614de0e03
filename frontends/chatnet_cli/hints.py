"""What to type next, as it is written where the advice stands: in the chat or in a shell."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from chatnet_protocol.ipc.rows import RestoreMine, RestoreTheirs


@dataclass(frozen=True, slots=True)
class Hints:
    """The commands of one place."""

    verb: str
    """Stands before accept, restore, transfers ..."""
    reject: str
    restore: Mapping[str, str]
    """By RestoreMine and RestoreTheirs."""
    add_peer: str
    choose_peer: str
    list_transfers: str

    def accept_or_reject(self, no: int) -> str:
        """The answers to an offer."""
        return f"{self.verb}accept {no}, or {self.reject} {no}"

    def fetch(self, no: int) -> str:
        """How to download once more."""
        return f"{self.verb}accept {no} downloads it again"


IN_CHAT = Hints(
    verb="/",
    reject="/reject",
    restore=MappingProxyType(
        {
            RestoreMine.POSSIBLE: "/restore asks for it",
            RestoreMine.ASKING: "/restore stop takes that back",
            RestoreTheirs.ASKED: "/give sends it, /refuse does not",
        }
    ),
    add_peer="in a shell: chatnet peer add HOST PORT",
    choose_peer="/peer NAME",
    list_transfers="/status",
)
AS_VERBS = Hints(
    verb="chatnet ",
    reject="reject",
    restore=MappingProxyType(
        {
            RestoreMine.POSSIBLE: "chatnet history --restore asks for it",
            RestoreMine.ASKING: "chatnet history --restore --stop takes that back",
            RestoreTheirs.ASKED: "answer: chatnet history --give, or --refuse",
        }
    ),
    add_peer="chatnet peer add HOST PORT",
    choose_peer="--peer NAME",
    list_transfers="chatnet transfers",
)
