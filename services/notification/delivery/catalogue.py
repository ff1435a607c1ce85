"""Every sentence that is sent, by language; English is complete and the fallback."""

from collections.abc import Mapping

from services.notification.delivery.german import GERMAN

ENGLISH: Mapping[str, str] = {
    "greeting": "Hello {name},",
    "greeting_nameless": "Hello,",
    "footer": "You get this mail because of your account at {site}.",
    "footer_missed": (
        "You can switch off these mails in your notification settings at {site}."
    ),
    "link_fallback": "If the button does not work, open this address: {url}",
    "valid_until": "The link is valid until {time} UTC.",
    "ignore": "If this was not you, ignore this mail: nothing will happen.",
    "act": "If this was not you, reset your password at once.",
    "verification.subject": "Confirm your mail address",
    "verification.body": "please confirm that this is your mail address.",
    "verification.button": "Confirm address",
    "welcome.subject": "Welcome to Parley",
    "welcome.body": "your address is confirmed and your account is ready.",
    "welcome.button": "Start talking",
    "reset.subject": "Reset your password",
    "reset.body": "somebody, probably you, asked to reset your password.",
    "reset.button": "Choose a new password",
    "password_voided.subject": "Choose a new password",
    "password_voided.body": (
        "an administrator has made your password invalid and ended every session and "
        "access token of your account. Please choose a new password; when the link "
        "has ended, ask for another one where you sign in."
    ),
    "password_voided.button": "Choose a new password",
    "password_changed.subject": "Your password was changed",
    "password_changed.body": (
        "the password of your account was changed. Other sessions have ended; access "
        "tokens that you made for programs still work until you end them."
    ),
    "password_changed.body.reset": (
        "the password of your account was reset by a link from a mail. Every session "
        "has ended, and so has every access token that you made for programs: make "
        "new ones for those that you still use."
    ),
    "password_guessed.subject": "Was it you who signed in?",
    "password_guessed.body": (
        "after several wrong ones the right password of your account was entered, from "
        "a device that was not used before."
    ),
    "session_reused.subject": "One of your sessions was ended",
    "session_reused.body": (
        "what keeps one of your devices signed in was used twice, so somebody may have "
        "copied it. That session has ended; sign in again on that device. It can "
        "happen by itself when a device was long without a network."
    ),
    "email_change.subject": "Confirm your new mail address",
    "email_change.body": "please confirm that this is your new mail address.",
    "email_change.button": "Confirm new address",
    "email_changed.subject": "Your mail address was changed",
    "email_changed.body": "the mail address of your account was changed.",
    "mfa_changed.subject": "Your second factor was changed",
    "mfa_changed.body": "a second factor of your account was changed.",
    "mfa_changed.body.added": "a second factor was added to your account.",
    "mfa_changed.body.removed": "a second factor was removed from your account.",
    "mfa_changed.body.reset": "the second factors of your account were reset.",
    "mfa_changed.body.recovery_used": "a recovery code of your account was used.",
    "mfa_changed.body.recovery_renewed": "your account has new recovery codes.",
    "identity_changed.subject": "Your linked identities were changed",
    "identity_changed.body": "a linked identity of your account was changed.",
    "identity_changed.body.linked": (
        "an identity at another provider was linked to your account and can sign in."
    ),
    "identity_changed.body.unlinked": (
        "an identity at another provider was unlinked from your account."
    ),
    "email_stop.subject": "Was it you who changed the mail address?",
    "email_stop.body": (
        "the mail address of your account is another one now, or is about to be. If "
        "it was you, ignore this mail. If not, the button makes this your address "
        "again, ends every session and makes the password invalid."
    ),
    "email_stop.button": "It was not me",
    "deletion_requested.subject": "Your account will be deleted",
    "deletion_requested.body": (
        "your account will be deleted on {time} UTC, as you asked. To keep it, sign in "
        "before that."
    ),
    "deletion_requested.body.ordered": (
        "an administrator closed your account. It will be deleted on {time} UTC; if "
        "you object, turn to an administrator before that."
    ),
    "deletion_requested.button": "Keep my account",
    "deletion_cancelled.subject": "Your account stays",
    "deletion_cancelled.body": ("you signed in, so your account will not be deleted."),
    "deletion_cancelled.body.ordered": (
        "an administrator called the deletion of your account off."
    ),
    "invitation.subject": "{name} invites you to Parley",
    "invitation.body": "{name} invites you to talk on Parley.",
    "invitation.button": "Accept the invitation",
    "missed.subject": "New messages from {name}",
    "missed.subject_titled": "New messages in {title}",
    "missed.body": "while you were away:",
    "missed.more.one": "and one more message.",
    "missed.more": "and {count} more messages.",
    "missed.button": "Open the conversation",
    "attachment": "sent a file",
    "somebody": "Somebody",
    "push.body": "New message from {name}",
    "push.body_titled": "New message from {name} in {title}",
}

LANGUAGES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "de": GERMAN}


class Speech:
    """The sentences of one language.

    Args:
        locale: A BCP 47 tag; what is not spoken here is English.
    """

    def __init__(self, locale: str) -> None:
        language = locale.replace("_", "-").split("-")[0].lower()
        self.language = language if language in LANGUAGES else "en"
        self._sentences = LANGUAGES[self.language]

    def say(self, key: str, **values: object) -> str:
        """Return a sentence with its values put in; values are never parsed.

        Raises:
            KeyError: No such sentence, or it names a value that is missing.
        """
        return self._sentences[key].format(**values)

    def has(self, key: str) -> bool:
        """Tell whether there is such a sentence."""
        return key in self._sentences
