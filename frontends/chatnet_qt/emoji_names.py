"""Emoji by name: the short names that people type between colons, from the package `emoji`, which
takes them from Unicode's lists. Pure; read at the first use."""

from functools import cache

from msgspec import Struct

NEWEST = 15.0
"""Version of Unicode's emoji that fonts of today's desktops have."""
MAX_FOUND = 200
_FULLY_QUALIFIED = 2
_SKINS = frozenset(chr(point) for point in range(0x1F3FB, 0x1F400))
_FIRST = (
    (0x1F600, 0x1F644), (0x1F910, 0x1F917), (0x1F920, 0x1F92F), (0x1F970, 0x1F97A),
    (0x1FAE0, 0x1FAE8), (0x2639, 0x263A), (0x1F44A, 0x1F450), (0x1F446, 0x1F449),
    (0x1F918, 0x1F91F), (0x270A, 0x270D), (0x1F64B, 0x1F64F), (0x2764, 0x2764),
    (0x1F493, 0x1F49F), (0x1F389, 0x1F38A), (0x1F525, 0x1F525), (0x2705, 0x2705),
)  # fmt: skip
"""What people look for first: faces, hands, hearts."""
_LAST = (0x1F1E6, 0x1F1FF)
"""Flags."""


class Emoji(Struct, frozen=True):
    """One emoji; `names` without colons, the usual one first."""

    text: str
    names: tuple[str, ...]

    @property
    def words(self) -> str:
        """The name as a person says it."""
        return self.names[0].replace("_", " ")


def _order(text: str) -> tuple[int, int, str]:
    point = ord(text[0])
    for rank, (low, high) in enumerate(_FIRST):
        if low <= point <= high:
            return rank, point, text
    return len(_FIRST) + (_LAST[0] <= point <= _LAST[1]), point, text


@cache
def all_emoji() -> tuple[Emoji, ...]:
    """Every emoji that a font has today, in one skin; faces first, flags last."""
    from emoji import EMOJI_DATA

    found = []
    for text, facts in EMOJI_DATA.items():
        known = facts["status"] == _FULLY_QUALIFIED and float(facts["E"]) <= NEWEST
        if not known or not _SKINS.isdisjoint(text):
            continue
        names = [facts["en"], *facts.get("alias", ())]
        shortest = sorted((name.strip(":").lower() for name in names), key=len)
        found.append(Emoji(text, tuple(dict.fromkeys(shortest))))
    return tuple(sorted(found, key=lambda emoji: _order(emoji.text)))


@cache
def _by_name() -> dict[str, Emoji]:
    return {name: emoji for emoji in reversed(all_emoji()) for name in emoji.names}


def named(name: str) -> Emoji | None:
    """The emoji that is called so."""
    return _by_name().get(name.lower())


def find_emoji(words: str, limit: int = MAX_FOUND) -> list[Emoji]:
    """Those with a name in which every one of `words` begins a word; whole names first."""
    wanted = words.lower().replace("_", " ").split()
    if not wanted:
        return list(all_emoji()[:limit])
    whole = "_".join(wanted)
    found = []
    for place, emoji in enumerate(all_emoji()):
        rank = min((_rank(name, wanted, whole) for name in emoji.names), default=3)
        if rank < 3:
            found.append((rank, place, emoji))
    return [emoji for _, _, emoji in sorted(found, key=lambda entry: entry[:2])[:limit]]


def _rank(name: str, wanted: list[str], whole: str) -> int:
    if name == whole:
        return 0
    if name.startswith(whole):
        return 1
    parts = name.replace("-", "_").split("_")
    if all(any(part.startswith(word) for part in parts) for word in wanted):
        return 2
    return 3
