"""What the files in a message are called, and the icon that goes with them. Pure."""

from chatnet_qt.bubble import Bubble
from chatnet_qt.wording import shown_name

ARCHIVES = frozenset({"zip", "gz", "xz", "bz2", "zst", "7z", "tar", "deb", "rpm", "rar"})
TEXTS = frozenset({"txt", "md", "pdf", "doc", "docx", "odt", "csv", "log", "json", "py"})
PICTURES = frozenset({"png", "jpg", "jpeg", "gif", "webp", "bmp", "svg", "heic", "tif", "tiff"})


def name_of(bubble: Bubble) -> str:
    """What the files in a bubble are called: made safe for one line."""
    offer, transfer = bubble.offer, bubble.transfer
    if transfer is not None and transfer.name:
        name = transfer.name
    elif offer is not None and offer.files:
        name = offer.files[0].path[-1]
    else:
        name = "files"
    count = transfer.files if transfer else len(offer.files) if offer else 1
    return shown_name(name) if count < 2 else f"{shown_name(name)} and {count - 1} more"


def picture_for(bubble: Bubble) -> str:
    """The icon that goes with what is offered."""
    files = bubble.offer.files if bubble.offer else []
    if len(files) > 1 or any(len(file.path) > 1 for file in files):
        return "folder"
    ending = name_of(bubble).rpartition(".")[2].lower()
    for endings, icon in ((ARCHIVES, "archive"), (TEXTS, "text"), (PICTURES, "image")):
        if ending in endings:
            return icon
    return "file"
