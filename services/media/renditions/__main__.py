"""Child program: ``python -m services.media.renditions SOURCE TARGET_FOLDER``.

Decodes one untrusted image. Before it reads a byte of it, it gives up what a decoder
gone wrong could use: memory beyond 512 MB, processor time beyond 10 s, new files,
sockets and processes. Prints one JSON object: ``{"width", "height", "renditions":
[{"name", "width", "height"}]}`` or ``{"reason"}``.
"""

import contextlib
import json
import resource
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from PIL import Image

from services.media.renditions import images

MEMORY_BYTES = 512 * 1024 * 1024
CPU_SECONDS = 10
OUTPUT_BYTES = 256 * 1024 * 1024


def main(source: str, folder: str) -> int:
    """Render one image.

    Args:
        source: File with the image.
        folder: Where ``content`` and one file a rendition are written.

    Returns:
        0 when the image was rendered or refused with a reason.
    """
    # Pillow loads its format modules when first needed; later none can be opened.
    Image.init()
    with contextlib.ExitStack() as stack:
        image_file = stack.enter_context(Path(source).open("rb"))
        status = stack.enter_context(Path("/proc/self/status").open())
        targets = {
            name: stack.enter_context((Path(folder) / name).open("wb"))
            for name in ("content", *images.RENDITION_SIDES)
        }
        give_up_rights()
        report = _render(image_file, targets, status)
    sys.stdout.write(json.dumps(report))
    return 0


def give_up_rights() -> None:
    """Take every limit down for good; the hard limit too."""
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_FSIZE: OUTPUT_BYTES,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))


def _render(
    source: IO[bytes], targets: Mapping[str, IO[bytes]], status: IO[str]
) -> dict[str, object]:
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        image = images.open_checked(source)
        first = images.encode_anew(image, targets["content"])
        size = images.PictureSize(first.width, first.height)
        renditions = images.write_renditions(first, targets)
    except images.PictureError as error:
        return {"reason": str(error)}
    except MemoryError:
        return {"reason": "image_too_complex"}
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        IndexError,
        KeyError,
        TypeError,
    ):
        return {
            "reason": "image_too_complex" if _ran_short(status) else "image_invalid"
        }
    return {
        "width": size.width,
        "height": size.height,
        "renditions": [
            {"name": name, "width": made.width, "height": made.height}
            for name, made in renditions.items()
        ],
    }


def _ran_short(status: IO[str]) -> bool:
    """Whether most of the memory was in use: codecs report its end in many words."""
    status.seek(0)
    peak = next(line for line in status if line.startswith("VmPeak:"))
    return int(peak.split()[1]) * 1024 > MEMORY_BYTES * 0.6


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
