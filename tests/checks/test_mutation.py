"""The sample, the list of survivors and the verdict: without mutmut, which takes minutes."""

import json
from pathlib import Path

import pytest

from mutation import survivors
from mutation.__main__ import PACKAGES, chosen, report
from mutation.workplace import Change, Workplace, _changes

GENERATED = """\
class Box:
    def xǁBoxǁput__mutmut_orig(self, one):
        if one > 1:
            return one
        return None

    def xǁBoxǁput__mutmut_1(self, one):
        if one >= 1:
            return one
        return None

def x_free__mutmut_orig():
    return call(1, 2)

def x_free__mutmut_2():
    return call(1, )
"""


def test_a_change_is_the_function_and_its_lines_before_and_after() -> None:
    assert sorted(_changes("chatnet_engine.arq.box", GENERATED), reverse=True) == [
        (
            "chatnet_engine.arq.box.xǁBoxǁput__mutmut_1",
            Change("arq.box.Box.put", "if one > 1:", "if one >= 1:"),
        ),
        (
            "chatnet_engine.arq.box.x_free__mutmut_2",
            Change("arq.box.free", "return call(1, 2)", "return call(1, )"),
        ),
    ]


def test_a_sample_hardly_changes_when_mutants_come_and_go() -> None:
    mutants = {f"m{n}": Change("f", str(n), "x") for n in range(1000)}
    sample = chosen(mutants, 50, 1)
    assert len(sample) == len(set(sample)) == 50
    fewer = {name: change for name, change in mutants.items() if name not in sample[:5]}
    assert chosen(fewer, 50, 1)[:45] == sample[5:]
    assert chosen(mutants, 50, 2) != sample
    assert sorted(chosen(mutants, None, 1)) == sorted(mutants)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("self.renew = False", "self.renew = None"),
        ("f(False, False)", "f(False, None)"),
        ('float("inf")', 'float("INF")'),
        ("zip(a, b, strict=True)", "zip(a, b, strict=False)"),
        ("zip(a, b, strict=True)", "zip(a, b, )"),
    ],
)
def test_what_nobody_can_notice_anywhere_needs_no_entry(before: str, after: str) -> None:
    assert survivors.reason_of(Change("f", before, after), {})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("self.renew = False", "self.renew = True"),
        ("self.renew = True", "self.renew = None"),
        ("f(False, False)", "f(None, None)"),
        ('d["name"]', 'd["NAME"]'),
        ("a", "a"),
        ("zip(a, b, strict=True)", "zip(a, None, strict=True)"),
    ],
)
def test_everything_else_needs_one(before: str, after: str) -> None:
    assert not survivors.reason_of(Change("f", before, after), {})


@pytest.mark.parametrize("package", PACKAGES)
def test_no_rule_has_an_entry_besides(package: str) -> None:
    assert [change for change in survivors.load(package) if survivors.reason_of(change, {})] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_named_survivor_is_a_line_that_is_still_there(package: str) -> None:
    assert [str(change) for change in survivors.gone(package)] == []


def test_an_entry_whose_line_or_function_is_gone_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "arq").mkdir()
    (tmp_path / "arq/box.py").write_text(
        "class Box:\n    def put(self):\n        return (1,\n 2)\n"
    )
    (tmp_path / "arq.txt").write_text(
        "# why\n"
        "arq.box.Box.put\n- return (1, 2)\n+ x\n"
        "arq.box.Box.put\n- return 2\n+ x\n"
        "arq.box.Box.take\n- return (1, 2)\n+ x\n"
    )
    monkeypatch.setattr(survivors, "FOLDER", tmp_path)
    monkeypatch.setattr(survivors, "ENGINE", tmp_path)
    assert [(each.function, each.before) for each in survivors.gone("arq")] == [
        ("arq.box.Box.put", "return 2"),
        ("arq.box.Box.take", "return (1, 2)"),
    ]


def test_functions_of_a_rule_are_there() -> None:
    known = {name for package in PACKAGES for name in survivors.functions(package)}
    assert known >= survivors.AT_IMPORT


@pytest.mark.parametrize("package", PACKAGES)
def test_every_kept_survivor_has_a_reason(package: str) -> None:
    assert all(survivors.load(package).values())


def test_an_entry_without_a_reason_or_a_line_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survivors, "FOLDER", tmp_path)
    assert survivors.load("none") == {}
    for text in ("f\n- a\n+ b\n", "# why\nf\n- a\nb\n", "# why\nf\n"):
        (tmp_path / "arq.txt").write_text(text)
        with pytest.raises(ValueError, match="no entry"):
            survivors.load("arq")


def test_only_new_survivors_and_too_few_kills_are_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(survivors, "FOLDER", tmp_path)
    (tmp_path / "arq.txt").write_text("# why\nf\n- a\n+ b\n")
    known, new = Change("f", "a", "b"), Change("f", "a", "c")
    assert report("arq", [known], 10, of=0.9) == 0
    assert report("arq", [known], 9, of=0.9) == 1
    assert report("arq", [known], 9, of=None) == 0
    assert str(new) not in capsys.readouterr().out
    assert report("arq", [known, new], 100, of=0.9) == 1
    assert str(new) in capsys.readouterr().out


def test_only_survivors_without_a_reason_are_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "mutants"
    folder.mkdir()
    (folder / "mutmut-stats.json").write_text("{}")
    codes = {"killed": 1, "known": 0, "new": 0, "timeout": -24, "untried": None}
    (folder / "box.py.meta").write_text(json.dumps({"exit_code_by_key": codes, "more": 1}))
    place = Workplace(tmp_path, "arq")
    mutants = {name: Change("f", "a", name) for name in codes}
    place.forget_survivors(mutants, {mutants["known"]: "why"})
    assert place.results() == {"killed": True, "known": False, "timeout": True}
    assert json.loads((folder / "box.py.meta").read_text())["more"] == 1
    assert not (folder / "mutmut-stats.json").exists()


def test_a_mutant_that_ends_the_interpreter_is_killed(tmp_path: Path) -> None:
    """One that goes on after its limit, or crashes, does not break the run of thousands."""
    folder = tmp_path / "mutants"
    folder.mkdir()
    codes = {"loops": -9, "aborts": -6, "crashes": -11}
    (folder / "box.py.meta").write_text(json.dumps({"exit_code_by_key": codes}))
    assert Workplace(tmp_path, "node").results() == dict.fromkeys(codes, True)
