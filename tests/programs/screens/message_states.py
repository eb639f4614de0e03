"""Pictures of what is known of one message."""

from collections.abc import Callable

from chatnet_protocol.ipc.commands import Delivery, FetchDelivery
from chatnet_protocol.ipc.rows import PacketRow
from chatnet_qt.details import MessageDetails
from chatnet_qt.qt import QWidget
from qtworld import message_id, session_view
from screens.scene import Scene, chat, others


def details_of(no: int, delivery: Delivery) -> Callable[[Scene], QWidget]:
    """The details of a message of the usual conversation, as the engine answered."""

    def put(scene: Scene) -> QWidget:
        stage = scene.open(session_view(chat(), *others()))
        stage.client.held.add(FetchDelivery)
        stage.pane.message_actions.show_details(message_id(no))
        stage.client.answer(delivery)
        stage.settle()
        dialog: QWidget = stage.pane.view.findChild(MessageDetails)
        return dialog

    return put


def own(scene: Scene) -> QWidget:
    """A message that was read, with one packet lost."""
    row = chat().messages[1]
    at_ms = row.sent_ms
    packets = [
        PacketRow(20_871, at_ms + 2, lost_ms=at_ms + 38, link=1),
        PacketRow(20_874, at_ms + 38, acked_ms=at_ms + 51, link=1),
    ]
    delivery = Delivery(
        at_ms - 60_000, packets=packets, packet_count=2, attempts=2, lost_count=1,
        acked_ms=at_ms + 51, stored_ms=at_ms + 54, shown_ms=at_ms + 1_200,
        read_ms=at_ms + 1_900, address="192.168.1.24:5000",
    )  # fmt: skip
    return details_of(row.no, delivery)(scene)


def received(scene: Scene) -> QWidget:
    """A message of the other person."""
    row = chat().messages[0]
    packets = [PacketRow(39_977, row.arrived_ms, link=1)]
    delivery = Delivery(
        1, packets=packets, packet_count=1, attempts=1, shown_ms=row.arrived_ms + 40,
        read_ms=row.arrived_ms + 40, address=row.source,
    )  # fmt: skip
    return details_of(row.no, delivery)(scene)


MESSAGE_STATES: dict[str, Callable[[Scene], QWidget]] = {
    "details-own": own,
    "details-received": received,
    "details-unknown": details_of(2, Delivery()),
}
