"""Commands of `python -m deploy.embedded`."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.embedded.control import ask, ask_once
from deploy.embedded.errors import NotRunningError, StackError, StartError
from deploy.embedded.launch import bring_down, bring_up
from deploy.embedded.layout import DEFAULT_ROOT, Stack, open_stack
from deploy.embedded.log_files import last_lines, log_paths
from deploy.embedded.overrides import overrides_of
from deploy.embedded.packages import ensure_packages
from deploy.embedded.passwords import SERVICES
from deploy.embedded.progress import Progress, status_table, urls
from deploy.embedded.recovery_options import add_recovery_options
from libs.kernel import AppError

_FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0, or 1 when the stack could not do what was asked.
    """
    options = _parser().parse_args(arguments)
    try:
        stack = open_stack(_root(options.stack), _base())
        options.run(stack, options)
    except (StackError, AppError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        print("\nleft; what was begun goes on in the background", file=sys.stderr)
        return _FAILED
    except BrokenPipeError:
        # Nobody reads on; what was begun goes on. The exit must not write again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    return 0


def _base() -> int | None:
    """Return the operator's PARLEY_PORT_BASE, None if it is not set."""
    text = os.environ.get("PARLEY_PORT_BASE")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise StackError(f"PARLEY_PORT_BASE={text!r} is no port number") from None


def _root(name: str | None) -> Path:
    """Return a stack's folder: the default, a test's by its id, or a path."""
    if name is None:
        return DEFAULT_ROOT
    if os.sep in name:
        return Path(name)
    return DEFAULT_ROOT / "test" / name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded")
    parser.add_argument(
        "--stack", help="id of a stack below .parley/test, or a folder's path"
    )
    commands = parser.add_subparsers(required=True)
    for name, run, text, words in _COMMANDS:
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run)
        if words:
            command.add_argument("words", nargs=words)
        if name == "status":
            command.add_argument("--json", action="store_true", dest="as_json")
        if name == "logs":
            command.add_argument("-n", type=int, default=20, dest="count")
            command.add_argument("-f", action="store_true", dest="is_following")
    _add_recovery(commands)
    return parser


def _add_recovery(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    for name, run, text in _RECOVERY:
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run)
        add_recovery_options(command, name)


def _up(stack: Stack, options: argparse.Namespace) -> None:
    progress = Progress("up")
    is_old = False
    for message in bring_up(stack, options.words):
        progress.show(message)
        if "failed" in message:
            raise StartError(f"{message['failed']}: {message['reason']}")
        is_old = message.get("was_ready", False)
    progress.finish(f"{'already running' if is_old else 'ready'}: {stack.root}")
    print(urls(stack))


def _down(stack: Stack, options: argparse.Namespace) -> None:
    del options
    progress = Progress("down")
    for message in bring_down(stack):
        progress.show(message)
    progress.finish("stopped")


def _status(stack: Stack, options: argparse.Namespace) -> None:
    status = ask_once(stack, {"command": "status"})
    print(json.dumps(status, indent=1) if options.as_json else status_table(status))


def _stop(stack: Stack, options: argparse.Namespace) -> None:
    progress = Progress("stop")
    for message in ask(stack, {"command": "stop", "programs": options.words}):
        progress.show(message)


def _restart(stack: Stack, options: argparse.Namespace) -> None:
    _stop(stack, options)
    _up(stack, options)


def _environment(stack: Stack, options: argparse.Namespace) -> None:
    for name, value in _service_environment(stack, options.words[0]).items():
        print(f"{name}={value}")


def _run_environment(stack: Stack, options: argparse.Namespace) -> None:
    service, *command = options.words
    if not command:
        raise StackError("run-env needs a service and a command")
    environment = os.environ | _service_environment(stack, service)
    os.execvpe(command[0], command, environment)  # noqa: S606 - no shell is the point


def _service_environment(stack: Stack, service: str) -> dict[str, str]:
    # The servers' client libraries, half a second that `status` does not owe.
    from deploy.embedded.environment import service_environment  # noqa: PLC0415

    if service not in SERVICES:
        raise StackError(f"no service is called {service!r}: {', '.join(SERVICES)}")
    if not stack.secrets.exists():
        raise NotRunningError(f"no stack in {stack.root} yet: bring it up once")
    return service_environment(stack, service) | overrides_of(stack, service)


def _backup(stack: Stack, options: argparse.Namespace) -> None:
    from deploy.embedded.recovery import back_up  # noqa: PLC0415 - drivers, as above

    back_up(stack, options.folder, options.keys)


def _segment(stack: Stack, options: argparse.Namespace) -> None:
    from deploy.embedded.recovery import add_segment  # noqa: PLC0415 - as above

    add_segment(stack, options.folder)


def _restore(stack: Stack, options: argparse.Namespace) -> None:
    from deploy.embedded.recovery import Wish, restore  # noqa: PLC0415 - as above

    wish = Wish(options.at, options.keys, options.replace)
    restore(stack, options.folder, wish)


def _packages(stack: Stack, options: argparse.Namespace) -> None:
    del stack, options
    ensure_packages()


def _logs(stack: Stack, options: argparse.Namespace) -> None:
    paths = log_paths(stack, options.words)
    for path in paths:
        print(f"==> {path} <==\n{last_lines(path, options.count)}")
    if options.is_following or sys.stdout.isatty():
        _follow({path: path.stat().st_size for path in paths})


def _follow(sizes: dict[Path, int]) -> None:
    while True:
        for path, size in sizes.items():
            now = path.stat().st_size
            if now != size:
                with path.open(errors="replace") as file:
                    file.seek(size if now > size else 0)
                    for line in file:
                        print(f"{path.stem}: {line}", end="", flush=True)
                sizes[path] = now
        time.sleep(0.3)


_COMMANDS = (
    ("up", _up, "start what is missing and wait until it is ready", "*"),
    ("down", _down, "stop everything in good order", None),
    ("status", _status, "show what runs", None),
    ("stop", _stop, "stop programs", "+"),
    ("restart", _restart, "stop programs and start them again", "+"),
    ("logs", _logs, "show the ends of log files", "*"),
    ("env", _environment, "print a service's settings", 1),
    ("packages", _packages, "install the Debian packages that are missing", None),
    ("run-env", _run_environment, "run a command with a service's settings", "..."),
)
_RECOVERY = (
    ("backup", _backup, "back up databases and files at one moment"),
    ("segment", _segment, "add to the backups what came since"),
    ("restore", _restore, "make databases and files what they were"),
)
