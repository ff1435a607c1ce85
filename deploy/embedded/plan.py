"""What a stack consists of, and in which order its parts start and stop."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from deploy.embedded.errors import StackError
from deploy.embedded.layout import Stack
from deploy.embedded.program import Group, Program
from deploy.embedded.servers.mongodb import mongod_program
from deploy.embedded.servers.nginx import edge_program
from deploy.embedded.servers.rabbitmq import (
    epmd_program,
    rabbitmq_program,
    topology_program,
)
from deploy.embedded.servers.seaweedfs import seaweedfs_program
from deploy.embedded.servers.stubs import fcm_program, smtp_program
from deploy.embedded.servers.valkey import valkey_program
from deploy.embedded.services import schema_program, service_programs

SERVERS = "servers"
"""Selects everything but services and edge."""


def programs_of(stack: Stack) -> dict[str, Program]:
    """Return every program of a stack by name, each after those it needs.

    Raises:
        StackError: The dependencies go in a circle.
    """
    programs = [
        # RabbitMQ takes longest: first in line for the processor.
        epmd_program(stack),
        rabbitmq_program(stack),
        seaweedfs_program(stack),
        mongod_program(stack),
        valkey_program(stack),
        smtp_program(stack),
        fcm_program(stack),
        topology_program(stack),
        schema_program(stack),
        *service_programs(stack),
        edge_program(stack),
    ]
    return ordered(programs)


def ordered(programs: Iterable[Program]) -> dict[str, Program]:
    """Sort programs so that each comes after those it needs.

    Names in `after` that no program has are dropped: a service may not be written
    yet. Otherwise the given order is kept.

    Raises:
        StackError: The dependencies go in a circle.
    """
    waiting = {program.name: program for program in programs}
    known = frozenset(waiting)
    result: dict[str, Program] = {}
    while waiting:
        free = [
            program
            for program in waiting.values()
            if all(name in result for name in program.after if name in known)
        ]
        if not free:
            raise StackError(f"these need each other: {', '.join(waiting)}")
        for program in free:
            after = tuple(name for name in program.after if name in known)
            result[program.name] = replace(program, after=after)
            del waiting[program.name]
    return result


def selected(programs: Mapping[str, Program], words: Iterable[str]) -> list[str]:
    """Return the names that a selection means, those they need included, in order.

    Args:
        programs: All, in starting order.
        words: Names of programs, or `SERVERS`; empty for everything.

    Raises:
        StackError: A word is no program's name.
    """
    wanted: set[str] = set()
    for word in words or programs:
        if word == SERVERS:
            wanted |= {
                name
                for name, program in programs.items()
                if program.group is Group.SERVER
            }
        elif word in programs:
            wanted.add(word)
        else:
            names = ", ".join(programs)
            raise StackError(f"no program is called {word!r}; there are: {names}")
    for name in reversed(list(programs)):
        if name in wanted:
            wanted.update(programs[name].after)
    return [name for name in programs if name in wanted]


def dependents(programs: Mapping[str, Program], name: str) -> list[str]:
    """Return the programs that need one directly: they stop before it."""
    return [other for other, program in programs.items() if name in program.after]
