"""Keyed indexes over a key ring."""

from libs.crypto import KeyRing
from services.auth.domain import BlindIndex


def blind_index(ring: KeyRing, purpose: str) -> BlindIndex:
    """Return an index under keys derived from every key of a ring."""
    keys = {key_id: ring.key(key_id) for key_id in ring.key_ids}
    return BlindIndex(current_id=ring.current_id, keys=keys, purpose=purpose)
