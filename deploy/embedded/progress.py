"""What the commands print: progress, the table of `status`, the addresses."""

import time
from typing import Any

from deploy.embedded.layout import Stack

_SHOWN = {"ready", "done", "stopped", "backoff"}
_MEBIBYTE = 1024 * 1024


class Progress:
    """Prints one line for each program that gets somewhere."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._began = time.monotonic()

    def show(self, message: dict[str, Any]) -> None:
        """Print a message of the supervisor, if it is news."""
        if "killed" in message:
            pids = ", ".join(str(pid) for pid in message["killed"])
            self._print(f"killed leftovers: {pids}")
        elif message.get("waiting"):
            self._print(f"waiting for {', '.join(message['waiting'])}")
        elif message.get("state") in _SHOWN:
            state = {"backoff": "ended, is started again"}.get(
                message["state"], message["state"]
            )
            self._print(f"{message['program']:<13} {state}")

    def finish(self, text: str) -> None:
        """Print the last line, with the time all of it took."""
        self._print(text)

    def _print(self, text: str) -> None:
        elapsed = time.monotonic() - self._began
        print(f"[{self._verb} {elapsed:5.1f} s] {text}", flush=True)


def status_table(status: dict[str, Any]) -> str:
    """Return `status` for a terminal: a line a program."""
    head = (
        "PROGRAM",
        "STATE",
        "PID",
        "PORTS",
        "MEMORY",
        "UPTIME",
        "RESTARTS",
        "HEALTH",
    )
    rows = [head]
    for program in status["programs"]:
        ports = program["ports"]
        rows.append(
            (
                program["name"],
                program["state"],
                str(program["pid"] or "-"),
                ",".join(str(port) for port in ports) or "-",
                f"{program['memory_bytes'] // _MEBIBYTE} MiB",
                _duration(program["uptime_seconds"]),
                str(program["restarts"]),
                str(program["health"]).splitlines()[0],
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


def urls(stack: Stack) -> str:
    """Return the addresses that a person may want to open."""
    return (
        f"  API          {stack.url('edge')}/\n"
        f"  over TLS     https://{stack.address('edge_tls')}/ ({stack.ca_file})\n"
        f"  mails        {stack.url('smtp_view')}/mails\n"
        f"  pushes       {stack.url('fcm_control')}/sent\n"
        f"  RabbitMQ     {stack.url('rabbitmq_management')}/ (user admin, password in "
        f"{stack.secrets / 'servers' / 'passwords.json'})"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
