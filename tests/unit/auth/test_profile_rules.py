"""Rules of handles, names, status texts, locales and time zones."""

import pytest

from services.auth.domain import (
    check_display_name,
    check_handle,
    check_locale,
    check_status_text,
    check_time_zone,
    clean_device_name,
    search_key,
)
from services.auth.domain.errors import (
    DisplayNameInvalidError,
    HandleInvalidError,
    LocaleInvalidError,
    StatusTextInvalidError,
    TimeZoneInvalidError,
)


@pytest.mark.parametrize("handle", ["ann", "a-b", "a.b_c-d9", "a" * 32])
def test_handle_of_the_pattern_is_accepted(handle):
    """A handle of the pattern comes back as it is."""
    assert check_handle(handle) == handle


@pytest.mark.parametrize(
    "handle",
    [
        "",
        "ab",
        "a" * 33,
        "1ab",
        "_ab",
        "ab.",
        "ab-",
        "Ann",
        "änn",
        "a b",
        "ann\n",
        "a@b",
        "\u0430nn",
        "ann\u202e",
    ],
)
def test_handle_outside_the_pattern_is_refused(handle):
    """Length, first and last character and alphabet are checked."""
    with pytest.raises(HandleInvalidError) as caught:
        check_handle(handle)
    assert caught.value.details == {"rule": "pattern"}


@pytest.mark.parametrize("handle", ["admin", "everyone", "no-reply", "parley"])
def test_reserved_handle_is_refused(handle):
    """A handle that would pass for the installation says why it is refused."""
    with pytest.raises(HandleInvalidError) as caught:
        check_handle(handle)
    assert caught.value.details == {"rule": "reserved"}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("Ann", "Ann"),
        ("  Ann Lee ", "Ann Lee"),
        ("e\u0301", "é"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("x" * 64, "x" * 64),
    ],
)
def test_display_name_is_stored_in_nfc(given, stored):
    """A name keeps what is visible, in one normal form."""
    assert check_display_name(given) == stored


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "x" * 65,
        "a\u202eb",
        "a\u2066b",
        "a\x00b",
        "a\nb",
        "\u200d",
        "a\u200b",
        "a\ufeff",
        "\ud800",
        "a\u2028b",
        "\ue000",
    ],
)
def test_display_name_that_deceives_is_refused(name):
    """Control, bidirectional and other invisible characters are refused."""
    with pytest.raises(DisplayNameInvalidError):
        check_display_name(name)


def test_status_text_may_be_empty_and_is_bounded():
    """A status text has 0 to 140 code points."""
    assert check_status_text(" ") == ""
    assert check_status_text("x" * 140) == "x" * 140
    for bad in ("x" * 141, "a\u202eb"):
        with pytest.raises(StatusTextInvalidError):
            check_status_text(bad)


@pytest.mark.parametrize("locale", ["en", "pt-BR", "zh-Hant-TW", "es-419", "fil"])
def test_locale_that_is_a_language_tag_is_accepted(locale):
    """Language, script and region make a locale."""
    assert check_locale(locale) == locale


@pytest.mark.parametrize("locale", ["", "e", "EN", "en_US", "en-us", "../en", "en-US "])
def test_locale_of_another_form_is_refused(locale):
    """Anything else is no locale, so that it may name a template's folder."""
    with pytest.raises(LocaleInvalidError):
        check_locale(locale)


def test_time_zone_is_one_of_the_database():
    """Only names of the IANA database are time zones."""
    assert check_time_zone("Europe/Rome") == "Europe/Rome"
    assert check_time_zone("UTC") == "UTC"
    for bad in ("", "Mars/Base", "../../etc/passwd", "europe/rome"):
        with pytest.raises(TimeZoneInvalidError):
            check_time_zone(bad)


def test_device_name_is_cleaned_and_never_refused():
    """A sign-in does not fail over a label."""
    assert clean_device_name(" Ann's\u202e phone\x00 ") == "Ann's phone"
    assert len(clean_device_name("x" * 100)) == 64
    assert clean_device_name("\u202e") == ""


def test_search_key_folds_case_and_width():
    """Full-width and capital letters are found by plain ones."""
    assert search_key(" \uff21NN Straße ") == "ann strasse"
