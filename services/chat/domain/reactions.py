"""Reactions to a message: who said what with one emoji."""

import unicodedata
from collections.abc import Sequence

import msgspec

from libs.kernel import UserId
from services.chat.domain.errors import DraftInvalidError

EMOJI_MAX_CODE_POINTS = 16
REACTIONS_MAX = 50
REACTIONS_OF_USER_MAX = 20
USERS_SHOWN_MAX = 50

_PICTURE = frozenset({"So", "Sm"})
_PART = _PICTURE | {"Sk", "Mn", "Me", "Cf", "Po", "Pd", "Nd"}
_VARIATION, _KEYCAP, _INFORMATION = "\ufe0f", "\u20e3", "\u2139"
_NEW_PICTURES = range(0x1F000, 0x1FB00)


class Reaction(msgspec.Struct, frozen=True):
    """One emoji, and who reacts with it, in the order in which they did."""

    emoji: str
    user_ids: tuple[UserId, ...]


def checked_emoji(emoji: str) -> str:
    """Return an emoji in its composed form.

    Any sequence of pictures is taken, also those that are newer than this Python.

    Raises:
        DraftInvalidError: ``emoji_invalid``: it is a word, or too long.
    """
    composed = unicodedata.normalize("NFC", emoji)
    is_short = 0 < len(composed) <= EMOJI_MAX_CODE_POINTS
    if not (is_short and all(map(_is_part, composed)) and _has_picture(composed)):
        raise DraftInvalidError("emoji_invalid", "That is no emoji.")
    return composed


def with_reaction(
    reactions: tuple[Reaction, ...], user_id: UserId, emoji: str
) -> tuple[Reaction, ...]:
    """Return the reactions with one more; the same ones if it is there.

    Raises:
        DraftInvalidError: ``too_many_reactions``, of the message or of the user.
    """
    known = reaction_of(reactions, emoji)
    if user_id in known.user_ids:
        return reactions
    own = sum(user_id in reaction.user_ids for reaction in reactions)
    if own >= REACTIONS_OF_USER_MAX:
        raise _too_many(REACTIONS_OF_USER_MAX)
    added = Reaction(emoji, (*known.user_ids, user_id))
    if known.user_ids:
        return tuple(added if r.emoji == emoji else r for r in reactions)
    if len(reactions) >= REACTIONS_MAX:
        raise _too_many(REACTIONS_MAX)
    return (*reactions, added)


def without_reaction(
    reactions: tuple[Reaction, ...], user_id: UserId, emoji: str
) -> tuple[Reaction, ...]:
    """Return the reactions without one; the same ones if it is not there."""
    known = reaction_of(reactions, emoji)
    if user_id not in known.user_ids:
        return reactions
    left = Reaction(emoji, tuple(u for u in known.user_ids if u != user_id))
    changed = tuple(left if r.emoji == emoji else r for r in reactions)
    return tuple(reaction for reaction in changed if reaction.user_ids)


def reaction_of(reactions: Sequence[Reaction], emoji: str) -> Reaction:
    """Return who reacts with an emoji; perhaps nobody."""
    for reaction in reactions:
        if reaction.emoji == emoji:
            return reaction
    return Reaction(emoji, ())


def _is_part(character: str) -> bool:
    is_new = ord(character) in _NEW_PICTURES
    known = unicodedata.category(character) in _PART
    return is_new or known or character == _INFORMATION


def _has_picture(emoji: str) -> bool:
    """Tell a picture from digits and dots, which are part of some."""
    first = emoji[0]
    is_picture = unicodedata.category(first) in _PICTURE or ord(first) in _NEW_PICTURES
    return is_picture or _VARIATION in emoji or _KEYCAP in emoji


def _too_many(limit: int) -> DraftInvalidError:
    return DraftInvalidError(
        "too_many_reactions", f"There are at most {limit} reactions.", limit=limit
    )
