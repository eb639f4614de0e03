"""Pictures drawn by hand: no files to find, sharp at every scale, in the theme's colours."""

from collections.abc import Callable

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
    QPointF,
    QRectF,
    Qt,
)
from chatnet_qt.theme import mix

Draw = Callable[[QPainter, QRectF, QColor], None]


def icon_of(draw: Draw, colour: QColor, size: int = 24) -> QIcon:
    """`draw` as an icon, normal and greyed."""
    icon = QIcon()
    for mode, ink in (
        (QIcon.Mode.Normal, colour),
        (QIcon.Mode.Disabled, mix(colour, QColor("#808080"), 0.75)),
    ):
        for factor in (1, 2):
            pixmap = QPixmap(size * factor, size * factor)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            draw(painter, QRectF(0, 0, size * factor, size * factor), ink)
            painter.end()
            icon.addPixmap(pixmap, mode)
    return icon


def _pen(painter: QPainter, colour: QColor, width: float) -> None:
    pen = QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _line(painter: QPainter, box: QRectF, *points: tuple[float, float]) -> None:
    path = QPainterPath()
    for number, (x, y) in enumerate(points):
        point = QPointF(box.x() + x * box.width(), box.y() + y * box.height())
        if number:
            path.lineTo(point)
        else:
            path.moveTo(point)
    painter.drawPath(path)


def draw_tick(painter: QPainter, box: QRectF, colour: QColor, state: str) -> None:
    """The state of an own message: each differs in shape, none in colour alone."""
    width = box.height() * 0.115
    _pen(painter, colour, width)
    tall = QRectF(box.x(), box.y(), box.height(), box.height())
    match state:
        case "waiting":
            for x in (0.14, 0.5, 0.86):
                _line(painter, tall, (x, 0.6), (x, 0.61))
        case "queued":
            painter.drawEllipse(tall.adjusted(width, width, -width, -width))
            _line(painter, tall, (0.5, 0.26), (0.5, 0.52), (0.68, 0.62))
        case "sent":
            _line(painter, tall, (0.12, 0.54), (0.38, 0.80), (0.88, 0.24))
        case "delivered":
            _line(painter, tall, (-0.06, 0.54), (0.20, 0.80), (0.70, 0.24))
            _line(painter, tall, (0.46, 0.75), (0.52, 0.80), (1.02, 0.24))
        case "shown":
            painter.drawEllipse(tall.adjusted(width, width, -width, -width))
            _line(painter, tall, (0.28, 0.52), (0.44, 0.68), (0.73, 0.36))
        case "read":
            painter.setBrush(QBrush(colour))
            painter.drawEllipse(tall.adjusted(width, width, -width, -width))
            clear = QColor("white") if colour.lightness() < 150 else QColor("black")
            _pen(painter, clear, width * 1.15)
            _line(painter, tall, (0.28, 0.52), (0.44, 0.68), (0.73, 0.36))
        case _:
            painter.drawEllipse(tall.adjusted(width, width, -width, -width))
            _line(painter, tall, (0.5, 0.24), (0.5, 0.56))
            _line(painter, tall, (0.5, 0.75), (0.5, 0.76))


def draw_paperclip(painter: QPainter, box: QRectF, colour: QColor) -> None:
    """Attach files."""
    _pen(painter, colour, box.width() * 0.075)
    painter.save()
    painter.translate(box.center())
    painter.rotate(40)
    unit = box.width()
    path = QPainterPath()
    path.moveTo(0.17 * unit, -0.20 * unit)
    path.lineTo(0.17 * unit, 0.20 * unit)
    path.arcTo(QRectF(-0.17 * unit, 0.03 * unit, 0.34 * unit, 0.34 * unit), 0, -180)
    path.lineTo(-0.17 * unit, -0.24 * unit)
    path.arcTo(QRectF(-0.17 * unit, -0.36 * unit, 0.23 * unit, 0.23 * unit), 180, -180)
    path.lineTo(0.06 * unit, 0.17 * unit)
    path.arcTo(QRectF(-0.06 * unit, 0.11 * unit, 0.12 * unit, 0.12 * unit), 0, -180)
    path.lineTo(-0.06 * unit, -0.16 * unit)
    painter.drawPath(path)
    painter.restore()


def draw_send(painter: QPainter, box: QRectF, colour: QColor) -> None:
    """An arrow upwards, as on a letter that leaves."""
    _pen(painter, colour, box.width() * 0.10)
    _line(painter, box, (0.5, 0.80), (0.5, 0.20))
    _line(painter, box, (0.24, 0.46), (0.5, 0.20), (0.76, 0.46))


def draw_down(painter: QPainter, box: QRectF, colour: QColor) -> None:
    """To the end of the conversation."""
    _pen(painter, colour, box.width() * 0.09)
    _line(painter, box, (0.28, 0.42), (0.5, 0.64), (0.72, 0.42))


def draw_up(painter: QPainter, box: QRectF, colour: QColor) -> None:
    """To the one before."""
    _pen(painter, colour, box.width() * 0.09)
    _line(painter, box, (0.28, 0.60), (0.5, 0.38), (0.72, 0.60))


def draw_close(painter: QPainter, box: QRectF, colour: QColor) -> None:
    """Take away."""
    _pen(painter, colour, box.width() * 0.09)
    _line(painter, box, (0.3, 0.3), (0.7, 0.7))
    _line(painter, box, (0.7, 0.3), (0.3, 0.7))


def draw_shield(painter: QPainter, box: QRectF, colour: QColor) -> None:
    """Somebody was compared and is who they say."""
    _pen(painter, colour, box.width() * 0.085)
    outline = QPainterPath()
    at = [
        QPointF(box.x() + x * box.width(), box.y() + y * box.height())
        for x, y in (
            (0.5, 0.09),
            (0.83, 0.21),
            (0.83, 0.72),
            (0.5, 0.91),
            (0.17, 0.72),
            (0.17, 0.21),
        )
    ]
    outline.moveTo(at[0])
    outline.lineTo(at[1])
    outline.cubicTo(at[2], at[2], at[3])
    outline.cubicTo(at[4], at[4], at[5])
    outline.closeSubpath()
    painter.drawPath(outline)
    _line(painter, box, (0.35, 0.50), (0.46, 0.61), (0.66, 0.40))


def draw_file(painter: QPainter, box: QRectF, paper: QColor, ink: QColor, ending: str) -> None:
    """A sheet with a folded corner and the file's ending on it."""
    sheet = QRectF(box.x() + box.width() * 0.12, box.y(), box.width() * 0.76, box.height())
    fold = sheet.width() * 0.34
    path = QPainterPath(QPointF(sheet.left(), sheet.top()))
    path.lineTo(sheet.right() - fold, sheet.top())
    path.lineTo(sheet.right(), sheet.top() + fold)
    path.lineTo(sheet.right(), sheet.bottom())
    path.lineTo(sheet.left(), sheet.bottom())
    path.closeSubpath()
    painter.setPen(QPen(ink, max(1.0, box.width() * 0.035)))
    painter.setBrush(QBrush(paper))
    painter.drawPath(path)
    corner = QPainterPath(QPointF(sheet.right() - fold, sheet.top()))
    corner.lineTo(sheet.right() - fold, sheet.top() + fold)
    corner.lineTo(sheet.right(), sheet.top() + fold)
    painter.drawPath(corner)
    if ending:
        font = QFont(QApplication.font())
        font.setBold(True)
        font.setPixelSize(max(6, round(box.height() * (0.27 if len(ending) < 4 else 0.22))))
        painter.setFont(font)
        painter.drawText(
            sheet.adjusted(0, sheet.height() * 0.38, 0, -sheet.height() * 0.06),
            int(Qt.AlignmentFlag.AlignCenter),
            ending[:4].upper(),
        )


def app_icon(accent: QColor, unread: int = 0) -> QIcon:
    """Two bubbles; with a badge while something is unread."""
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
            painter.setBrush(QBrush(QColor("#e5484d")))
            painter.drawEllipse(QRectF(8 * unit, 0, 8 * unit, 8 * unit))
            font = QFont(QApplication.font())
            font.setBold(True)
            font.setPixelSize(max(6, round(5.6 * unit)))
            painter.setFont(font)
            painter.setPen(QColor("white"))
            box = QRectF(8 * unit, 0, 8 * unit, 8 * unit)
            words = str(unread) if unread < 10 else "9+"
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), words)
        painter.end()
        icon.addPixmap(pixmap)
    return icon
