"""What can go wrong with a backup; every text says what helps."""

from libs.kernel import ConflictError, InvalidError, NotFoundError, UnavailableError


class BackupMissingError(NotFoundError):
    """There is no whole backup to begin with."""

    def __init__(self, folder: object) -> None:
        super().__init__("backup_missing", f"No whole backup is in {folder}.")


class BackupDamagedError(InvalidError):
    """A file of a backup is not what its manifest says."""

    def __init__(self, file: object, reason: str) -> None:
        super().__init__(
            "backup_damaged",
            f"{file}: {reason}. Nothing was changed; use another backup.",
            file=str(file),
            reason=reason,
        )
        self.file = str(file)
        self.reason = reason

    def with_end(self, last: str) -> "BackupDamagedError":
        """Return the same, with the moment to which the others lead."""
        others = f"the others lead to {last}, if a restore is told so by --at"
        return BackupDamagedError(self.file, f"{self.reason}; {others}")


class PointUncoveredError(InvalidError):
    """No chain of backup and segments leads to the moment that is asked for."""

    def __init__(self, point: str, first: str, last: str, damaged: list[str]) -> None:
        left_out = f" Damaged and left out: {', '.join(damaged)}." if damaged else ""
        super().__init__(
            "point_uncovered",
            f"The backups cover {first} to {last}, not {point}.{left_out}",
            first=first,
            last=last,
            damaged=damaged,
        )


class BackupAheadError(ConflictError):
    """What lies in a folder is later than the server's own time."""

    def __init__(self, last: str, newest: str) -> None:
        super().__init__(
            "backup_ahead",
            f"The backups lead to {last}, the server is at {newest}: its clock was "
            "ahead, or another set wrote them. Use a new folder, and keep the old one.",
        )


class OplogGapError(ConflictError):
    """The server's oplog no longer reaches back to the end of the last segment."""

    def __init__(self, after: str, oldest: str) -> None:
        super().__init__(
            "oplog_gap",
            f"The oplog begins at {oldest}, the last segment ends at {after}: take a "
            "full backup now, and give the oplog more room or take segments oftener.",
        )


class SnapshotLostError(UnavailableError):
    """The server no longer holds the moment that was being read."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "snapshot_lost",
            f"{reason}: take the backup again; if it takes longer than the server "
            "keeps history, raise minSnapshotHistoryWindowInSeconds.",
        )


class ServerRefusedError(UnavailableError):
    """A server does not answer, or does not let this account do it."""

    def __init__(self, reason: str) -> None:
        super().__init__("server_refused", reason)


class OperationUnsupportedError(InvalidError):
    """The oplog holds an operation that no service makes."""

    def __init__(self, name: str, at: str) -> None:
        super().__init__(
            "operation_unsupported",
            f"{name} at {at} can't be repeated: restore to a moment before it, or "
            "from a full backup taken after it. Nothing was changed.",
        )


class TargetNotEmptyError(ConflictError):
    """The databases to restore into hold documents."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            "target_not_empty",
            f"{', '.join(names)} hold documents: stop every service and say "
            "--replace to throw them away, or --rename to restore beside them.",
            names=names,
        )


class PrefixUnusableError(InvalidError):
    """Databases beside would be those that are there, or the server's own."""

    def __init__(self, prefix: str) -> None:
        super().__init__(
            "prefix_unusable",
            f"{prefix!r} begins the names of databases that are not to be touched, or "
            "is no beginning of a name: say --rename restored_, for example.",
        )


class CountsDifferError(ConflictError):
    """A collection holds another number of documents than it should."""

    def __init__(self, name: str, expected: int, found: int) -> None:
        super().__init__(
            "counts_differ",
            f"{name} holds {found} documents instead of {expected}: something else "
            "writes to it. Stop every service and restore again.",
        )


class BackupRunningError(ConflictError):
    """Another command works on the same folder."""

    def __init__(self, folder: object) -> None:
        super().__init__(
            "backup_running", f"Another backup is being written to {folder}."
        )


class KeysBesideDataError(InvalidError):
    """Keys were to be kept where the data is."""

    def __init__(self, keys: object, data: object) -> None:
        super().__init__(
            "keys_beside_data",
            f"{keys} and {data} are one place: whoever finds it reads everything. "
            "Name another disk, or another machine's, for the keys.",
        )
