"""What can go wrong between two sealers."""

from libs.kernel import ConflictError


class ChainMovedError(ConflictError):
    """Another sealer gave these numbers, or sealed these records, first."""

    def __init__(self) -> None:
        super().__init__("audit_chain_moved", "The audit chain has moved on.")
