"""Shapes that more than one painter needs."""

from chatnet_qt.qt import QPainter, QPainterPath, QPixmap, QRectF


def rounded(
    box: QRectF, top_left: float, top_right: float, bottom_right: float, bottom_left: float
) -> QPainterPath:
    """A rectangle with a radius for each corner."""
    path = QPainterPath()

    def corner(x: float, y: float, radius: float, start: int) -> None:
        path.arcTo(QRectF(x, y, 2 * radius, 2 * radius), start, -90)

    path.moveTo(box.left(), box.top() + top_left)
    corner(box.left(), box.top(), top_left, 180)
    corner(box.right() - 2 * top_right, box.top(), top_right, 90)
    corner(box.right() - 2 * bottom_right, box.bottom() - 2 * bottom_right, bottom_right, 0)
    corner(box.left(), box.bottom() - 2 * bottom_left, bottom_left, 270)
    path.closeSubpath()
    return path


def draw_filling(painter: QPainter, box: QRectF, picture: QPixmap, radius: float) -> None:
    """A picture that fills a round box; what does not fit is left out on both sides alike."""
    scale = max(box.width() / picture.width(), box.height() / picture.height())
    wide, tall = picture.width() * scale, picture.height() * scale
    centre = box.center()
    painter.save()
    painter.setClipPath(rounded(box, radius, radius, radius, radius))
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    area = QRectF(centre.x() - wide / 2, centre.y() - tall / 2, wide, tall)
    painter.drawPixmap(area, picture, QRectF(picture.rect()))
    painter.restore()
