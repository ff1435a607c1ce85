"""The description of the API, ready to be sent.

It is generated (``openapi.json`` beside the routing table), read once at start, and the
same for everybody.
"""

import gzip
import hashlib
from dataclasses import dataclass

import msgspec

_CHOSEN = "gzip"
_ANY = "*"


class DescriptionError(Exception):
    """The file holds no JSON document."""


@dataclass(frozen=True)
class Description:
    """An OpenAPI document in its two forms.

    Attributes:
        body: JSON without blanks.
        compressed: The same, by gzip.
        tag: Weak entity tag: it stands for both.
    """

    body: bytes
    compressed: bytes
    tag: str

    def is_known(self, if_none_match: str) -> bool:
        """Tell whether a client has it already (RFC 9110, section 13.1.2).

        Args:
            if_none_match: The header's value, empty where there is none.
        """
        tags = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
        return _ANY in tags or self.tag.removeprefix("W/") in tags


def parse_description(raw: bytes) -> Description:
    """Make a document ready.

    Raises:
        DescriptionError: It is no JSON object.
    """
    try:
        document = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise DescriptionError(str(error)) from error
    body = msgspec.json.format(msgspec.json.encode(document), indent=-1)
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Description(body, gzip.compress(body, mtime=0), tag)


def takes_gzip(accept_encoding: str) -> bool:
    """Tell whether a client says that it takes gzip."""
    for one in accept_encoding.lower().split(","):
        coding, _, weight = one.replace(" ", "").partition(";")
        if coding == _CHOSEN:
            return weight.rstrip("0.") not in ("q=", "q")
    return False
