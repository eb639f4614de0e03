"""The table of limits in engine/README.md is what the code does."""

import re
from pathlib import Path

from chatnet_engine.io import (
    command_socket,
    event_socket,
    local_socket,
    zmtp,
    zmtp_pub,
    zmtp_router,
)

README = Path(__file__).parents[3] / "engine" / "README.md"
MODULES = {
    module.__name__.rsplit(".", 1)[1]: module
    for module in (command_socket, event_socket, local_socket, zmtp, zmtp_pub, zmtp_router)
}
UNITS = {"KIB", "MIB", "MORE", "LONG", "COMMAND", "GREETING_BYTES", "SIGNATURE_BYTES"}


def listed() -> dict[tuple[str, str], float]:
    """(module, name) -> number, from the rows of the table."""
    section = README.read_text("utf-8").split("### The local sockets\n", 1)[1].split("\n###", 1)[0]
    found: dict[tuple[str, str], float] = {}
    for row in section.splitlines():
        cells = row.split("|")
        if len(cells) < 4 or "`" not in cells[1]:
            continue
        numbers = iter(re.findall(r"\d+", cells[2]))
        module = ""
        for name in re.findall(r"`([^`]+)`", cells[1]):
            module = name.split(".")[0] if "." in name else module
            found[module, name.split(".")[-1]] = float(next(numbers))
        for name, number in re.findall(r"`(\w+)` = (\d+)", cells[3]):
            found[module, name] = float(number)
    return found


def test_every_limit_of_the_local_sockets_is_listed_with_its_value() -> None:
    table = listed()
    assert table == {key: getattr(MODULES[key[0]], key[1]) for key in table}
    own = {
        (name, constant)
        for name, module in MODULES.items()
        for constant, value in vars(module).items()
        if constant.isupper() and type(value) in (int, float) and constant not in UNITS
    }
    once = {constant for _, constant in table}
    assert {key for key in own if key not in table and key[1] not in once} == set()
