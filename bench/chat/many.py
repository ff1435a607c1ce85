"""Thousands of sockets: enough file descriptors, and settings that let them in."""

import resource

FROM_ONE_ADDRESS = {
    "CHAT_SOCKETS_ANONYMOUS_PER_ADDRESS": "100000",
    "CHAT_SOCKETS_PER_USER": "1000",
}
"""Every client of a benchmark comes from one address."""

_OWN_FILES = 200


class TooFewFilesError(Exception):
    """The machine lets a process open too few files; the text says what to do."""


def allow_sockets(count: int) -> None:
    """Raise this process's limit of open files; its children inherit it.

    Raises:
        TooFewFilesError: The hard limit is too low.
    """
    needed = count + _OWN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise TooFewFilesError(
            f"{count} sockets need {needed} open files and the limit is {hard}: "
            f"raise it with `ulimit -Hn`, or ask for fewer sockets"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
