"""German; a line that an English spelling checker stumbles over says so."""

from collections.abc import Mapping

GERMAN: Mapping[str, str] = {
    "greeting": "Hallo {name},",
    "greeting_nameless": "Hallo,",
    "footer": (
        "Sie erhalten diese E-Mail wegen Ihres Kontos bei "  # codespell:ignore
        "{site}."
    ),
    "footer_missed": (
        "Diese E-Mails lassen sich in den Einstellungen für "
        "Benachrichtigungen bei {site} abschalten."
    ),
    "link_fallback": (
        "Falls der Knopf nicht geht, öffnen Sie diese "  # codespell:ignore
        "Adresse: {url}"  # codespell:ignore
    ),
    "valid_until": "Der Link gilt bis {time} UTC.",
    "ignore": "Wenn Sie das nicht waren, müssen Sie nichts tun.",  # codespell:ignore
    "act": (
        "Wenn Sie das nicht waren, setzen Sie sofort Ihr "  # codespell:ignore
        "Passwort zurück."
    ),
    "verification.subject": "Bestätigen Sie Ihre E-Mail-Adresse",  # codespell:ignore
    "verification.body": (
        "bitte bestätigen Sie, dass dies Ihre E-Mail-Adresse "  # codespell:ignore
        "ist."  # codespell:ignore
    ),
    "verification.button": "Adresse bestätigen",  # codespell:ignore
    "welcome.subject": "Willkommen bei Parley",
    "welcome.body": (
        "Ihre Adresse ist bestätigt und Ihr Konto ist bereit."  # codespell:ignore
    ),
    "welcome.button": "Loslegen",
    "reset.subject": "Passwort zurücksetzen",
    "reset.body": (
        "jemand, wohl Sie selbst, möchte Ihr Passwort "  # codespell:ignore
        "zurücksetzen."
    ),
    "reset.button": "Neues Passwort wählen",
    "password_voided.subject": "Wählen Sie ein neues Passwort",  # codespell:ignore
    "password_voided.body": (
        "Ihr Passwort wurde von der Administration für ungültig erklärt. "
        "Sitzungen und Zugriffstoken Ihres Kontos sind "
        "beendet. Bitte wählen Sie ein neues Passwort; "  # codespell:ignore
        "ist der Link abgelaufen, fordern Sie bei "  # codespell:ignore
        "der Anmeldung einen neuen an."
    ),
    "password_voided.button": "Neues Passwort wählen",
    "password_changed.subject": "Ihr Passwort wurde geändert",
    "password_changed.body": (
        "das Passwort Ihres Kontos wurde geändert. Andere Sitzungen "
        "sind beendet; Zugriffstoken für Programme gelten, "
        "bis Sie sie beenden."  # codespell:ignore
    ),
    "password_changed.body.reset": (
        "das Passwort Ihres Kontos wurde mit einem Link aus einer "
        "E-Mail neu gesetzt. Sitzungen und Zugriffstoken sind beendet; "
        "Programme, die noch laufen sollen, brauchen neue."
    ),
    "password_guessed.subject": "Haben Sie sich angemeldet?",  # codespell:ignore
    "password_guessed.body": (
        "nach mehreren falschen wurde das richtige Passwort Ihres Kontos eingegeben, "
        "von einem Gerät aus, das bisher nicht benutzt wurde."  # codespell:ignore
    ),
    "session_reused.subject": "Eine Ihrer Sitzungen wurde beendet",
    "session_reused.body": (
        "was eines Ihrer Geräte angemeldet hält, wurde zweimal "
        "benutzt, also vielleicht kopiert. Diese Sitzung wurde "
        "beendet; melden Sie sich auf dem Gerät "  # codespell:ignore
        "neu an. Das kann auch von selbst geschehen, etwa nach "
        "langer Zeit ohne Netz."
    ),
    "email_change.subject": (
        "Bestätigen Sie Ihre neue E-Mail-Adresse"  # codespell:ignore
    ),
    "email_change.body": (
        "bitte bestätigen Sie, dass dies Ihre neue Adresse "  # codespell:ignore
        "ist."  # codespell:ignore
    ),
    "email_change.button": "Neue Adresse bestätigen",  # codespell:ignore
    "email_changed.subject": "Ihre E-Mail-Adresse wurde geändert",
    "email_changed.body": ("die E-Mail-Adresse Ihres Kontos wurde geändert."),
    "mfa_changed.subject": "Ihr zweiter Faktor wurde geändert",  # codespell:ignore
    "mfa_changed.body": (
        "ein zweiter Faktor Ihres Kontos wurde geändert."  # codespell:ignore
    ),
    "mfa_changed.body.added": (
        "Ihr Konto hat einen weiteren zweiten Faktor."  # codespell:ignore
    ),
    "mfa_changed.body.removed": (
        "ein zweiter Faktor Ihres Kontos wurde entfernt."  # codespell:ignore
    ),
    "mfa_changed.body.reset": ("die zweiten Faktoren Ihres Kontos sind zurückgesetzt."),
    "mfa_changed.body.recovery_used": (
        "ein Wiederherstellungscode Ihres Kontos wurde benutzt."  # codespell:ignore
    ),
    "mfa_changed.body.recovery_renewed": (
        "Ihr Konto hat neue Wiederherstellungscodes."  # codespell:ignore
    ),
    "identity_changed.subject": "Ihre verknüpften Identitäten wurden geändert",
    "identity_changed.body": "eine verknüpfte Identität wurde geändert.",
    "identity_changed.body.linked": (
        "eine Identität bei einem anderen Anbieter "
        "wurde mit Ihrem Konto verknüpft und meldet daran an."
    ),
    "identity_changed.body.unlinked": (
        "eine Identität bei einem anderen Anbieter wurde von Ihrem Konto gelöst."
    ),
    "email_stop.subject": "Haben Sie die Adresse geändert?",  # codespell:ignore
    "email_stop.body": (
        "die E-Mail-Adresse Ihres Kontos ist geändert "  # codespell:ignore
        "oder soll es werden. Waren Sie das, müssen "  # codespell:ignore
        "Sie nichts tun. Wenn nicht, macht der Knopf "  # codespell:ignore
        "dies wieder zu Ihrer Adresse, beendet jede "  # codespell:ignore
        "Sitzung und macht das Passwort ungültig."
    ),
    "email_stop.button": "Das war ich nicht",
    "deletion_requested.subject": "Ihr Konto wird gelöscht",
    "deletion_requested.body": (
        "Ihr Konto wird auf Ihren Wunsch am {time} UTC gelöscht. "  # codespell:ignore
        "Wenn Sie es behalten möchten, melden Sie sich vorher an."  # codespell:ignore
    ),
    "deletion_requested.body.ordered": (
        "die Administration hat Ihr Konto geschlossen. Es wird am "  # codespell:ignore
        "{time} UTC gelöscht; wenn Sie nicht einverstanden sind, "  # codespell:ignore
        "wenden Sie sich vorher an sie."  # codespell:ignore
    ),
    "deletion_requested.button": "Konto behalten",
    "deletion_cancelled.subject": "Ihr Konto bleibt bestehen",
    "deletion_cancelled.body": (
        "Sie haben sich angemeldet; Ihr Konto wird nicht gelöscht."  # codespell:ignore
    ),
    "deletion_cancelled.body.ordered": (
        "die Administration hat die Löschung Ihres Kontos abgebrochen."
    ),
    "invitation.subject": "{name} lädt Sie zu Parley ein",  # codespell:ignore
    "invitation.body": (
        "{name} lädt Sie ein, bei Parley mitzureden."  # codespell:ignore
    ),
    "invitation.button": "Einladung annehmen",
    "missed.subject": "Neue Nachrichten von {name}",
    "missed.subject_titled": "Neue Nachrichten in {title}",
    "missed.body": "während Sie weg waren:",  # codespell:ignore
    "missed.more.one": "und eine weitere Nachricht.",
    "missed.more": "und {count} weitere Nachrichten.",
    "missed.button": "Unterhaltung öffnen",
    "attachment": "hat eine Datei gesendet",
    "somebody": "Jemand",
    "push.body": "Neue Nachricht von {name}",
    "push.body_titled": "Neue Nachricht von {name} in {title}",
}
