"""Every sentence that is sent, by language; English is complete and the fallback."""

from collections.abc import Mapping

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
    "password_changed.subject": "Your password was changed",
    "password_changed.body": "the password of your account was changed.",
    "email_change.subject": "Confirm your new mail address",
    "email_change.body": "please confirm that this is your new mail address.",
    "email_change.button": "Confirm new address",
    "email_change_notice.subject": "A new mail address was asked for",
    "email_change_notice.body": (
        "somebody, probably you, asked to change the mail address of your account."
    ),
    "email_changed.subject": "Your mail address was changed",
    "email_changed.body": "the mail address of your account was changed.",
    "mfa_changed.subject": "Your second factor was changed",
    "mfa_changed.body": "a second factor of your account was changed.",
    "mfa_changed.body.added": "a second factor was added to your account.",
    "mfa_changed.body.removed": "a second factor was removed from your account.",
    "mfa_changed.body.reset": "the second factors of your account were reset.",
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

GERMAN: Mapping[str, str] = {
    "greeting": "Hallo {name},",
    "greeting_nameless": "Hallo,",
    "footer": "Sie erhalten diese E-Mail wegen Ihres Kontos bei {site}.",
    "footer_missed": (
        "Diese E-Mails lassen sich in den Einstellungen für Benachrichtigungen "
        "bei {site} abschalten."
    ),
    "link_fallback": "Falls der Knopf nicht geht, öffnen Sie diese Adresse: {url}",
    "valid_until": "Der Link gilt bis {time} UTC.",
    "ignore": "Wenn Sie das nicht waren, müssen Sie nichts tun.",
    "act": "Wenn Sie das nicht waren, setzen Sie sofort Ihr Passwort zurück.",
    "verification.subject": "Bestätigen Sie Ihre E-Mail-Adresse",
    "verification.body": "bitte bestätigen Sie, dass dies Ihre E-Mail-Adresse ist.",
    "verification.button": "Adresse bestätigen",
    "welcome.subject": "Willkommen bei Parley",
    "welcome.body": "Ihre Adresse ist bestätigt und Ihr Konto ist bereit.",
    "welcome.button": "Loslegen",
    "reset.subject": "Passwort zurücksetzen",
    "reset.body": "jemand, wohl Sie selbst, möchte Ihr Passwort zurücksetzen.",
    "reset.button": "Neues Passwort wählen",
    "password_changed.subject": "Ihr Passwort wurde geändert",
    "password_changed.body": "das Passwort Ihres Kontos wurde geändert.",
    "email_change.subject": "Bestätigen Sie Ihre neue E-Mail-Adresse",
    "email_change.body": "bitte bestätigen Sie, dass dies Ihre neue Adresse ist.",
    "email_change.button": "Neue Adresse bestätigen",
    "email_change_notice.subject": "Eine neue E-Mail-Adresse wurde angefragt",
    "email_change_notice.body": (
        "jemand, wohl Sie selbst, möchte die E-Mail-Adresse Ihres Kontos ändern."
    ),
    "email_changed.subject": "Ihre E-Mail-Adresse wurde geändert",
    "email_changed.body": "die E-Mail-Adresse Ihres Kontos wurde geändert.",
    "mfa_changed.subject": "Ihr zweiter Faktor wurde geändert",
    "mfa_changed.body": "ein zweiter Faktor Ihres Kontos wurde geändert.",
    "mfa_changed.body.added": "Ihr Konto hat einen weiteren zweiten Faktor.",
    "mfa_changed.body.removed": "ein zweiter Faktor Ihres Kontos wurde entfernt.",
    "mfa_changed.body.reset": "die zweiten Faktoren Ihres Kontos sind zurückgesetzt.",
    "invitation.subject": "{name} lädt Sie zu Parley ein",
    "invitation.body": "{name} lädt Sie ein, bei Parley mitzureden.",
    "invitation.button": "Einladung annehmen",
    "missed.subject": "Neue Nachrichten von {name}",
    "missed.subject_titled": "Neue Nachrichten in {title}",
    "missed.body": "während Sie weg waren:",
    "missed.more.one": "und eine weitere Nachricht.",
    "missed.more": "und {count} weitere Nachrichten.",
    "missed.button": "Unterhaltung öffnen",
    "attachment": "hat eine Datei gesendet",
    "somebody": "Jemand",
    "push.body": "Neue Nachricht von {name}",
    "push.body_titled": "Neue Nachricht von {name} in {title}",
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
