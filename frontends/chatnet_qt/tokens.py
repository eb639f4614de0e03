"""Every colour and every length of the window: two themes, one grid, one type scale.

Owns the values; `theme` puts them in force. Lengths are pixels at a text size of 14: `Measures`
scales them to the font in use, in whole pixels on a grid of 4.
"""

from functools import lru_cache

from msgspec import Struct

from chatnet_qt.qt import QColor, QFont, QFontDatabase, QFontInfo, QFontMetricsF

MIN_UNIT_PX = 3
MIN_TEXT_PX = 10
BODY_PX = 14
COLUMN, BUBBLE, CARD = 800, 560, 360
"""Widest column of a conversation, bubble, file card."""
FOLD, PANEL_OVER = 720, 1000
"""Narrower windows show one pane at a time, or the panel over the conversation."""
BUBBLE_OF_COLUMN = 0.88
LIST, LIST_MIN, LIST_MAX, PANEL, PAGE = 280, 232, 360, 328, 640


class Colours(Struct, frozen=True):
    """Everything that is painted takes its colour from here. `own` and `peer`: bubbles; `_2`: what
    is quieter on them; `_code`: fields in them; `_track`: of a bar; `_press`: of a button."""

    dark: bool
    window: QColor
    canvas: QColor
    raised: QColor
    field: QColor
    hover: QColor
    selected: QColor
    sunken: QColor
    well: QColor
    text: QColor
    text_2: QColor
    text_3: QColor
    line: QColor
    edge: QColor
    accent: QColor
    accent_hover: QColor
    on_accent: QColor
    accent_soft: QColor
    link: QColor
    own: QColor
    own_2: QColor
    own_code: QColor
    own_track: QColor
    own_press: QColor
    peer: QColor
    peer_2: QColor
    peer_code: QColor
    peer_track: QColor
    peer_press: QColor
    mark: QColor
    on_mark: QColor
    good: QColor
    good_fill: QColor
    warning: QColor
    warning_fill: QColor
    danger: QColor
    danger_fill: QColor
    info_fill: QColor
    dot_on: QColor
    dot_wait: QColor
    dot_off: QColor
    mono: tuple[tuple[QColor, QColor], ...]
    """Grounds and inks of monograms, chosen by a peer's number: a colour must not look like
    proof of who it is."""


def _monograms(*pairs: tuple[str, str]) -> tuple[tuple[QColor, QColor], ...]:
    return tuple((QColor(ground), QColor(ink)) for ground, ink in pairs)


LIGHT = Colours(
    dark=False,
    window=QColor("#f5f6f8"),
    canvas=QColor("#ffffff"),
    raised=QColor("#ffffff"),
    field=QColor("#ffffff"),
    hover=QColor("#eaecf0"),
    selected=QColor("#dbe6fc"),
    sunken=QColor("#eef0f3"),
    well=QColor("#eceef2"),
    text=QColor("#191d23"),
    text_2=QColor("#535c69"),
    text_3=QColor("#626b78"),
    line=QColor("#e2e5ea"),
    edge=QColor("#878e9a"),
    accent=QColor("#2563eb"),
    accent_hover=QColor("#1d53cc"),
    on_accent=QColor("#ffffff"),
    accent_soft=QColor("#e6eefd"),
    link=QColor("#1b4ecb"),
    own=QColor("#dbe7fe"),
    own_2=QColor("#4a576e"),
    own_code=QColor("#edf3ff"),
    own_track=QColor("#b7caf0"),
    own_press=QColor("#c7d9fc"),
    peer=QColor("#eff1f4"),
    peer_2=QColor("#535c69"),
    peer_code=QColor("#ffffff"),
    peer_track=QColor("#cdd2da"),
    peer_press=QColor("#dfe3e9"),
    mark=QColor("#ffe08a"),
    on_mark=QColor("#191d23"),
    good=QColor("#136339"),
    good_fill=QColor("#e2f4e9"),
    warning=QColor("#7a4a00"),
    warning_fill=QColor("#fff1d4"),
    danger=QColor("#ac171d"),
    danger_fill=QColor("#fde8e6"),
    info_fill=QColor("#e6eefd"),
    dot_on=QColor("#1d9155"),
    dot_wait=QColor("#c07a00"),
    dot_off=QColor("#868e9b"),
    mono=_monograms(
        ("#b5cdf6", "#143872"),
        ("#b9e2cd", "#0e4a30"),
        ("#f0d5ad", "#5e3804"),
        ("#dfc7f1", "#502575"),
        ("#f5c4cc", "#751a30"),
        ("#b8dde6", "#0c4752"),
    ),
)

DARK = Colours(
    dark=True,
    window=QColor("#1a1c20"),
    canvas=QColor("#131518"),
    raised=QColor("#212429"),
    field=QColor("#16181b"),
    hover=QColor("#26292f"),
    selected=QColor("#233a63"),
    sunken=QColor("#2a2d33"),
    well=QColor("#2a2d33"),
    text=QColor("#e8eaed"),
    text_2=QColor("#a9b1bc"),
    text_3=QColor("#99a1ad"),
    line=QColor("#2c3037"),
    edge=QColor("#737c89"),
    accent=QColor("#5c95ff"),
    accent_hover=QColor("#7aa8ff"),
    on_accent=QColor("#0a0e16"),
    accent_soft=QColor("#1d2d4b"),
    link=QColor("#92b9ff"),
    own=QColor("#213d6b"),
    own_2=QColor("#b6c6e0"),
    own_code=QColor("#182d51"),
    own_track=QColor("#142747"),
    own_press=QColor("#33528a"),
    peer=QColor("#25282e"),
    peer_2=QColor("#a9b1bc"),
    peer_code=QColor("#1a1c20"),
    peer_track=QColor("#3f454e"),
    peer_press=QColor("#383d45"),
    mark=QColor("#f2c14b"),
    on_mark=QColor("#131518"),
    good=QColor("#63cb97"),
    good_fill=QColor("#16301f"),
    warning=QColor("#efb64a"),
    warning_fill=QColor("#352a11"),
    danger=QColor("#ff9d96"),
    danger_fill=QColor("#3d2021"),
    info_fill=QColor("#1d2d4b"),
    dot_on=QColor("#3fbf7f"),
    dot_wait=QColor("#efb64a"),
    dot_off=QColor("#7d8694"),
    mono=_monograms(
        ("#38609f", "#eaf1ff"),
        ("#2b684c", "#dff7ea"),
        ("#75581f", "#fdf0d8"),
        ("#6a4690", "#f3e6fd"),
        ("#86404f", "#fde6ea"),
        ("#2a6674", "#e0f5fa"),
    ),
)


class Measures(Struct, frozen=True):
    """Lengths and fonts that go with one font of the application."""

    unit: int
    """Pixels of one step of the grid: 4 at a text size of 14."""
    body: QFont
    medium: QFont
    bold: QFont
    small: QFont
    small_bold: QFont
    micro: QFont
    micro_bold: QFont
    code: QFont
    numbers: QFont
    """Fixed width, as small as a time: ACK numbers and addresses."""
    title: QFont
    page: QFont
    emoji: QFont
    """One to three alone, large."""
    emoji_body: QFont
    """Among text. Where a font of letters has an emoji too, it is a small outline."""

    def px(self, length: float) -> int:
        """A length of the design (at a text size of 14) in whole pixels."""
        return max(1, round(length * self.unit / 4)) if length else 0

    def line(self, font: QFont, step: int) -> float:
        """Height of a line of `font`: `step` of the design, or what the font needs."""
        return max(self.px(step), round(QFontMetricsF(font).height()))


def measures_of(font: QFont) -> Measures:
    """The measures for an application font. Cheap: kept for the fonts in use."""
    return _measures(font.toString())


@lru_cache(maxsize=16)
def _measures(description: str) -> Measures:
    body = QFont()
    body.fromString(description)
    px = QFontInfo(body).pixelSize()
    fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    if not QFontInfo(fixed).fixedPitch():  # no desktop has chosen one
        fixed = QFont("monospace")
        fixed.setStyleHint(QFont.StyleHint.Monospace)
    fixed.setPixelSize(px)
    coloured = [name for name in QFontDatabase().families() if name.endswith("Color Emoji")]
    small, micro = scaled(body, 0.86), scaled(body, 0.79)
    return Measures(
        unit=max(MIN_UNIT_PX, round(4 * px / BODY_PX)),
        body=body,
        medium=_weighted(body, QFont.Weight.Medium),
        bold=_weighted(body, QFont.Weight.DemiBold),
        small=small,
        small_bold=_weighted(small, QFont.Weight.DemiBold),
        micro=micro,
        micro_bold=_weighted(micro, QFont.Weight.DemiBold),
        code=scaled(fixed, 0.93),
        numbers=scaled(fixed, 0.79),
        title=_weighted(scaled(body, 1.14), QFont.Weight.DemiBold),
        page=_weighted(scaled(body, 1.43), QFont.Weight.DemiBold),
        emoji=_behind(coloured, scaled(body, 2.57)),
        emoji_body=_behind(coloured, body),
    )


def scaled(font: QFont, factor: float) -> QFont:
    """`font` in another size, in whole pixels, never too small to read."""
    copy = QFont(font)
    copy.setPixelSize(max(MIN_TEXT_PX, round(QFontInfo(font).pixelSize() * factor)))
    return copy


def _behind(coloured: list[str], font: QFont) -> QFont:
    """`font`, behind one that has emoji in colour if there is one."""
    copy = QFont(font)
    copy.setFamilies([*coloured[:1], font.family()])
    return copy


def _weighted(font: QFont, weight: QFont.Weight) -> QFont:
    copy = QFont(font)
    copy.setWeight(weight)
    return copy
