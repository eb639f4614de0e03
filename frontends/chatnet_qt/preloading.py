"""Loads what the first paint did not wait for, in a thread, before somebody opens it.

Only what has nothing to do with Qt: the emoji with their names, and what makes QR codes. Loading
either when its page is opened would hold the window up for 50 to 100 ms.
"""

import threading
from importlib import import_module


def load_in_background() -> threading.Thread:
    """Begin; the window may close meanwhile."""
    thread = threading.Thread(target=_load, name="preloading", daemon=True)
    thread.start()
    return thread


def _load() -> None:
    import_module("segno")
    from chatnet_qt.emoji_names import named

    named("smile")  # builds the tables
