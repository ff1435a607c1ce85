"""``verify``: whether what is stored is whole."""

from argparse import Namespace

import msgspec

from libs.chassis.mongo import open_mongo
from libs.chassis.progress import Progress, show
from libs.kernel import ConversationId, SystemClock
from services.chat.operations.opening import open_vault
from services.chat.repository.inspection import MongoInspectionStore
from services.chat.service.verification import Verification
from services.chat.settings import ChatSettings


async def run(arguments: Namespace, settings: ChatSettings) -> int:
    """Check one conversation or all; 1 where something was found."""
    async with open_mongo(settings) as database, open_vault(settings) as vault:
        verification = Verification(MongoInspectionStore(database, vault))
        if arguments.conversation:
            conversation_id = ConversationId(arguments.conversation)
            verdict = await verification.check_one(conversation_id)
        else:
            verdict = await verification.check_all(Progress(SystemClock()))
    show({"is_whole": verdict.is_whole, **msgspec.to_builtins(verdict)})
    return 0 if verdict.is_whole else 1
