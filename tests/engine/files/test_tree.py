"""Names inside a received folder: kept where they can be, told where not, never two of one."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from chatnet_engine.files.tree import LIMITED, MODERN, Disk, Tree, depends_on_disk
from chatnet_protocol.ipc.offer import Offer, OfferedFile, OfferedFolder
from chatnet_protocol.ipc.rows import Renamed
from chatnet_protocol.limits import MAX_LEFT_OUT_NAMED


def plan(*paths: str, folders: tuple[str, ...] = (), disk: Disk = MODERN) -> Tree:
    offer = Offer(
        [OfferedFile(["top", *path.split("/")], 1) for path in paths],
        [OfferedFolder(["top", *path.split("/")]) for path in folders],
    )
    [thing] = offer.things
    return Tree(offer, thing, disk)


def files(tree: Tree) -> list[str]:
    return ["/".join(path) for path in tree.files.values()]


def test_ordinary_names_stay() -> None:
    names = (".env", ".git/config", "git/config", "-x", "a\\b", "e\u0301", "\u00e9", "A", "a")
    tree = plan(*names, folders=("empty/inside",))
    assert files(tree) == list(names)
    assert tree.folders == [["empty", "inside"]]
    assert (tree.renamed, tree.renamed_named) == (0, [])


def test_two_that_would_have_one_name_are_numbered() -> None:
    tree = plan("a\n.txt", "a_.txt", "a\t.txt", "x\n/f", "x_/f")
    assert files(tree) == ["a_ (1).txt", "a_.txt", "a_ (2).txt", "x_ (1)/f", "x_/f"]
    assert tree.renamed == 3
    assert tree.renamed_named[0] == Renamed("top/a_.txt", "a_ (1).txt")


def test_a_disk_blind_to_case_gets_different_names() -> None:
    blind = Disk(blind=True)
    tree = plan("Makefile", "makefile", "stra\u00dfe", "STRASSE", "\u00e9", "e\u0301", disk=blind)
    assert files(tree) == [
        "Makefile", "makefile (1)", "stra\u00dfe", "STRASSE (1)", "\u00e9", "e\u0301 (1)",
    ]  # fmt: skip
    assert plan("con", "CON", "a:", disk=LIMITED).renamed == 3


def test_a_file_and_a_folder_of_one_name_are_two() -> None:
    assert files(plan("a", "a/b", "a")) == ["a", "a (1)/b", "a (2)"]


def test_the_offered_folder_itself_may_be_empty() -> None:
    offer = Offer([], [OfferedFolder(["top"])])
    assert Tree(offer, offer.things[0]).folders == [[]]


def test_only_the_first_of_many_are_named() -> None:
    tree = plan(*[f"{number}\n" for number in range(MAX_LEFT_OUT_NAMED + 5)])
    assert (tree.renamed, len(tree.renamed_named)) == (MAX_LEFT_OUT_NAMED + 5, MAX_LEFT_OUT_NAMED)


def test_a_disk_is_asked_only_where_that_matters() -> None:
    def depends(*paths: str) -> bool:
        offer = Offer([OfferedFile(["top", path], 1) for path in paths])
        return depends_on_disk(offer, offer.things[0])

    assert not depends("a", "b.txt", "\n", ".env")
    assert depends("a", "A")
    assert depends("a:b")


HOSTILE = st.text(st.sampled_from("aA.:\n/\\ \u00e9e\u0301\u200d\u202e_(1)"), max_size=4)
PATHS = st.lists(st.lists(HOSTILE, min_size=1, max_size=3), min_size=1, max_size=12)


@given(PATHS, PATHS, st.booleans(), st.booleans())
def test_any_tree_keeps_everything_apart(
    paths: list[list[str]], folders: list[list[str]], blind: bool, strict: bool
) -> None:
    offer = Offer(
        [OfferedFile(["top", *path], 1) for path in paths],
        [OfferedFolder(["top", *path]) for path in folders],
    )
    tree = Tree(offer, offer.things[0], Disk(blind, strict))
    made = [*tree.files.values(), *tree.folders]

    def key(name: str) -> str:
        return unicodedata.normalize("NFC", name).casefold() if blind else name

    kinds: dict[tuple[str, ...], str] = {}
    for path, kind in [(p, "file") for p in tree.files.values()] + [
        (p[:depth], "folder")
        for p in [*(f[:-1] for f in tree.files.values()), *tree.folders]
        for depth in range(1, len(p) + 1)
    ]:
        at = tuple(key(name) for name in path)
        assert kinds.setdefault(at, kind) == kind
    assert len({tuple(map(key, path)) for path in tree.files.values()}) == len(paths)
    assert all(name.strip(".") and "/" not in name for path in made for name in path)
    again = Tree(offer, offer.things[0], Disk(blind, strict))
    assert (again.files, again.folders) == (tree.files, tree.folders)
