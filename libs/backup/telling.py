"""When a backup was last taken, for Prometheus: a file that node_exporter reads."""

from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from libs.kernel import Clock


def note_finished(folder: Path, kind: str, size_bytes: int, clock: Clock) -> None:
    """Write the file of one kind of backup anew: ``parley_backup_<kind>.prom``.

    Args:
        folder: Of the textfile collector.
        kind: ``full`` or ``segment``.
        size_bytes: Of what was written.
        clock: Tells when.
    """
    registry = CollectorRegistry()
    finished = Gauge(
        "backup_finished_timestamp_seconds",
        "When a backup of this kind was last finished.",
        ["kind"],
        registry=registry,
    )
    finished.labels(kind).set(clock.now().timestamp())
    size = Gauge(
        "backup_size_bytes",
        "What the last backup of this kind takes, without objects.",
        ["kind"],
        registry=registry,
    )
    size.labels(kind).set(size_bytes)
    write_to_textfile(str(folder / f"parley_backup_{kind}.prom"), registry)
