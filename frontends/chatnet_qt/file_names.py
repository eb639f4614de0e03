"""What the files in a message are called, and the icon that goes with them. Pure."""

from chatnet_client.words.offers import title_of_offer, title_of_row
from chatnet_qt.bubble import Bubble
from chatnet_qt.wording import shown_name

ARCHIVES = frozenset({"zip", "gz", "xz", "bz2", "zst", "7z", "tar", "deb", "rpm", "rar"})
TEXTS = frozenset({"txt", "md", "pdf", "doc", "docx", "odt", "csv", "log", "json", "py"})
PICTURES = frozenset({"png", "jpg", "jpeg", "gif", "webp", "bmp", "svg", "heic", "tif", "tiff"})


def name_of(bubble: Bubble) -> str:
    """What the files in a bubble are called: made safe for one line."""
    offer, transfer = bubble.offer, bubble.transfer
    if transfer is not None and transfer.name:
        return title_of_row(transfer, shown_name)
    return title_of_offer(offer, shown_name) if offer is not None else "files"


def picture_for(bubble: Bubble) -> str:
    """The icon that goes with what is offered."""
    things = bubble.offer.things if bubble.offer else []
    if len(things) > 1 or any(thing.is_folder for thing in things):
        return "folder"
    ending = name_of(bubble).rpartition(".")[2].lower()
    for endings, icon in ((ARCHIVES, "archive"), (TEXTS, "text"), (PICTURES, "image")):
        if ending in endings:
            return icon
    return "file"
