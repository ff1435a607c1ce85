"""Types of fields that several models have; every text is bounded."""

from typing import Annotated

from pydantic import StringConstraints

from services.auth.domain import (
    PASSWORD_CODE_POINTS_MAX,
    PASSWORD_CODE_POINTS_MIN_WITH_MFA,
)

Email = Annotated[str, StringConstraints(min_length=3, max_length=254)]
NewPassword = Annotated[
    str,
    StringConstraints(
        min_length=PASSWORD_CODE_POINTS_MIN_WITH_MFA,
        max_length=PASSWORD_CODE_POINTS_MAX,
    ),
]
"""By the shortest that any role may have; the policy knows whose it is."""

Password = Annotated[
    str, StringConstraints(min_length=1, max_length=PASSWORD_CODE_POINTS_MAX)
]
DisplayName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Locale = Annotated[str, StringConstraints(min_length=2, max_length=16)]
MailToken = Annotated[str, StringConstraints(min_length=1, max_length=128)]
RefreshTokenText = Annotated[str, StringConstraints(min_length=1, max_length=256)]
