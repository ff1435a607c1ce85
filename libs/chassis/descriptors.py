"""How many clients a process can hold with the descriptors that it may have."""

import resource

BACKLOG = 1024
"""Connections that the system holds until they are taken."""

_OWN_DESCRIPTORS = 48  # loop, log, listener, stores


def connections_max() -> int:
    """Return how many clients' connections are held at once; others wait for theirs.

    Of the descriptors that this process may have, half are for clients and half for
    what their requests need behind. Who finds none there fails; who finds none to
    accept with tries again without a pause.
    """
    wanted = 2 * BACKLOG + _OWN_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return BACKLOG
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(BACKLOG, (soft - _OWN_DESCRIPTORS) // 2))
