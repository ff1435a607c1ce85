"""The use cases on conversations and on who is in them, put together."""

from dataclasses import dataclass

from services.chat.service.announcements import Announcements
from services.chat.service.attachments import Attachments
from services.chat.service.avatars import Avatars
from services.chat.service.bans import Bans
from services.chat.service.conversations import Conversations
from services.chat.service.deletion import Deletion
from services.chat.service.dissolution import Dissolution
from services.chat.service.erasure import Erasure
from services.chat.service.invites import Invites
from services.chat.service.jobs import JobRunner
from services.chat.service.members import Members
from services.chat.service.membership import MembershipChanges
from services.chat.service.openings import Openings
from services.chat.service.outside import CoreLimits, Outside
from services.chat.service.projects import ProjectChannels
from services.chat.service.public_channels import PublicChannels
from services.chat.service.rates import UserLimits
from services.chat.service.recording import Recorder
from services.chat.service.removals import Removals
from services.chat.service.roles import Roles
from services.chat.service.system_messages import SystemMessages


@dataclass(frozen=True)
class MembershipCore:
    """What there is to do with conversations but to talk in them."""

    conversations: Conversations
    openings: Openings
    avatars: Avatars
    members: Members
    roles: Roles
    bans: Bans
    invites: Invites
    public_channels: PublicChannels
    deletion: Deletion
    erasure: Erasure
    jobs: JobRunner
    projects: ProjectChannels


def build_membership(
    outside: Outside, limits: CoreLimits, removals: Removals, rates: UserLimits
) -> MembershipCore:
    """Put the use cases together."""
    system = SystemMessages(
        outside.conversations,
        outside.messages,
        sealer=outside.sealer,
        clock=outside.clock,
    )
    conversations = _conversations(outside, limits, system)
    changes = _changes(outside, limits, system)
    moving = _Moving(outside, limits, changes, rates)
    deletion = _deletion(outside)
    erasure = _erasure(outside, changes, removals)
    documents = Attachments(outside.records.attachments, outside.conversations)
    return MembershipCore(
        conversations=conversations,
        avatars=Avatars(documents),
        openings=_openings(outside, limits, conversations, rates),
        members=_members(outside, changes, removals),
        roles=_roles(outside, changes),
        bans=_bans(outside, limits, changes, removals),
        invites=_invites(moving),
        public_channels=_public_channels(moving),
        deletion=deletion,
        erasure=erasure,
        jobs=_jobs(outside, deletion, erasure),
        projects=_projects(outside, changes, removals),
    )


def _changes(
    outside: Outside, limits: CoreLimits, system: SystemMessages
) -> MembershipChanges:
    return MembershipChanges(
        outside.conversations,
        outside.users,
        outside.records.bans,
        system=system,
        recorder=Recorder(outside.audit),
        clock=outside.clock,
        limits=limits.conversation,
    )


def _conversations(
    outside: Outside, limits: CoreLimits, system: SystemMessages
) -> Conversations:
    return Conversations(
        outside.bus,
        outside.conversations,
        writer=outside.writer,
        announcements=Announcements(outside.sealer),
        system=system,
        recorder=Recorder(outside.audit),
        limits=limits.conversation,
    )


@dataclass(frozen=True)
class _Moving:
    """What moves members by themselves."""

    outside: Outside
    limits: CoreLimits
    changes: MembershipChanges
    rates: UserLimits


def _invites(moving: _Moving) -> Invites:
    outside = moving.outside
    return Invites(
        outside.bus,
        outside.conversations,
        outside.records.invites,
        outside.users,
        changes=moving.changes,
        writer=outside.writer,
        rates=moving.rates,
        recorder=Recorder(outside.audit),
        clock=outside.clock,
        limits=moving.limits.conversation,
    )


def _public_channels(moving: _Moving) -> PublicChannels:
    outside = moving.outside
    return PublicChannels(
        outside.bus,
        outside.conversations,
        outside.records.bans,
        changes=moving.changes,
        writer=outside.writer,
        rates=moving.rates,
    )


def _erasure(
    outside: Outside, changes: MembershipChanges, removals: Removals
) -> Erasure:
    return Erasure(
        outside.bus,
        outside.conversations,
        outside.messages,
        outside.records.eraser,
        outside.records.jobs,
        changes=changes,
        writer=outside.writer,
        removals=removals,
        clock=outside.clock,
    )


def _jobs(outside: Outside, deletion: Deletion, erasure: Erasure) -> JobRunner:
    dissolution = Dissolution(outside.conversations, deletion)
    works = (deletion, erasure, dissolution)
    return JobRunner(outside.bus, outside.records.jobs, works, clock=outside.clock)


def _deletion(outside: Outside) -> Deletion:
    return Deletion(
        outside.bus,
        outside.conversations,
        outside.records.eraser,
        outside.records.jobs,
        writer=outside.writer,
        recorder=Recorder(outside.audit),
        clock=outside.clock,
    )


def _openings(
    outside: Outside,
    limits: CoreLimits,
    conversations: Conversations,
    rates: UserLimits,
) -> Openings:
    return Openings(
        outside.bus,
        outside.conversations,
        outside.users,
        conversations,
        writer=outside.writer,
        announcements=Announcements(outside.sealer),
        rates=rates,
        recorder=Recorder(outside.audit),
        clock=outside.clock,
        limits=limits.conversation,
    )


def _members(
    outside: Outside, changes: MembershipChanges, removals: Removals
) -> Members:
    return Members(
        outside.bus,
        outside.conversations,
        outside.users,
        changes=changes,
        writer=outside.writer,
        removals=removals,
    )


def _roles(outside: Outside, changes: MembershipChanges) -> Roles:
    return Roles(
        outside.bus,
        outside.conversations,
        changes=changes,
        recorder=Recorder(outside.audit),
        writer=outside.writer,
    )


def _bans(
    outside: Outside,
    limits: CoreLimits,
    changes: MembershipChanges,
    removals: Removals,
) -> Bans:
    return Bans(
        outside.bus,
        outside.conversations,
        outside.users,
        outside.records.bans,
        changes=changes,
        writer=outside.writer,
        removals=removals,
        recorder=Recorder(outside.audit),
        clock=outside.clock,
        limits=limits.conversation,
    )


def _projects(
    outside: Outside, changes: MembershipChanges, removals: Removals
) -> ProjectChannels:
    return ProjectChannels(
        outside.bus,
        outside.conversations,
        outside.records.jobs,
        changes=changes,
        announcements=Announcements(outside.sealer),
        removals=removals,
        clock=outside.clock,
    )
