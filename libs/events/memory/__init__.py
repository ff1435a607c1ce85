"""The bus in memory, with the semantics of the real one; for tests."""

from libs.events.memory.bus import InMemoryBus

__all__ = ["InMemoryBus"]
