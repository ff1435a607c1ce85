"""Runs the child program and reads its report."""

import asyncio
import signal
import sys
from pathlib import Path

import msgspec
import structlog

from libs.kernel import UnavailableError
from services.media.domain import FileRejectedError, Rendition
from services.media.ports import RenderedPicture

_PROGRAM = "services.media.renditions"
_RENDITION_TYPE = "image/webp"
_REASONS = frozenset({"image_invalid", "image_too_large", "image_too_complex"})
_STOPPED = frozenset({-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})
"""A stop of the whole process group: no fault of the image."""
_REPORT_BYTES = 64 * 1024

log = structlog.get_logger()


class _ReportedRendition(msgspec.Struct, frozen=True):
    name: str
    width: int
    height: int


class _Report(msgspec.Struct, frozen=True):
    reason: str | None = None
    width: int = 0
    height: int = 0
    renditions: list[_ReportedRendition] = []


class ChildPictureRenderer:
    """Renders each image in a process of its own.

    The child bounds its own memory and processor time; the parent bounds how many
    there are and how long one may take by the clock.

    Args:
        concurrency: Children at the same time; each may take a core and 512 MB.
        timeout_seconds: By the clock; longer than the child's 10 s of processor
            time, because a busy machine is no fault of the image.
    """

    def __init__(self, *, concurrency: int = 1, timeout_seconds: float = 40.0) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._timeout_seconds = timeout_seconds

    async def render(self, source: Path, target: Path) -> RenderedPicture:
        """Render one image; see `PictureRenderer.render`."""
        async with self._slots:
            output, code = await self._run(source, target)
        if code in _STOPPED:
            raise UnavailableError(
                "image_child_stopped", "The rendering was stopped from outside."
            )
        if code != 0:
            # Killed by its limits, or a decoder crashed: either way it is the image.
            log.warning("image_child_failed", exit_code=code)
            raise FileRejectedError("image_too_complex")
        return await asyncio.to_thread(_read_report, output, target)

    async def _run(self, source: Path, target: Path) -> tuple[bytes, int]:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            _PROGRAM,
            str(source),
            str(target),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_REPORT_BYTES,
            cwd=Path(__file__).parents[3],
            env={"MALLOC_ARENA_MAX": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        )
        try:
            async with asyncio.timeout(self._timeout_seconds):
                output, _ = await child.communicate()
        except TimeoutError as error:
            raise UnavailableError(
                "image_child_timed_out", "The image was not rendered in time."
            ) from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return output, child.returncode or 0


def _read_report(output: bytes, target: Path) -> RenderedPicture:
    report = msgspec.json.decode(output, type=_Report)
    if report.reason is not None:
        reason = report.reason if report.reason in _REASONS else "image_invalid"
        raise FileRejectedError(reason)
    renditions = tuple(
        (
            Rendition(
                name=made.name,
                content_type=_RENDITION_TYPE,
                size_bytes=(target / made.name).stat().st_size,
                width=made.width,
                height=made.height,
            ),
            target / made.name,
        )
        for made in report.renditions
    )
    return RenderedPicture(
        content=target / "content",
        width=report.width,
        height=report.height,
        renditions=renditions,
    )
