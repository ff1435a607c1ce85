"""Transactional outbox on MongoDB: rows in the commit, relay, sweeper (ADR 0006)."""

from libs.events.outbox.relay import FramePublisher, Relay
from libs.events.outbox.store import OutboxStore
from libs.events.outbox.sweeper import Sweeper
from libs.events.outbox.transactions import Transactions

__all__ = ["FramePublisher", "OutboxStore", "Relay", "Sweeper", "Transactions"]
