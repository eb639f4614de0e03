"""Which colours are in force: our two themes, or those that go with a desktop's own palette.

Owns the mixing of colours. `apply_theme` is the only one that changes the application's palette.
"""

import enum
from collections.abc import Sequence
from functools import lru_cache

from msgspec.structs import replace

from chatnet_qt.qt import QApplication, QColor, QFont, QPalette, QStyleFactory
from chatnet_qt.tokens import DARK, LIGHT, Colours, scaled

TEXT_CONTRAST, PART_CONTRAST = 4.5, 3.0
"""WCAG AA, for text and for what shows where a control is."""
STEP = 0.05
"""Of black or white, mixed in until a colour can be read."""
_READABLE = "window canvas raised hover selected sunken accent_soft warning_fill danger_fill "
_READABLE += "info_fill"
_STATE = "canvas raised window own peer selected"
_TABLE = (
    ("text", f"{_READABLE} field own peer own_code peer_code own_press peer_press good_fill"),
    ("text_2", f"{_READABLE} line"),
    ("text_3", "field window canvas raised well"),
    (
        "link",
        "window canvas raised own peer own_code peer_code hover selected accent_soft "
        "warning_fill danger_fill info_fill",
    ),
    ("own_2", "own own_code"),
    ("peer_2", "peer peer_code"),
    ("on_mark", "mark"),
    ("good", f"{_STATE} good_fill"),
    ("warning", f"{_STATE} warning_fill"),
    ("danger", f"{_STATE} danger_fill"),
)
_PARTS = (
    ("edge", "canvas window raised field"),
    ("accent", "canvas window raised own peer selected"),
    ("own_track", "accent"),
    ("peer_track", "accent"),
    ("dot_on", "window canvas"),
    ("dot_wait", "window canvas"),
    ("dot_off", "window canvas"),
)
PAIRS: tuple[tuple[str, tuple[str, ...], float], ...] = (
    *((ink, tuple(grounds.split()), TEXT_CONTRAST) for ink, grounds in _TABLE),
    *((ink, tuple(grounds.split()), PART_CONTRAST) for ink, grounds in _PARTS),
    ("on_accent", ("accent",), TEXT_CONTRAST),
    ("accent_hover", ("on_accent",), TEXT_CONTRAST),
)
"""An ink, what it stands on, and the contrast it needs; in the order in which they are fixed."""
_ACTIVE = QPalette.ColorGroup.Active


class Theme(enum.StrEnum):
    """What the settings offer."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


def mix(one: QColor, other: QColor, share: float) -> QColor:
    """`one` with `share` (0..1) of `other` in it."""
    keep = 1.0 - share
    return QColor(
        round(one.red() * keep + other.red() * share),
        round(one.green() * keep + other.green() * share),
        round(one.blue() * keep + other.blue() * share),
    )


def contrast(one: QColor, other: QColor) -> float:
    """WCAG contrast, 1 to 21."""
    high, low = sorted((_luminance(one.rgb()), _luminance(other.rgb())), reverse=True)
    return (high + 0.05) / (low + 0.05)


@lru_cache(maxsize=512)
def _luminance(rgb: int) -> float:
    parts = [(rgb >> shift & 0xFF) / 255 for shift in (16, 8, 0)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ensure(ink: QColor, grounds: Sequence[QColor], least: float) -> QColor:
    """`ink`, with as much black or white in it as its contrast to all `grounds` asks for."""

    def worst(colour: QColor) -> float:
        return min(contrast(colour, ground) for ground in grounds)

    ends = (QColor("black"), QColor("white"))
    end = max(ends, key=worst)
    share, made = 0.0, ink
    while worst(made) < least and share < 1.0:
        share = min(1.0, share + STEP)
        made = mix(ink, end, share)
    return made


def is_dark(palette: QPalette) -> bool:
    """Whether text is lighter than what it stands on."""
    role = QPalette.ColorRole
    window, text = (palette.color(_ACTIVE, name) for name in (role.Window, role.WindowText))
    return text.lightness() > window.lightness()


def colours_of(palette: QPalette) -> Colours:
    """The colours that go with `palette`, those of a disabled control too: what it paints quieter
    is its own decision. Cheap: kept for the palettes in use."""
    role = QPalette.ColorRole
    roles = (role.Window, role.Base, role.Text, role.Highlight, role.HighlightedText)
    return _colours(is_dark(palette), *(palette.color(_ACTIVE, name).name() for name in roles))


@lru_cache(maxsize=8)
def _colours(dark: bool, window: str, base: str, text: str, accent: str, on_accent: str) -> Colours:
    ours = DARK if dark else LIGHT
    if (window, text, accent) == (ours.window.name(), ours.text.name(), ours.accent.name()):
        return ours
    return mixed(ours, QColor(window), QColor(base), QColor(text), QColor(accent), on_accent)


def mixed(
    ours: Colours, window: QColor, base: QColor, text: QColor, accent: QColor, on_accent: str
) -> Colours:
    """Colours around a desktop's own ones, like `ours` in all else, every pair of them readable."""
    dark = ours.dark
    own = mix(base, accent, 0.36 if dark else 0.16)
    peer = mix(base, text, 0.10 if dark else 0.065)
    white = QColor("white")
    wanted = replace(
        ours,
        window=window,
        canvas=base,
        raised=mix(base, white, 0.06) if dark else base,
        field=base,
        hover=mix(window, text, 0.06),
        selected=mix(window, accent, 0.22),
        sunken=mix(window, text, 0.05),
        well=mix(window, text, 0.05),
        text=text,
        text_2=mix(text, window, 0.28),
        text_3=mix(text, window, 0.34),
        line=mix(window, text, 0.10),
        edge=mix(text, window, 0.50),
        accent=accent,
        accent_hover=mix(accent, text, 0.12),
        on_accent=QColor(on_accent),
        accent_soft=mix(window, accent, 0.12),
        link=accent,
        own=own,
        own_2=mix(text, own, 0.28),
        own_code=mix(own, base, 0.5),
        own_track=mix(own, text, 0.15),
        own_press=mix(own, text, 0.08),
        peer=peer,
        peer_2=mix(text, peer, 0.28),
        peer_code=base,
        peer_track=mix(peer, text, 0.15),
        peer_press=mix(peer, text, 0.08),
        good_fill=mix(window, ours.good, 0.12),
        warning_fill=mix(window, ours.warning, 0.14),
        danger_fill=mix(window, ours.danger, 0.12),
        info_fill=mix(window, accent, 0.12),
    )
    for ink, grounds, least in PAIRS:
        fixed = ensure(getattr(wanted, ink), [getattr(wanted, name) for name in grounds], least)
        wanted = replace(wanted, **{ink: fixed})
    return wanted


def palette_of(colours: Colours) -> QPalette:
    """`colours` as Qt's own controls take them."""
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    ground, ink = colours.window, colours.text
    palette = QPalette(ink, colours.raised, ground, ground, ground, ink, ink, colours.field, ground)
    for name, value in (
        (role.Window, ground),
        (role.Base, colours.field),
        (role.AlternateBase, colours.hover),
        (role.Text, ink),
        (role.WindowText, ink),
        (role.Button, colours.raised),
        (role.ButtonText, ink),
        (role.ToolTipBase, colours.raised),
        (role.ToolTipText, ink),
        (role.Highlight, colours.accent),
        (role.HighlightedText, colours.on_accent),
        (role.Link, colours.link),
        (role.PlaceholderText, colours.text_3),
        (role.Light, mix(colours.raised, QColor("white"), 0.1)),
        (role.Midlight, mix(colours.raised, ink, 0.05)),
        (role.Mid, mix(ground, ink, 0.2)),
        (role.Dark, mix(ground, ink, 0.3)),
        (role.Shadow, mix(ground, QColor("black"), 0.6)),
    ):
        palette.setColor(name, value)
    for name in (role.Text, role.WindowText, role.ButtonText):
        palette.setColor(group.Disabled, name, colours.text_3)
    palette.setColor(group.Disabled, role.Highlight, mix(ground, ink, 0.2))
    return palette


def light_palette() -> QPalette:
    """Ours, where the desktop has none of its own."""
    return palette_of(LIGHT)


def dark_palette() -> QPalette:
    """Ours, dark."""
    return palette_of(DARK)


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


def apply_text_size(app: QApplication, system: QFont, factor: float) -> None:
    """Make all text `factor` times as large as the font that the application started with."""
    app.setFont(QFont(system) if factor == 1 else scaled(system, factor))


def is_plain(palette: QPalette) -> bool:
    """Whether nobody has themed Qt: its built-in greys."""
    return palette.color(QPalette.ColorRole.Window) in (QColor("#efefef"), QColor("#ececec"))


def scroll_bar_style(palette: QPalette) -> str:
    """A slim scroll bar without arrows, as a style sheet."""
    colours = colours_of(palette)
    return (
        f"QScrollBar:vertical {{background: {colours.canvas.name()}; width: 10px; margin: 0;}}"
        f"QScrollBar::handle:vertical {{background: {colours.edge.name()}; border-radius: 2px;"
        " min-height: 36px; margin: 2px 3px 2px 3px;}"
        f"QScrollBar::handle:vertical:hover {{background: {colours.text_2.name()};}}"
        "QScrollBar::handle:vertical:disabled {background: transparent;}"
        "QScrollBar::add-line:vertical, QScrollBar::sub-line:vertical {height: 0;}"
        "QScrollBar::add-page:vertical, QScrollBar::sub-page:vertical {background: none;}"
    )
