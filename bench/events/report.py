"""Table and figures of a run."""

import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

Figures = Mapping[str, float]
Found = Mapping[str, Figures]

_BASE = "peer_faststream:single"
_ROWS = [
    ("transport, one by one", "aio-pika", "peer_aio_pika:single"),
    ("", "FastStream", _BASE),
    ("", "Parley", "parley_transport:single"),
    ("transport, batched", "aio-pika, 64 by hand", "peer_aio_pika:batched"),
    ("", "Parley", "parley_transport:batched"),
    (
        "outbox and inbox, one by one",
        "pymongo, aio-pika by hand",
        "peer_by_hand:single",
    ),
    ("", "Parley", "parley_full:single"),
    ("outbox and inbox, batched", "Parley", "parley_full:batched"),
    ("as run, with log lines", "FastStream", "peer_faststream:single+logs"),
    ("", "Parley, transport", "parley_transport:single+logs"),
    ("", "Parley, outbox and inbox", "parley_full:single+logs"),
]
_DELAYS = [
    ("aio-pika, publish to handler", "peer_aio_pika:delay"),
    ("FastStream, publish to handler", "peer_faststream:delay"),
    ("Parley, commit to handler", "parley_full:delay"),
]
_RATIOS = [
    ("transport_single_cpu_vs_faststream", "parley_transport:single", _BASE),
    ("transport_batched_cpu_vs_faststream", "parley_transport:batched", _BASE),
    ("full_single_cpu_vs_faststream", "parley_full:single", _BASE),
    ("full_batched_cpu_vs_faststream", "parley_full:batched", _BASE),
    ("full_single_cpu_vs_by_hand", "parley_full:single", "peer_by_hand:single"),
    (
        "transport_single_cpu_vs_aio_pika",
        "parley_transport:single",
        "peer_aio_pika:single",
    ),
    (
        "transport_batched_cpu_vs_aio_pika",
        "parley_transport:batched",
        "peer_aio_pika:single",
    ),
    (
        "transport_single_logged_cpu_vs_faststream",
        "parley_transport:single+logs",
        "peer_faststream:single+logs",
    ),
    (
        "transport_batched_cpu_vs_faststream_logged",
        "parley_transport:batched",
        "peer_faststream:single+logs",
    ),
    (
        "full_batched_cpu_vs_faststream_logged",
        "parley_full:batched",
        "peer_faststream:single+logs",
    ),
]
_VALUES = [
    ("transport_single_per_s", "parley_transport:single", "per_s"),
    ("transport_batched_per_s", "parley_transport:batched", "per_s"),
    ("full_single_per_s", "parley_full:single", "per_s"),
    ("full_batched_per_s", "parley_full:batched", "per_s"),
    ("outbox_to_handler_p50_ms", "parley_full:delay", "p50_ms"),
    ("outbox_to_handler_p99_ms", "parley_full:delay", "p99_ms"),
    ("faststream_single_cpu_us", _BASE, "cpu_us"),
    ("faststream_single_per_s", _BASE, "per_s"),
    ("faststream_p50_ms", "peer_faststream:delay", "p50_ms"),
    ("aio_pika_single_cpu_us", "peer_aio_pika:single", "cpu_us"),
    ("aio_pika_single_per_s", "peer_aio_pika:single", "per_s"),
    ("aio_pika_p50_ms", "peer_aio_pika:delay", "p50_ms"),
    ("transport_single_cpu_us", "parley_transport:single", "cpu_us"),
    ("transport_batched_cpu_us", "parley_transport:batched", "cpu_us"),
    ("full_single_cpu_us", "parley_full:single", "cpu_us"),
    ("full_batched_cpu_us", "parley_full:batched", "cpu_us"),
    ("waiting_events", "parley_full:waiting", "events"),
    ("waiting_rss_before_mb", "parley_full:waiting", "rss_before_mb"),
    ("waiting_rss_mb", "parley_full:waiting", "rss_waiting_mb"),
    ("waiting_rss_draining_mb", "parley_full:waiting", "rss_draining_mb"),
    ("waiting_seconds_to_drain", "parley_full:waiting", "drain_seconds"),
    ("aio_pika_failed_while_away", "peer_aio_pika:waiting", "failed_at_once"),
    ("faststream_failed_while_away", "peer_faststream:waiting", "failed_at_once"),
]


def figures_of(found: Found) -> dict[str, float | int]:
    """Return the figures of the JSON line; a cell that did not run has none."""
    figures: dict[str, float | int] = {}
    for key, cell, name in _VALUES:
        if name in found.get(cell, {}):
            figures[key] = _short(found[cell][name])
    for key, cell, base in _RATIOS:
        if cell in found and base in found:
            figures[key] = round(found[cell]["cpu_us"] / found[base]["cpu_us"], 4)
    figures["lost"] = _sum(found, "parley", "lost")
    figures["duplicates"] = _sum(found, "parley_full", "duplicates")
    figures["duplicates_without_inbox"] = _sum(found, "parley_tr", "duplicates")
    return figures


def _sum(found: Found, prefix: str, name: str) -> int:
    cells = (figures for cell, figures in found.items() if cell.startswith(prefix))
    return int(sum(figures[name] for figures in cells))


def machine() -> dict[str, str | int]:
    """Describe where and on what it ran."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(models),
        "python": platform.python_version(),
        "aio_pika": version("aio-pika"),
        "pymongo": version("pymongo"),
        "date": datetime.now(UTC).date().isoformat(),
    }


def print_table(found: Found) -> None:
    """Print medians beside the peers'."""
    print(
        f"\n{'':<29} {'':<25} {'events/s':>9} {'CPU us':>8} {'x FastStr.':>10}"
        f" {'RabbitMQ':>9} {'mongod':>7} {'lost':>5} {'twice':>5}"
    )
    for line in _rates(found):
        print(line)
    print(f"\n{'quiet, 20 events/s':<54} {'p50 ms':>9} {'p99 ms':>8}")
    for label, cell in _DELAYS:
        if cell in found:
            figures = found[cell]
            print(f"{label:<54} {figures['p50_ms']:9.2f} {figures['p99_ms']:8.2f}")
    for cell in sorted(name for name in found if name.endswith(":waiting")):
        print(f"\n{cell}")
        for name, value in found[cell].items():
            print(f"  {name:<20} {value:12.2f}")
    print()


def _rates(found: Found) -> Iterator[str]:
    for group, system, cell in _ROWS:
        if cell not in found:
            continue
        figures = found[cell]
        base = found.get(_BASE, {}).get("cpu_us")
        ratio = f"{figures['cpu_us'] / base:10.3f}" if base else f"{'-':>10}"
        yield (
            f"{group:<29} {system:<25} {figures['per_s']:9.0f}"
            f" {figures['cpu_us']:8.1f} {ratio} {figures['rabbitmq_cpu_us']:9.1f}"
            f" {figures['mongod_cpu_us']:7.1f} {figures['lost']:5.0f}"
            f" {figures['duplicates']:5.0f}"
        )


def _short(value: float) -> float:
    return round(value, 1 if value >= 100 else 3)
