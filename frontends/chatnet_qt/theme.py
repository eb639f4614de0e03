"""Colours and fonts, all derived from the palette in force, so that light and dark both read.

Owns the mixing of colours; knows no messages. `apply_theme` is the only one that changes the
application's palette.
"""

import enum
from dataclasses import dataclass

from chatnet_qt.qt import QApplication, QColor, QFont, QPalette, QStyleFactory


class Theme(enum.StrEnum):
    """What the View menu offers."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True)
class Colours:
    """Everything that is painted by hand takes its colour from here."""

    dark: bool
    window: QColor
    canvas: QColor
    text: QColor
    muted: QColor
    faint: QColor
    line: QColor
    accent: QColor
    on_accent: QColor
    own_bubble: QColor
    own_muted: QColor
    failed_bubble: QColor
    peer_bubble: QColor
    selected: QColor
    good: QColor
    warning: QColor
    danger: QColor
    warning_fill: QColor
    danger_fill: QColor
    info_fill: QColor
    mark: QColor
    on_mark: QColor


def mix(one: QColor, other: QColor, share: float) -> QColor:
    """`one` with `share` (0..1) of `other` in it."""
    keep = 1.0 - share
    return QColor(
        round(one.red() * keep + other.red() * share),
        round(one.green() * keep + other.green() * share),
        round(one.blue() * keep + other.blue() * share),
    )


def is_dark(palette: QPalette) -> bool:
    """Whether text is lighter than what it stands on."""
    window = palette.color(QPalette.ColorRole.Window)
    return palette.color(QPalette.ColorRole.WindowText).lightness() > window.lightness()


def colours_of(palette: QPalette) -> Colours:
    """The colours that go with `palette`."""
    role = QPalette.ColorRole
    base, text = palette.color(role.Base), palette.color(role.Text)
    window, accent = palette.color(role.Window), palette.color(role.Highlight)
    dark = is_dark(palette)
    green, amber, red = QColor("#166f3c"), QColor("#855300"), QColor("#b01919")
    if dark:
        green, amber, red = QColor("#4cc38a"), QColor("#f0b429"), QColor("#ff9a92")
    own = mix(base, accent, 0.36 if dark else 0.16)
    canvas = mix(base, window, 0.35)
    return Colours(
        dark=dark,
        window=window,
        canvas=canvas,
        text=text,
        muted=mix(text, base, 0.30),
        faint=mix(text, base, 0.72),
        line=mix(window, text, 0.14),
        accent=accent,
        on_accent=palette.color(role.HighlightedText),
        own_bubble=own,
        own_muted=mix(text, own, 0.32),
        failed_bubble=mix(base, red, 0.16),
        peer_bubble=mix(base, text, 0.11) if dark else mix(base, text, 0.065),
        selected=mix(canvas, accent, 0.30),
        good=green,
        warning=amber,
        danger=red,
        warning_fill=mix(window, amber, 0.16),
        danger_fill=mix(window, red, 0.15),
        info_fill=mix(window, accent, 0.12),
        mark=QColor("#f2c14b") if dark else QColor("#ffe08a"),
        on_mark=QColor("#131518") if dark else QColor("#191d23"),
    )


def scroll_bar_style(palette: QPalette) -> str:
    """A slim scroll bar without arrows, as a style sheet."""
    colours = colours_of(palette)
    still, hovered = colours.faint.name(), colours.muted.name()
    return (
        f"QScrollBar:vertical {{background: {colours.canvas.name()}; width: 11px; margin: 0;}}"
        f"QScrollBar::handle:vertical {{background: {still}; border-radius: 4px;"
        " min-height: 36px; margin: 2px 2px 2px 1px;}"
        f"QScrollBar::handle:vertical:hover {{background: {hovered};}}"
        "QScrollBar::handle:vertical:disabled {background: transparent;}"
        "QScrollBar::add-line:vertical, QScrollBar::sub-line:vertical {height: 0;}"
        "QScrollBar::add-page:vertical, QScrollBar::sub-page:vertical {background: none;}"
    )


def light_palette() -> QPalette:
    """Ours, where the desktop has none of its own."""
    return _palette("#f4f5f7", "#ffffff", "#1b1f24", "#ffffff", "#2563eb", "#ffffff")


def dark_palette() -> QPalette:
    """Ours, dark."""
    return _palette("#1b1d21", "#141619", "#e6e8ea", "#26292e", "#4c8dff", "#0b0d10")


def _palette(
    window: str, base: str, text: str, button: str, accent: str, on_accent: str
) -> QPalette:
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    ground, ink = QColor(window), QColor(text)
    palette = QPalette(ink, QColor(button), ground, ground, ground, ink, ink, QColor(base), ground)
    for name, value in (
        (role.Window, ground),
        (role.Base, QColor(base)),
        (role.AlternateBase, mix(QColor(base), ink, 0.04)),
        (role.Text, ink),
        (role.WindowText, ink),
        (role.Button, QColor(button)),
        (role.ButtonText, ink),
        (role.ToolTipBase, QColor(button)),
        (role.ToolTipText, ink),
        (role.Highlight, QColor(accent)),
        (role.HighlightedText, QColor(on_accent)),
        (role.Link, QColor(accent)),
        (role.PlaceholderText, mix(ink, QColor(base), 0.45)),
        (role.Light, mix(QColor(button), QColor("white"), 0.1)),
        (role.Midlight, mix(QColor(button), ink, 0.05)),
        (role.Mid, mix(ground, ink, 0.2)),
        (role.Dark, mix(ground, ink, 0.3)),
        (role.Shadow, mix(ground, QColor("black"), 0.6)),
    ):
        palette.setColor(name, value)
    faint = mix(ink, ground, 0.6)
    for name in (role.Text, role.WindowText, role.ButtonText):
        palette.setColor(group.Disabled, name, faint)
    palette.setColor(group.Disabled, role.Highlight, mix(ground, ink, 0.2))
    return palette


def apply_theme(
    app: QApplication, theme: Theme, system: QPalette, desktop_dark: bool | None = None
) -> None:
    """Make the application look as `theme` says; `system` is the palette it started with and
    `desktop_dark` what the desktop asks for, if it does.

    A desktop that themes Qt keeps its own style and palette; plain Qt gets ours.
    """
    if theme is Theme.SYSTEM and not is_plain(system):
        app.setPalette(system)
        return
    by_desktop = is_dark(system) if desktop_dark is None else desktop_dark
    dark = theme is Theme.DARK or (theme is Theme.SYSTEM and by_desktop)
    app.setStyle(QStyleFactory.create("Fusion"))
    app.setPalette(dark_palette() if dark else light_palette())


def is_plain(palette: QPalette) -> bool:
    """Whether nobody has themed Qt: its built-in greys."""
    return palette.color(QPalette.ColorRole.Window) in (QColor("#efefef"), QColor("#ececec"))


def scaled(font: QFont, factor: float) -> QFont:
    """`font` in another size; follows fonts given in points and in pixels."""
    copy = QFont(font)
    if font.pointSizeF() > 0:
        copy.setPointSizeF(max(1.0, font.pointSizeF() * factor))
    else:
        copy.setPixelSize(max(1, round(font.pixelSize() * factor)))
    return copy
