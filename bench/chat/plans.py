"""The plans of the queries that code really sends, not of copies of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import monitoring
from pymongo.asynchronous.database import AsyncDatabase

_QUERIES = ("find", "aggregate")
_OF_THE_CONNECTION = ("lsid", "$db", "$clusterTime", "$readPreference", "txnNumber")


class SentQueries(monitoring.CommandListener):
    """Keeps the queries that drivers of this process send while it listens.

    To be made before the client whose queries it is to see.

    Attributes:
        commands: As they went over the wire, by their order.
    """

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []
        self._is_listening = False
        monitoring.register(self)

    @contextmanager
    def listening(self) -> Iterator[list[dict[str, Any]]]:
        """Keep what is sent while the block runs."""
        self.commands = []
        self._is_listening = True
        try:
            yield self.commands
        finally:
            self._is_listening = False

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Keep a query."""
        if self._is_listening and event.command_name in _QUERIES:
            command = dict(event.command)
            for name in _OF_THE_CONNECTION:
                command.pop(name, None)
            command.pop("readConcern", None)  # of a snapshot that is gone
            self.commands.append(command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Do nothing."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Do nothing."""


async def explain(
    database: AsyncDatabase[dict[str, Any]], command: dict[str, Any]
) -> dict[str, Any]:
    """Return the server's plan of a query with what its run examined."""
    explained: dict[str, Any] = await database.command(
        "explain", command, verbosity="executionStats"
    )
    return explained


def stages_of(explained: dict[str, Any]) -> list[str]:
    """Return the stages of a plan, the outermost first, with their indexes."""
    found: list[str] = []
    _walk(_plan(explained), found)
    return found


def examined(explained: dict[str, Any]) -> tuple[int, int]:
    """Return how many index entries and documents the run looked at."""
    stats = explained.get("executionStats", {})
    return stats.get("totalKeysExamined", 0), stats.get("totalDocsExamined", 0)


def _plan(explained: dict[str, Any]) -> dict[str, Any]:
    planner = explained.get("queryPlanner")
    if planner is None:  # a pipeline whose first stage is a cursor
        planner = explained["stages"][0]["$cursor"]["queryPlanner"]
    winning: dict[str, Any] = planner["winningPlan"]
    plan: dict[str, Any] = winning.get("queryPlan", winning)
    return plan


def _walk(plan: dict[str, Any], found: list[str]) -> None:
    index = plan.get("indexName")
    found.append(f"{plan['stage']} {index}" if index else plan["stage"])
    inner = [plan["inputStage"]] if "inputStage" in plan else []
    for stage in (*inner, *plan.get("inputStages", ())):
        _walk(stage, found)
