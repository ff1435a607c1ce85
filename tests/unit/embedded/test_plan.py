"""Order, ports, backoff and texts of the embedded stack; nothing is started."""

import json
import stat

import pytest

from deploy.embedded.backoff import (
    FIRST_SECONDS,
    LONGEST_SECONDS,
    STEADY_SECONDS,
    Backoff,
)
from deploy.embedded.errors import DiskFullError, PortTakenError, StackError
from deploy.embedded.layout import MARKER, Stack, open_stack, record_stack
from deploy.embedded.packages import DebianPackage, advice
from deploy.embedded.passwords import Passwords
from deploy.embedded.plan import dependents, ordered, programs_of, selected
from deploy.embedded.ports import (
    DEFAULT_BASE,
    HIGHEST,
    OFFSETS,
    SPAN,
    port_of,
    validate_base,
)
from deploy.embedded.preflight import check_machine
from deploy.embedded.program import Group, Program
from deploy.embedded.servers.rabbitmq import has_consumers
from deploy.embedded.servers.seaweedfs import remove_sockets


def program(name: str, *after: str, group: Group = Group.SERVER) -> Program:
    """Return a program that only has a place in the order."""
    return Program(name=name, group=group, command=("/bin/true",), after=after)


@pytest.fixture
def stack(tmp_path) -> Stack:
    """A stack that is never started."""
    return open_stack(tmp_path / "stack")


def test_every_port_is_inside_the_block_and_used_once():
    """No two listeners share a port, and neighbouring stacks never meet."""
    assert len(set(OFFSETS.values())) == len(OFFSETS)
    assert all(0 <= offset < SPAN for offset in OFFSETS.values())


def test_contracted_ports_stand_where_services_expect_them():
    """The default ports in the services' settings are these."""
    expected = {"edge": 21000, "gateway": 21010, "chat_sockets": 21013, "amqp": 21022}
    assert {name: port_of(DEFAULT_BASE, name) for name in expected} == expected


@pytest.mark.parametrize("base", [0, 1023, HIGHEST - SPAN + 2, 40000, 70000])
def test_base_outside_the_usable_range_is_refused(base):
    """Ports that the kernel hands out, or that need root, are no stack's."""
    with pytest.raises(StackError, match="out of range"):
        validate_base(base)


def test_unknown_port_name_is_refused_with_the_known_ones():
    """A misspelt listener is told, not guessed."""
    with pytest.raises(StackError, match="valkey"):
        port_of(DEFAULT_BASE, "redis")


def test_programs_come_after_those_they_need():
    """The order is kept where it may be, and changed where it must."""
    programs = ordered([program("c", "b"), program("a"), program("b", "a")])
    assert list(programs) == ["a", "b", "c"]


def test_need_of_a_program_that_is_not_there_is_dropped():
    """A service that is not written yet holds nobody up."""
    assert ordered([program("edge", "gateway")])["edge"].after == ()


def test_circle_is_refused_by_name():
    """Programs that wait for each other would wait for ever."""
    with pytest.raises(StackError, match="a, b"):
        ordered([program("a", "b"), program("b", "a")])


def test_selection_brings_what_the_selected_need():
    """Who asks for one program gets those before it, and no others."""
    programs = ordered(
        [program("a"), program("b", "a"), program("c", group=Group.SERVICE)]
    )
    assert selected(programs, ["b"]) == ["a", "b"]
    assert selected(programs, ["servers"]) == ["a", "b"]
    assert selected(programs, []) == ["a", "c", "b"]
    with pytest.raises(StackError, match="no program is called"):
        selected(programs, ["d"])


def test_every_program_starts_after_and_stops_before_what_it_needs(stack):
    """The real stack's order holds, and its edge is last to start."""
    Passwords(stack).ensure()
    programs = programs_of(stack)
    places = {name: place for place, name in enumerate(programs)}
    for name, known in programs.items():
        assert all(places[other] < places[name] for other in known.after)
        assert set(known.ports) <= set(OFFSETS)
    assert dependents(programs, "epmd") == ["rabbitmq"]
    assert "topology" in dependents(programs, "rabbitmq")


def test_no_secret_is_on_a_command_line_or_in_a_plain_variable(stack):
    """What every user of the machine may read holds no password."""
    from deploy.embedded.launch import prepare  # noqa: PLC0415 - writes files

    prepare(stack)
    passwords = json.loads((stack.secrets / "servers" / "passwords.json").read_text())
    secrets = {value for users in passwords.values() for value in users.values()}
    for known in programs_of(stack).values():
        words = " ".join(known.command)
        assert not any(secret in words for secret in secrets), known.name
        if known.group is Group.SERVICE:
            assert not any(s in str(known.environment) for s in secrets), known.name


def test_backoff_doubles_to_a_ceiling_and_forgets_after_a_steady_run():
    """A program in a crash loop is tried less and less often, a healthy one at once."""
    backoff = Backoff()
    delays = [backoff.next_seconds(0) for _ in range(10)]
    assert delays[:3] == [FIRST_SECONDS, FIRST_SECONDS * 2, FIRST_SECONDS * 4]
    assert delays[-1] == LONGEST_SECONDS
    assert backoff.next_seconds(STEADY_SECONDS) == FIRST_SECONDS


def test_taken_port_names_port_owner_and_program():
    """The text is enough to act on."""
    text = str(PortTakenError(21020, "mongod", "pid 7 (other-mongod)"))
    assert "21020" in text
    assert "mongod" in text
    assert "pid 7" in text
    assert "PARLEY_PORT_BASE" in text


def test_full_disk_is_refused_with_both_numbers(stack, monkeypatch):
    """Servers on a full disk would die later and less clearly."""
    usage = type("Usage", (), {"free": 300 * 1024 * 1024})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(DiskFullError, match=r"300 MiB.*1024 MiB"):
        check_machine(stack)


def test_missing_package_comes_with_the_command_to_install_it():
    """Who may not install packages learns what to ask for."""
    missing = DebianPackage("rabbitmq-server", "the message broker", lambda: False)
    text = advice([missing])
    assert "apt-get install -y --no-install-recommends rabbitmq-server" in text
    assert "the message broker" in text


def test_stack_remembers_its_ports(stack):
    """Commands without a base find the stack where it was brought up."""
    stack.folder()
    record_stack(Stack(stack.root, 23900))
    assert open_stack(stack.root).base == 23900
    assert open_stack(stack.root, 24000).base == 24000


def test_damaged_record_is_told(stack):
    """A broken file is named instead of being guessed around."""
    (stack.folder() / "stack.json").write_text("{")
    with pytest.raises(StackError, match=r"stack\.json is damaged"):
        open_stack(stack.root)


def test_folders_and_files_are_the_owners_alone(stack):
    """Nobody else on the machine reads a stack's secrets."""
    folder = stack.folder("secrets", "chat")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert MARKER == "PARLEY_STACK"


@pytest.mark.parametrize("name", ["consumers.py", "consumers/__init__.py"])
def test_consumers_are_found_as_module_and_as_package(tmp_path, name):
    """A service whose consumers outgrew one module keeps its queues."""
    assert not has_consumers(tmp_path)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert has_consumers(tmp_path)


def test_sockets_outside_the_root_are_removed_and_no_others(stack, tmp_path):
    """What SeaweedFS leaves in the machine's folder goes; a neighbour's stays."""
    names = ["s3-grpc-21031", "filer-grpc-21037", "s3-grpc-21131", "master-grpc-21033"]
    for name in names:
        (tmp_path / f"seaweedfs-{name}.sock").touch()
    remove_sockets(stack, tmp_path)
    left = [path.name for path in tmp_path.glob("*.sock")]
    assert left == ["seaweedfs-s3-grpc-21131.sock"]
