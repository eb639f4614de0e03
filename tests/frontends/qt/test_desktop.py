"""Light or dark as the desktop says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fake_portal
from chatnet_qt.desktop import DesktopScheme, unwrapped
from chatnet_qt.qt import QApplication, QPalette
from chatnet_qt.qt_dbus import QDBusMessage, QDBusVariant
from chatnet_qt.theme import Theme, apply_theme, dark_palette, is_dark, light_palette

PORTAL = Path(fake_portal.__file__)


def test_variants_are_unwrapped() -> None:
    assert unwrapped(QDBusVariant(QDBusVariant(1))) == 1
    assert unwrapped("plain") == "plain"


@pytest.mark.parametrize(("value", "dark"), [(1, True), (2, False), (0, None), ("x", None)])
def test_what_the_portal_says(app: QApplication, value: object, dark: bool | None) -> None:
    scheme = DesktopScheme()
    scheme.dark = not dark
    message = QDBusMessage.createSignal("/x", "org.x", "SettingChanged")
    message.setArguments(["org.freedesktop.appearance", "color-scheme", QDBusVariant(value)])
    scheme._on_setting(message)
    assert scheme.dark is dark


def test_other_settings_are_not_ours(app: QApplication) -> None:
    scheme = DesktopScheme()
    message = QDBusMessage.createSignal("/x", "org.x", "SettingChanged")
    message.setArguments(["org.freedesktop.appearance", "accent-color", QDBusVariant(1)])
    scheme._on_setting(message)
    assert scheme.dark is None


def test_the_desktops_wish_counts_only_while_following_it(app: QApplication) -> None:
    before = QPalette(app.palette())
    plain = QPalette(light_palette())
    plain.setColor(plain.Window, plain.color(plain.Window).fromRgb(0xEF, 0xEF, 0xEF))
    for theme, wish, dark in (
        (Theme.SYSTEM, True, True),
        (Theme.SYSTEM, None, False),
        (Theme.LIGHT, True, False),
        (Theme.DARK, False, True),
    ):
        apply_theme(app, theme, plain, wish)
        assert is_dark(app.palette()) is dark
    own = dark_palette()
    apply_theme(app, Theme.SYSTEM, own, False)
    assert app.palette().color(own.Window) == own.color(own.Window), (
        "a themed desktop keeps its own"
    )
    app.setPalette(before)


def test_a_portal_on_a_real_bus_is_asked() -> None:
    runner = shutil.which("dbus-run-session")
    if runner is None:
        pytest.skip("dbus-run-session is not installed")
    result = subprocess.run(
        [runner, "--", sys.executable, str(PORTAL)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert result.stdout.split() == ["dark=True", "dark=False"], result.stderr
