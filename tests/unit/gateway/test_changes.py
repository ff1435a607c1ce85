"""Changes of headers as data."""

from services.gateway.domain.changes import RequestChanges, ResponseChanges


def test_a_header_that_is_set_replaces_what_came() -> None:
    """Set and removed names are gone, the rest stays in order."""
    changes = RequestChanges({"accept-version": "1"}, ["accept-language"])
    headers = [(b"a", b"1"), (b"accept-version", b"9"), (b"accept-language", b"de")]
    assert changes.apply(headers) == [(b"a", b"1"), (b"accept-version", b"1")]


def test_changes_are_read_from_the_table_form() -> None:
    """Both parts may be left out."""
    changes = ResponseChanges.parse({"remove": ["etag"]})
    assert changes.apply([(b"etag", b"1"), (b"b", b"2")]) == [(b"b", b"2")]
