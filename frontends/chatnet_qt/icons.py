"""Pictures drawn by hand on a grid of 24, lines of 2, round ends: no files to find, sharp at every
scale, in the theme's colours."""

from functools import lru_cache
from types import MappingProxyType

from chatnet_qt.qt import (
    QApplication,
    QBrush,
    QColor,
    QFont,
    QIcon,
    QPainter,
    QPainterPath,
    QPen,
    QPixmap,
    QRectF,
    Qt,
)
from chatnet_qt.theme import colours_of, mix

GRID = 24
STROKE = 2.0

# M x y: begin; L x y: line; C x1 y1 x2 y2 x y: curve; Z: close; O x y r: circle; R x y w h r: box.
_SHIELD = "M 12 2.5 L 20 5.5 C 20 14 17 19 12 21.5 C 7 19 4 14 4 5.5 Z"
_SHEET = "M 14 2 L 6 2 C 4.9 2 4 2.9 4 4 L 4 20 C 4 21.1 4.9 22 6 22 L 18 22 C 19.1 22 20 21.1 "
_SHEET += "20 20 L 20 8 L 14 2 L 14 8 L 20 8"
_BELL = "M 4 17 L 20 17 C 18 15 18 13 18 9 C 18 5.5 15.5 3 12 3 C 8.5 3 6 5.5 6 9 C 6 13 6 15 4 17 "
_BELL += "M 10 20.5 C 11 21.8 13 21.8 14 20.5"
ICONS = MappingProxyType(
    {
        "menu": "M 4 6 L 20 6 M 4 12 L 20 12 M 4 18 L 20 18",
        "search": "O 11 11 7 M 20.5 20.5 L 16 16",
        "plus": "M 12 5 L 12 19 M 5 12 L 19 12",
        "minus": "M 5 12 L 19 12",
        "whole": "M 4 9 L 4 4 L 9 4 M 15 4 L 20 4 L 20 9 M 20 15 L 20 20 L 15 20 M 9 20 L 4 20 L "
        "4 15",
        "open": "M 14 4 L 20 4 L 20 10 M 20 4 L 11 13 M 17 14 L 17 20 L 4 20 L 4 7 L 10 7",
        "back": "M 19 12 L 5 12 M 12 5 L 5 12 L 12 19",
        "close": "M 6 6 L 18 18 M 18 6 L 6 18",
        "up": "M 6 15 L 12 9 L 18 15",
        "down": "M 6 9 L 12 15 L 18 9",
        "newest": "M 12 5 L 12 19 M 5 12 L 12 19 L 19 12",
        "send": "M 12 19 L 12 5 M 5 12 L 12 5 L 19 12",
        "more": "O 12 5 0.6 O 12 12 0.6 O 12 19 0.6",
        "clip": "M 20.5 11.5 L 12 20 C 9.5 22.5 5.5 22 3.7 19.6 C 2 17.3 2.3 14.2 4.3 12.3 L "
        "12.8 3.8 "
        "C 14.4 2.2 17 2.3 18.4 3.8 C 19.9 5.3 19.9 7.8 18.4 9.4 L 10 17.8 C 9.2 18.6 8 18.6 7.2 "
        "17.8 C 6.4 17 6.4 15.8 7.2 15 L 15 7.2",
        "smile": "O 12 12 9.5 M 8 14.2 C 9.6 16.6 14.4 16.6 16 14.2 M 9 9 L 9 9.1 M 15 9 L 15 9.1",
        "reply": "M 9 15 L 4 10 L 9 5 M 4 10 L 14 10 C 18 10 20 13 20 18",
        "copy": "R 8.5 8.5 12.5 12.5 2 M 15.5 5 L 15.5 4.5 C 15.5 3.6 14.9 3 14 3 L 5 3 C 3.9 3 "
        "3 3.9 "
        "3 5 L 3 14 C 3 14.9 3.6 15.5 4.5 15.5 L 5 15.5",
        "pencil": "M 4 20 L 5 16 L 16.5 4.5 C 17.6 3.4 19.2 3.5 20 4.3 C 20.8 5.1 20.8 6.6 19.7 "
        "7.7 "
        "L 8 19 Z M 14.5 6.5 L 17.7 9.7",
        "trash": "M 4 6.5 L 20 6.5 M 6 6.5 L 7 21 L 17 21 L 18 6.5 M 9 6.5 L 9 3 L 15 3 L 15 6.5",
        "info": "O 12 12 9.5 M 12 11.5 L 12 16.5 M 12 7.6 L 12 7.7",
        "link": "M 2.5 12 L 6.5 12 L 9.5 20 L 14.5 4 L 17.5 12 L 21.5 12",
        "shield": _SHIELD,
        "verified": f"{_SHIELD} M 8.7 12 L 11.2 14.4 L 15.4 9.8",
        "alert": f"{_SHIELD} M 12 8 L 12 12 M 12 15.8 L 12 15.9",
        "bell": _BELL,
        "bell-off": f"{_BELL} M 3 3 L 21 21",
        "blocked": "O 12 12 9 M 5.6 5.6 L 18.4 18.4",
        "user": "O 12 8 4 M 5 20.5 C 5 16.5 8 14.8 12 14.8 C 16 14.8 19 16.5 19 20.5",
        "pause": "R 6 4 3.6 16 1 R 14.4 4 3.6 16 1",
        "play": "M 7 4 L 19 12 L 7 20 Z",
        "download": "M 12 3 L 12 15 M 7 10.5 L 12 15.5 L 17 10.5 M 4 20 L 20 20",
        "folder": "M 3 19 L 3 5 L 9 5 L 11.5 8 L 21 8 L 21 19 Z",
        "file": _SHEET,
        "text": f"{_SHEET} M 8 13 L 16 13 M 8 17 L 14 17",
        "archive": f"{_SHEET} M 9 5 L 9 5.1 M 9 9 L 9 9.1 M 9 13 L 9 13.1 M 9 17 L 9 17.1",
        "image": "R 3 4 18 16 2 O 8.5 9.5 1.5 M 4 18 L 10 13 L 13 15.5 L 17 11.5 L 21 15",
        "clock": "O 12 12 9.5 M 12 7 L 12 12 L 15 14",
        "calendar": "R 3 4.5 18 17 2 M 3 10 L 21 10 M 8 2.5 L 8 6.5 M 16 2.5 L 16 6.5",
        "history": "M 3.5 7 C 5.5 4 8.5 2.7 12 2.7 C 17.2 2.7 21.3 6.8 21.3 12 C 21.3 17.2 17.2 "
        "21.3 12 "
        "21.3 C 7.6 21.3 4.2 18.7 3 15 M 3.3 2.5 L 3.3 7.3 L 8 7.3 M 12 7.5 L 12 12 L 15 14",
        "warning": "M 12 3.5 L 22 20.5 L 2 20.5 Z M 12 9.5 L 12 14 M 12 17.2 L 12 17.3",
        "error": "O 12 12 9.5 M 12 7 L 12 12.5 M 12 16.3 L 12 16.4",
        "check": "M 4.5 12.5 L 9.5 17.5 L 19.5 7",
        "power": "M 12 3 L 12 11 M 6.5 7 C 1.5 12.5 5 21 12 21 C 19 21 22.5 12.5 17.5 7",
        "qr": "R 3.5 3.5 6.5 6.5 1 R 14 3.5 6.5 6.5 1 R 3.5 14 6.5 6.5 1 M 14.5 14.5 L 14.5 17 "
        "M 20 14.5 "
        "L 17.5 17.5 M 14.5 20.3 L 14.6 20.3 M 20.3 20 L 20.3 20.1",
        "settings": "M 4 7 L 11 7 M 17 7 L 20 7 M 4 17 L 7 17 M 13 17 L 20 17 O 14 7 2.6 O 10 17 "
        "2.6",
    }
)
"""Each picture as lines, curves and circles."""

TICKS = MappingProxyType(
    {
        "waiting": "M 3 8.5 L 3 8.6 M 8 8.5 L 8 8.6 M 13 8.5 L 13 8.6",
        "queued": "O 8 8 5.75 M 8 4.9 L 8 8.2 L 10.1 9.5",
        "sent": "M 3.2 8.6 L 6.2 11.6 L 12.8 4.4",
        "delivered": "M 0.8 8.6 L 3.8 11.6 L 10.4 4.4 M 7.4 11.1 L 7.9 11.6 L 14.5 4.4",
        "shown": "O 8 8 6.25 M 5.1 8.3 L 7.1 10.3 L 10.9 6",
        "failed": "O 8 8 6.25 M 8 4.8 L 8 8.4 M 8 11 L 8 11.1",
        "withdrawn": "O 8 8 6.25 M 5.2 8 L 10.8 8",
    }
)
"""The states of an own message on a grid of 16; "read" is a filled disc."""
TICK_GRID, TICK_STROKE = 16, 1.5
MANY = 10
"""Unread messages from which on a badge has no number."""


def path_of(commands: str) -> QPainterPath:
    """The lines of a picture, in its own grid."""
    path, words = QPainterPath(), iter(commands.split())
    for word in words:
        if word == "M":
            path.moveTo(float(next(words)), float(next(words)))
        elif word == "L":
            path.lineTo(float(next(words)), float(next(words)))
        elif word == "C":
            x1, y1, x2, y2, x, y = (float(next(words)) for _ in range(6))
            path.cubicTo(x1, y1, x2, y2, x, y)
        elif word == "O":
            x, y, radius = (float(next(words)) for _ in range(3))
            path.addEllipse(QRectF(x - radius, y - radius, 2 * radius, 2 * radius))
        elif word == "R":
            x, y, wide, tall, radius = (float(next(words)) for _ in range(5))
            path.addRoundedRect(QRectF(x, y, wide, tall), radius, radius)
        else:
            path.closeSubpath()
    return path


def _stroke(
    painter: QPainter, box: QRectF, colour: QColor, path: QPainterPath, grid: int, width: float
) -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    side = min(box.width(), box.height())
    painter.translate(box.center().x() - side / 2, box.center().y() - side / 2)
    painter.scale(side / grid, side / grid)
    pen = QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(path)
    painter.restore()


def draw_icon(painter: QPainter, box: QRectF, colour: QColor, name: str) -> None:
    """The picture `name` in the middle of `box`."""
    _stroke(painter, box, colour, path_of(ICONS[name]), GRID, STROKE)


def draw_tick(
    painter: QPainter, box: QRectF, colour: QColor, state: str, ground: QColor | None = None
) -> None:
    """The state of an own message: each differs in shape, none in colour alone. `ground`: what it
    stands on, which shows through "read"."""
    if state == "read":
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(colour))
        side = min(box.width(), box.height()) * 14 / TICK_GRID
        centre = box.center()
        painter.drawEllipse(QRectF(centre.x() - side / 2, centre.y() - side / 2, side, side))
        painter.restore()
        clear = QColor("white") if colour.lightness() < 150 else QColor("black")
        check = path_of("M 5.1 8.3 L 7.1 10.3 L 10.9 6")
        _stroke(painter, box, ground or clear, check, TICK_GRID, TICK_STROKE)
        return
    path = path_of(TICKS.get(state, TICKS["failed"]))
    _stroke(painter, box, colour, path, TICK_GRID, TICK_STROKE)


def icon_of(name: str, colour: QColor, size: int = GRID, faint: QColor | None = None) -> QIcon:
    """The picture `name` as an icon, normal and disabled."""
    icon = QIcon()
    grey = faint or mix(colour, QColor("#808080"), 0.75)
    for mode, ink in ((QIcon.Mode.Normal, colour), (QIcon.Mode.Disabled, grey)):
        for factor in (1, 2, 3):
            pixmap = QPixmap(size * factor, size * factor)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            draw_icon(painter, QRectF(0, 0, size * factor, size * factor), ink, name)
            painter.end()
            icon.addPixmap(pixmap, mode)
    return icon


def app_icon(unread: int = 0) -> QIcon:
    """Two bubbles; with a badge while something is unread. Kept for what is shown."""
    accent = colours_of(QApplication.palette()).accent
    return _app_icon(accent.rgb(), min(unread, MANY))


@lru_cache(maxsize=4)
def _app_icon(rgb: int, unread: int) -> QIcon:
    accent = QColor(rgb)
    icon = QIcon()
    for size in (16, 24, 32, 48, 64, 128, 256):
        pixmap = QPixmap(size, size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        unit = size / 16
        painter.setBrush(QBrush(mix(accent, QColor("white"), 0.45)))
        painter.drawRoundedRect(
            QRectF(0.8 * unit, 1.5 * unit, 10 * unit, 8 * unit), 3 * unit, 3 * unit
        )
        painter.setBrush(QBrush(accent))
        painter.drawRoundedRect(
            QRectF(4.6 * unit, 5.6 * unit, 10.6 * unit, 8 * unit), 3 * unit, 3 * unit
        )
        if unread:
            _badge(painter, unit, unread)
        painter.end()
        icon.addPixmap(pixmap)
    return icon


def _badge(painter: QPainter, unit: float, unread: int) -> None:
    box = QRectF(8 * unit, 0, 8 * unit, 8 * unit)
    painter.setBrush(QBrush(QColor("#c5262d")))
    painter.drawEllipse(box)
    font = QFont(QApplication.font())
    font.setBold(True)
    font.setPixelSize(max(6, round(5.6 * unit)))
    painter.setFont(font)
    painter.setPen(QColor("white"))
    words = str(unread) if unread < MANY else "9+"
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), words)
