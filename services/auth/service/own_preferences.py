"""What somebody chose of how Parley looks and behaves; nobody else reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from libs.events import EventBus, Transaction
from libs.kernel import UserId
from services.auth.domain import Preferences
from services.auth.domain.errors import PreferencesChangedError
from services.auth.ports import PreferencesRepository


@dataclass(frozen=True)
class OwnPreferences:
    """Use cases of the caller's own preferences; no event tells of them."""

    bus: EventBus
    preferences: PreferencesRepository

    async def get(self, user_id: UserId) -> Preferences:
        """Return the caller's choices; the defaults where nothing was chosen."""
        return await self.preferences.get(user_id, None)

    async def change(
        self, user_id: UserId, changes: Mapping[str, Any], expected: int | None
    ) -> Preferences:
        """Merge changes in; see `Preferences.merged`.

        Args:
            user_id: The caller.
            changes: By field; None brings the default back.
            expected: The revision that the caller knows; None: whatever it is.

        Raises:
            PreferencesChangedError: The revision is another.
            ClientSettingsInvalidError: Too much of what clients keep.
        """

        async def store(transaction: Transaction) -> Preferences:
            known = await self.preferences.get(user_id, transaction.session)
            if expected not in (None, known.revision):
                raise PreferencesChangedError(known.revision)
            merged = known.merged(changes)
            if merged is not known:
                await self.preferences.put(user_id, merged, transaction.session)
            return merged

        return await self.bus.run_transaction(store)
