"""Pictures that may become an avatar: auth's own copy of what ``media.*`` told."""

from dataclasses import dataclass

from libs.kernel import DocumentId, UserId


@dataclass(frozen=True)
class Picture:
    """A document that media checked and found to be an image.

    Attributes:
        owner_id: Who uploaded it.
    """

    document_id: DocumentId
    owner_id: UserId
