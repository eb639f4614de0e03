"""Colours and lengths: everything can be read, on ours and on any desktop's palette."""

import random

import pytest

from chatnet_qt.qt import QApplication, QColor, QPalette
from chatnet_qt.theme import (
    PAIRS,
    PART_CONTRAST,
    TEXT_CONTRAST,
    apply_text_size,
    colours_of,
    contrast,
    dark_palette,
    ensure,
    light_palette,
    mix,
)
from chatnet_qt.tokens import DARK, LIGHT, Colours, measures_of, scaled


def missed(colours: Colours) -> list[str]:
    """Pairs that cannot be read."""
    wrong = []
    for ink, grounds, least in PAIRS:
        for ground in grounds:
            found = contrast(getattr(colours, ink), getattr(colours, ground))
            if found < least:
                wrong.append(f"{ink} on {ground}: {found:.2f}, needs {least}")
    return wrong


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_pair_can_be_read(colours: Colours) -> None:
    assert missed(colours) == []
    for ground, ink in colours.mono:
        assert contrast(ink, ground) >= TEXT_CONTRAST


def test_our_palettes_give_our_colours() -> None:
    assert colours_of(light_palette()) is LIGHT
    assert colours_of(dark_palette()) is DARK


@pytest.mark.parametrize("group", [QPalette.Disabled, QPalette.Inactive])
def test_a_control_that_is_off_is_in_the_same_theme(group: QPalette.ColorGroup) -> None:
    palette = light_palette()
    palette.setCurrentColorGroup(group)  # as a disabled widget's own palette
    assert colours_of(palette) is LIGHT


def desktop(seed: int) -> QPalette:
    """A palette that somebody might have chosen."""
    draw = random.Random(seed)
    tint = QColor.fromHsv(draw.randrange(360), draw.randrange(120), draw.randrange(256))
    dark = seed % 2 == 0
    ends = (QColor("black"), QColor("white"))
    ground = mix(ends[not dark], tint, draw.uniform(0, 0.25))
    palette = QPalette()
    role = QPalette.ColorRole
    for name in (role.Window, role.Base):
        palette.setColor(name, mix(ground, ends[not dark], draw.uniform(0, 0.5)))
    for name in (role.Text, role.WindowText):
        palette.setColor(name, mix(ends[dark], tint, draw.uniform(0, 0.4)))
    accent = QColor.fromHsv(draw.randrange(360), draw.randrange(80, 256), draw.randrange(90, 256))
    palette.setColor(role.Highlight, accent)
    palette.setColor(role.HighlightedText, ends[dark])
    return palette


@pytest.mark.parametrize("seed", range(10))
def test_a_desktops_own_palette_can_be_read_too(seed: int) -> None:
    assert missed(colours_of(desktop(seed))) == []


def test_ink_is_changed_only_where_it_has_to_be() -> None:
    black, white, grey = QColor("black"), QColor("white"), QColor("#999999")
    assert ensure(black, [white], TEXT_CONTRAST) == black
    assert contrast(ensure(grey, [white], TEXT_CONTRAST), white) >= TEXT_CONTRAST
    assert contrast(ensure(grey, [white], PART_CONTRAST), white) < TEXT_CONTRAST


@pytest.mark.parametrize("factor", [0.93, 1.0, 1.29, 2.0])
def test_lengths_follow_the_text_in_whole_pixels(app: QApplication, factor: float) -> None:
    m = measures_of(scaled(app.font(), factor))
    assert m.px(4) == m.unit
    assert m.px(12) == 3 * m.unit
    assert m.micro.pixelSize() >= 10
    assert m.line(m.body, 20) >= m.px(20)


def test_text_size_is_relative_to_the_desktops(app: QApplication) -> None:
    before = app.font()
    try:
        apply_text_size(app, before, 1.29)
        assert app.font().pixelSize() > measures_of(before).body.pixelSize()
        apply_text_size(app, before, 1)
        assert app.font() == before
    finally:
        app.setFont(before)
