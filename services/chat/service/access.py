"""Who may act where: the one read of a conversation with its caller's membership."""

from collections.abc import Iterable

from libs.kernel import ConversationId, UserId
from services.chat.domain.conversation import Conversation, Member
from services.chat.domain.errors import ConversationNotFoundError
from services.chat.domain.message import Message
from services.chat.domain.permissions import Action, require
from services.chat.ports import ConversationRepository, Session


async def require_access(
    repository: ConversationRepository,
    user_id: UserId,
    conversation_id: ConversationId,
    action: Action = Action.READ,
    *,
    session: Session = None,
) -> tuple[Conversation, Member]:
    """Return a conversation and the user's membership, which allows the action.

    Membership is read last: who was removed before the revision that is returned is
    never a member.

    Raises:
        ConversationNotFoundError: Missing, or the user is not a member.
        AppError: See `services.chat.domain.permissions.require`.
    """
    conversation = await repository.get(conversation_id, session=session)
    if conversation is None:
        raise ConversationNotFoundError
    member = await repository.get_member(conversation_id, user_id, session=session)
    require(conversation, member, action)
    if member is None:  # `require` has refused already; this tells the type
        raise ConversationNotFoundError
    return conversation, member


async def require_shown(
    repository: ConversationRepository,
    conversation: Conversation,
    member: Member,
    messages: Iterable[Message],
) -> None:
    """Check that messages which were read after `require_access` may be shown.

    What is no newer than the conversation that it returned was said to a member.
    Only what is newer, sent or changed while the request ran, costs another read.

    Raises:
        ConversationNotFoundError: The member was removed meanwhile.
    """
    if all(message.revision <= conversation.revision for message in messages):
        return
    place, user_id = conversation.conversation_id, member.user_id
    if not await repository.members_among(place, [user_id]):
        raise ConversationNotFoundError
