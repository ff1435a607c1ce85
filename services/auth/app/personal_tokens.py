"""The use cases of personal access tokens, put together over any adapters."""

from services.auth.app.adapters import Adapters
from services.auth.service import Entrance, PersonalTokens, StepUp
from services.auth.settings import AuthSettings


def personal_tokens(
    settings: AuthSettings, adapters: Adapters, entrance: Entrance, step_up: StepUp
) -> PersonalTokens:
    """Put together what makes, checks and ends tokens for programs."""
    return PersonalTokens(
        bus=adapters.bus,
        users=adapters.stores.users,
        tokens=adapters.stores.personal_tokens,
        factors=adapters.stores.second_factors,
        policy=entrance.gate.policy,
        step_up=step_up,
        control=entrance.control,
        access=entrance.access,
        audit=adapters.stores.audit,
        clock=adapters.clock,
        days_max=settings.personal_token_days_max,
    )
