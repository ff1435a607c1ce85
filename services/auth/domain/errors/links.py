"""Errors of links that work once, of invitations and of changes behind them."""

from libs.kernel import ForbiddenError, InvalidError, NotFoundError


class LinkInvalidError(InvalidError):
    """The link was used, expired, replaced by a newer one, revoked or never sent."""

    code_of_kind = "link_invalid"

    def __init__(self) -> None:
        super().__init__(self.code_of_kind, "This link is not valid any more.")


class VerificationTokenInvalidError(LinkInvalidError):
    """The same for the link that verifies an address."""

    code_of_kind = "verification_token_invalid"


class PasswordWrongError(ForbiddenError):
    """The password that was to prove who asks is another one."""

    def __init__(self) -> None:
        super().__init__("password_wrong", "This is not the right password.")


class RegistrationClosedError(ForbiddenError):
    """Nobody opens an account here without an invitation."""

    def __init__(self) -> None:
        super().__init__(
            "registration_closed", "Accounts are opened by invitation alone."
        )


class EmailDomainRefusedError(ForbiddenError):
    """Only addresses of other domains register here."""

    def __init__(self) -> None:
        super().__init__(
            "email_domain_refused", "Addresses of this domain do not register here."
        )


class InvitesRefusedError(ForbiddenError):
    """The caller may not invite."""

    def __init__(self) -> None:
        super().__init__("invites_refused", "You may not invite people.")


class InviteMissingError(NotFoundError):
    """There is no such invitation, or it is not the caller's."""

    def __init__(self) -> None:
        super().__init__("invite_not_found", "There is no such invitation.")
