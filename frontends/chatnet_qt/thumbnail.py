"""Decodes one picture in a process of its own: `python -P -m chatnet_qt.thumbnail FILE SIDE`.

Qt's readers are C code that meets whatever a peer has sent; here a crash, a bomb or an endless loop
ends a process that holds nothing. Limits of memory, time and files are set before Qt is imported.
Writes `WIDTH HEIGHT FULL_WIDTH FULL_HEIGHT\\n` and 4 bytes a pixel (Format_RGBA8888) to standard
output; exit status 1: it is no picture that may be shown.
"""

import os
import resource
import sys

MAX_MEMORY_BYTES = 1024 * 1024 * 1024
"""Address space: Qt and its libraries take some 300 MB of it before any picture."""
MAX_CPU_S = 5
MAX_FILE_BYTES = 32 * 1024 * 1024
"""Of the picture. Larger ones are shown by the program that the desktop has for them."""
MAX_PIXELS = 50_000_000
FORMATS = frozenset({"png", "jpeg", "jpg", "gif", "webp", "bmp"})
"""Formats of Qt's own readers; SVG is a program more than a picture."""


def limit() -> None:
    """Bound what this process may take."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(10)


def decode(path: str, side: int) -> tuple[tuple[int, int, int, int], bytes] | None:
    """(width, height, full width, full height) and the pixels; None: not to be shown."""
    from chatnet_qt.qt import QImage, QImageReader, QSize, Qt

    if not os.path.isfile(path) or os.path.getsize(path) > MAX_FILE_BYTES:
        return None
    reader = QImageReader(path)
    reader.setDecideFormatFromContent(True)
    if bytes(reader.format()).decode("ascii", "replace") not in FORMATS:
        return None
    full = reader.size()
    if not full.isValid() or full.width() * full.height() > MAX_PIXELS:
        return None
    small = QSize(full)
    if max(full.width(), full.height()) > side:
        small.scale(side, side, Qt.AspectRatioMode.KeepAspectRatio)
        reader.setScaledSize(small)
    reader.setAutoTransform(True)
    image = reader.read()
    if image.isNull():
        return None
    image = image.convertToFormat(QImage.Format.Format_RGBA8888)
    bits = image.constBits()
    if bits is None:
        return None
    pixels = bits.asstring(image.sizeInBytes())
    wide = 4 * image.width()
    if image.bytesPerLine() != wide:
        step = image.bytesPerLine()
        pixels = b"".join(pixels[y * step : y * step + wide] for y in range(image.height()))
    return (image.width(), image.height(), full.width(), full.height()), pixels


def main(argv: list[str]) -> int:
    """The program."""
    limit()
    try:
        found = decode(argv[0], int(argv[1]))
    except (OSError, ValueError, MemoryError):
        found = None
    if found is None:
        return 1
    head, pixels = found
    sys.stdout.buffer.write(" ".join(map(str, head)).encode() + b"\n" + pixels)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
