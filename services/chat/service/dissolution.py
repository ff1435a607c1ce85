"""A deleted project takes its conversations with it: the job that does it."""

from libs.events import Transaction
from libs.kernel import ProjectId
from services.chat.domain.conversation import general_id
from services.chat.domain.job import Job, JobKind, Step
from services.chat.ports import ConversationRepository
from services.chat.service.deletion import Deletion

_PAGE = 20


class Dissolution:
    """Deletes the conversations of a project, ``general`` last.

    The project is closed before the job is asked for (`ProjectChannels.dissolve`):
    nobody opens another conversation of it meanwhile.

    Args:
        repository: Conversations and members.
        deletion: Destroys one conversation.
    """

    kind = JobKind.DISSOLVE

    def __init__(self, repository: ConversationRepository, deletion: Deletion) -> None:
        self._repository = repository
        self._deletion = deletion

    async def step(self, job: Job) -> Step:
        """Delete a page of conversations, each in a commit of its own."""
        project_id = ProjectId(job.subject)
        page = await self._repository.of_project(
            project_id, after=job.cursor, limit=_PAGE
        )
        if not page:
            await self._deletion.delete_with_project(general_id(project_id))
            return Step(None, 1)
        others = [one for one in page if one != general_id(project_id)]
        for conversation_id in others:
            await self._deletion.delete_with_project(conversation_id)
        return Step(page[-1], len(others))

    def conclude(self, transaction: Transaction, job: Job) -> None:
        """Tell nobody: each deletion was told when it was committed."""
        del transaction, job
