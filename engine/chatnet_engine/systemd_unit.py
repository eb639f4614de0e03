"""Writes the systemd user unit of a session, for engines that systemd runs. Pure."""

from collections.abc import Sequence

from chatnet_engine.io.restart_policy import DEATHS_WINDOW_S, MAX_DEATHS, MAX_PAUSE_S

UNIT = """\
# Save as ~/.config/systemd/user/chatnet-{name}.service, then:
#   systemctl --user daemon-reload
#   systemctl --user enable --now chatnet-{name}
# To go on while you are logged out: loginctl enable-linger
[Unit]
Description=ChatNet session {name}
StartLimitIntervalSec={window}
StartLimitBurst={deaths}

[Service]
ExecStart={command}
{environment}# 0: stopped by its user. 1 and 2: the start was refused, trying again would not help.
Restart=on-failure
RestartPreventExitStatus=1 2
RestartSec=100ms
RestartSteps=7
RestartMaxDelaySec={pause}

[Install]
WantedBy=default.target
"""


def unit_text(
    name: str, command: Sequence[str], environment: Sequence[tuple[str, str]] = ()
) -> str:
    """The unit that runs `command`, an engine in the foreground, for session `name`."""
    lines = "".join(f"Environment={_quoted(f'{key}={value}')}\n" for key, value in environment)
    return UNIT.format(
        name=name,
        command=" ".join(_quoted(word, dollar="$$") for word in command),
        environment=lines,
        window=round(DEATHS_WINDOW_S),
        deaths=MAX_DEATHS,
        pause=round(MAX_PAUSE_S),
    )


def _quoted(word: str, dollar: str = "$") -> str:
    """As systemd.syntax(7) reads it back: `%` and, in commands, `$` would be replaced."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + text.replace("%", "%%").replace("$", dollar) + '"'
