"""Errors of deleting an account."""

from libs.kernel import InvalidError, NotFoundError


class DeletionNotConfirmedError(InvalidError):
    """The address that was typed to confirm is not the account's."""

    def __init__(self) -> None:
        super().__init__(
            "deletion_not_confirmed",
            "Type the mail address of your account to confirm its deletion.",
        )


class ErasureMissingError(NotFoundError):
    """Nobody of this id was erased, or every service has answered."""

    def __init__(self) -> None:
        super().__init__("erasure_not_found", "There is no such erasure that waits.")
