"""Run on a bus of its own: a settings portal that says dark, later light, and who asks it.

Portal and window live in two processes, as on a desktop: this file starts itself once more.
"""

import subprocess
import sys

from PyQt5.QtCore import Q_CLASSINFO, QCoreApplication, QObject, QTimer, pyqtSlot
from PyQt5.QtDBus import QDBusConnection, QDBusMessage, QDBusVariant

from chatnet_qt.desktop import INTERFACE, KEY, NAMESPACE, PATH, SERVICE, DesktopScheme


class Portal(QObject):
    Q_CLASSINFO("D-Bus Interface", INTERFACE)

    @pyqtSlot(str, str, result=QDBusVariant)  # type: ignore[arg-type]  # the stubs know names of types only
    def Read(self, _namespace: str, _key: str) -> QDBusVariant:
        QTimer.singleShot(50, self.say_light)
        return QDBusVariant(1)

    def say_light(self) -> None:
        message = QDBusMessage.createSignal(PATH, INTERFACE, "SettingChanged")
        message.setArguments([NAMESPACE, KEY, QDBusVariant(2)])
        QDBusConnection.sessionBus().send(message)


def serve() -> None:
    app = QCoreApplication([])
    bus = QDBusConnection.sessionBus()
    portal = Portal()
    bus.registerObject(PATH, portal, QDBusConnection.RegisterOption.ExportAllSlots)
    bus.registerService(SERVICE)
    print("ready", flush=True)
    QTimer.singleShot(20_000, app.quit)
    app.exec_()


def ask() -> None:
    portal = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE)
    assert portal.stdout is not None
    portal.stdout.readline()
    app = QCoreApplication([])
    scheme = DesktopScheme()

    def on_changed() -> None:
        print(f"dark={scheme.dark}", flush=True)
        if scheme.dark is False:
            app.quit()

    scheme.changed.connect(on_changed)
    scheme.ask()
    QTimer.singleShot(15_000, app.quit)
    app.exec_()
    portal.terminate()
    portal.wait()


if __name__ == "__main__":
    serve() if sys.argv[1:] else ask()
