"""Run on a bus of its own: a desktop that shows notifications and a task bar; what it was asked.

`fake_desktop.py serve` is the desktop; without arguments a program asks it: both live in two
processes, as they would.
"""

import subprocess
import sys

from PyQt5.QtCore import Q_CLASSINFO, QCoreApplication, QObject, QTimer, pyqtSlot
from PyQt5.QtDBus import QDBusConnection, QDBusMessage

from chatnet_qt import launcher
from chatnet_qt.notifications import PATH, SERVICE, Notifications
from chatnet_qt.qt_dbus import unsigned


class Desktop(QObject):
    Q_CLASSINFO("D-Bus Interface", SERVICE)
    last = 40

    @pyqtSlot(str, "uint", str, str, str, "QStringList", "QVariantMap", int, result="uint")
    def Notify(
        self,
        _app: str,
        replaces: int,
        _icon: str,
        title: str,
        body: str,
        actions: list[str],
        _hints: dict[str, object],
        _expiry: int,
    ) -> int:
        number = replaces or self.last + 1
        self.last = max(self.last, number)
        print(f"notify {replaces} {title}|{body}|{','.join(actions)}", flush=True)
        if body == "click me":
            QTimer.singleShot(20, lambda: self.click(number))
        return number

    @pyqtSlot("uint")
    def CloseNotification(self, number: int) -> None:
        print(f"close {number}", flush=True)

    @pyqtSlot(QDBusMessage)
    def on_launcher(self, message: QDBusMessage) -> None:
        entry, facts = message.arguments()
        print(f"launcher {entry} {facts['count']} {facts['progress']}", flush=True)

    def click(self, number: int) -> None:
        message = QDBusMessage.createSignal(PATH, SERVICE, "ActionInvoked")
        message.setArguments([unsigned(number), "default"])
        QDBusConnection.sessionBus().send(message)


def serve() -> None:
    app = QCoreApplication([])
    bus = QDBusConnection.sessionBus()
    desktop = Desktop()
    bus.connect("", launcher.PATH, launcher.INTERFACE, "Update", desktop.on_launcher)
    bus.registerObject(PATH, desktop, QDBusConnection.RegisterOption.ExportAllSlots)
    bus.registerService(SERVICE)
    print("ready", flush=True)
    QTimer.singleShot(60_000, app.quit)
    app.exec_()


def ask() -> None:
    server = subprocess.Popen(
        [sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    server.stdout.readline()
    app = QCoreApplication([])
    shown = Notifications()
    bar = QDBusMessage.createSignal(launcher.PATH, launcher.INTERFACE, "Update")
    bar.setArguments(["application://x.desktop", launcher.properties_of((3, 0.5))])
    QDBusConnection.sessionBus().send(bar)
    shown.show(1, "Bob", "a <b>")
    shown.show(1, "Bob", "dropped")
    shown.show(1, "Bob", "2 new messages")
    shown.show(2, "Carol", "click me")

    def on_activated(peer: int) -> None:
        print(f"activated {peer}", flush=True)
        shown.clear(1)
        shown.clear_all()
        QTimer.singleShot(300, app.quit)

    shown.activated.connect(on_activated)
    shown.failed.connect(lambda *_words: print("failed", flush=True))
    QTimer.singleShot(50_000, app.quit)
    app.exec_()
    server.terminate()
    print(server.stdout.read(), end="")
    server.wait()


if __name__ == "__main__":
    serve() if sys.argv[1:] else ask()
