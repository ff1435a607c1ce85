"""Which key signs access tokens when, and which are published (JW-4).

A new key is published five minutes before it signs, so that everybody has fetched it;
an old one stays published until the last token that it signed has expired everywhere.
Both follow from one time a key, so that nobody has to come back at the right moment.
Times are seconds since 1970.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from libs.crypto import SigningKey, SigningKeysError

PUBLISHED_BEFORE_USE_SECONDS = 300
PUBLISHED_AFTER_USE_SECONDS = 360
"""Life of a token (300 s), the leeway (30 s), and as much again for clocks apart."""


@dataclass(frozen=True)
class ScheduledKey:
    """A key and the time from which it signs.

    Attributes:
        use_from: None for a key that somebody put into the file by hand: it never
            signs, and is published while it stands there.
    """

    key: SigningKey
    use_from: int | None


@dataclass(frozen=True)
class KeySchedule:
    """The keys of a signing keys file."""

    keys: tuple[ScheduledKey, ...]

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> "KeySchedule":
        """Read ``{"current": kid, "keys": [private JWK, ...]}``.

        A JWK may have ``use_from``; the current one signs in any case, until another
        does.

        Raises:
            SigningKeysError: It is anything else, or no key signs.
        """
        entries = document.get("keys")
        if not isinstance(entries, list):
            raise SigningKeysError("no list of keys")
        current = document.get("current")
        keys = tuple(_scheduled(entry, current) for entry in entries)
        if len({one.key.kid for one in keys}) != len(keys):
            raise SigningKeysError("a kid stands twice")
        if current not in {one.key.kid for one in keys}:
            raise SigningKeysError("the current key is not in the set")
        return cls(keys)

    def signing_at(self, now: float) -> SigningKey:
        """Return the key that signs: the last one whose time has come.

        Where none has, because the one before was taken away, the next one.
        """
        scheduled = [one for one in self.keys if one.use_from is not None]
        due = [one for one in scheduled if (one.use_from or 0) <= now]
        if due:
            return max(due, key=lambda one: one.use_from or 0).key
        return min(scheduled, key=lambda one: one.use_from or 0).key

    def published_at(self, now: float) -> tuple[SigningKey, ...]:
        """Return the keys that others are to know, the retired ones left out."""
        return tuple(one.key for one in self.keys if not self.is_retired(one, now))

    def is_retired(self, one: ScheduledKey, now: float) -> bool:
        """Tell whether every token that a key signed has expired everywhere."""
        if one.use_from is None:
            return False
        later = (
            other.use_from
            for other in self.keys
            if other.use_from is not None and other.use_from > one.use_from
        )
        replaced_at = min(later, default=None)
        return (
            replaced_at is not None and now >= replaced_at + PUBLISHED_AFTER_USE_SECONDS
        )

    def rotated(
        self,
        new: SigningKey,
        now: int,
        lead_seconds: int = PUBLISHED_BEFORE_USE_SECONDS,
    ) -> "KeySchedule":
        """Return the schedule with a new key that signs after the lead.

        A rotation that is still waiting goes first; retired keys are left out.
        """
        times = [one.use_from for one in self.keys if one.use_from is not None]
        use_from = max(now, *times) + lead_seconds
        kept = tuple(one for one in self.keys if not self.is_retired(one, now))
        return KeySchedule((*kept, ScheduledKey(new, use_from)))

    def without(self, kid: str, new: SigningKey, now: int) -> "KeySchedule":
        """Return the schedule without a key that is not to be trusted any more.

        Where no key is left that ever signs, the new one does at once.

        Raises:
            SigningKeysError: There is no such key.
        """
        kept = tuple(one for one in self.keys if one.key.kid != kid)
        if len(kept) == len(self.keys):
            raise SigningKeysError("no such key in the set")
        if any(one.use_from is not None for one in kept):
            return KeySchedule(kept)
        return KeySchedule((*kept, ScheduledKey(new, now)))

    def to_document(self, now: float) -> dict[str, Any]:
        """Return what the file holds. It is a secret."""
        return {
            "current": self.signing_at(now).kid,
            "keys": [_entry(one) for one in self.keys],
        }


def _scheduled(entry: object, current: object) -> ScheduledKey:
    if not isinstance(entry, Mapping):
        raise SigningKeysError("a key is not a JSON object")
    use_from = entry.get("use_from")
    if use_from is not None and (type(use_from) is not int or use_from < 0):
        raise SigningKeysError("use_from is not seconds since 1970")
    key = SigningKey.from_jwk(entry)
    if use_from is None and key.kid == current:
        use_from = 0
    return ScheduledKey(key, use_from)


def _entry(one: ScheduledKey) -> dict[str, Any]:
    jwk: dict[str, Any] = dict(one.key.to_jwk())
    if one.use_from is not None:
        jwk["use_from"] = one.use_from
    return jwk
