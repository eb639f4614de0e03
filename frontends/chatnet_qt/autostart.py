"""Starting with the desktop: an entry in its menu and one in its autostart folder, written when
asked and taken away again. After the freedesktop.org specifications for desktop entries and
autostart."""

import contextlib
import os
import sys

MENU_FILE = "chatnet-{session}.desktop"
ENTRY = """[Desktop Entry]
Type=Application
Name=ChatNet
Comment=Chat and send files directly
Exec={command}
Terminal=false
Categories=Network;InstantMessaging;
StartupNotify=true
"""


def _folder(variable: str, default: str) -> str:
    return os.environ.get(variable) or os.path.expanduser(default)


def menu_path(session: str) -> str:
    """Where the desktop looks for programs of this user."""
    base = _folder("XDG_DATA_HOME", "~/.local/share")
    return os.path.join(base, "applications", MENU_FILE.format(session=session))


def autostart_path(session: str) -> str:
    """Where the desktop looks for what begins with it."""
    base = _folder("XDG_CONFIG_HOME", "~/.config")
    return os.path.join(base, "autostart", MENU_FILE.format(session=session))


def quoted(words: list[str]) -> str:
    """A command line as desktop entries want it."""
    made = []
    for word in words:
        escaped = word
        for character in ("\\", '"', "`", "$"):
            escaped = escaped.replace(character, "\\" + character)
        made.append('"' + escaped.replace("\\", "\\\\").replace("%", "%%") + '"')
    return " ".join(made)


def entry(session: str) -> str:
    """The desktop entry that opens the window of a session."""
    command = [sys.executable, "-P", "-m", "chatnet_cli", "attach", "qt", "--session", session]
    return ENTRY.format(command=quoted(command))


def starts_at_login(session: str) -> bool:
    """Whether the desktop starts it."""
    return os.path.exists(autostart_path(session))


def set_start_at_login(session: str, on: bool) -> str:
    """Write both entries, or remove that of the login. Empty, or one sentence why not."""
    paths = (menu_path(session), autostart_path(session))
    try:
        if not on:
            with contextlib.suppress(FileNotFoundError):
                os.remove(paths[1])
            return ""
        for path in paths:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(entry(session))
    except OSError as error:
        return f"The entry cannot be written: {error.strerror}."
    return ""
