"""The use cases of profiles, put together over any adapters."""

from services.auth.api.state import ProfileState
from services.auth.app.adapters import Adapters
from services.auth.service import Avatars, OwnPreferences, OwnRecords, Profiles, StepUp


def profile_state(adapters: Adapters, step_up: StepUp) -> ProfileState:
    """Return the part of the routes' state that is about profiles."""
    stores = adapters.stores
    profiles = Profiles(
        adapters.bus, stores.users, stores.deletions.erasures, adapters.clock
    )
    return ProfileState(
        profiles=profiles,
        avatars=Avatars(profiles, stores.profiles.pictures),
        preferences=OwnPreferences(adapters.bus, stores.profiles.preferences),
        own_records=OwnRecords(step_up, stores.audit_reader, stores.audit),
    )
