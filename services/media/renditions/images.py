"""Decode, re-encode and shrink images. Runs in the child process only.

Every byte that comes out was written by the encoder: metadata (EXIF with its place
and camera, comments, XMP), trailing data and embedded archives stay behind.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from PIL import Image, ImageOps, ImageSequence

FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
MAX_PIXELS = 40_000_000
MAX_PIXELS_ALL_FRAMES = 100_000_000
MAX_FRAMES = 1_000
MAX_PROFILE_BYTES = 64 * 1024

RENDITION_SIDES = {"preview": 1_600, "thumbnail": 320}
"""Largest side in pixels; made in this order, each from the one before."""

RENDITION_FORMAT = "WEBP"
RENDITION_TYPE = "image/webp"

_Info = dict[str | tuple[int, int], Any]  # the type that Pillow gives ``info``

Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # beyond it Pillow itself warns, twice it raises


class PictureError(Exception):
    """The image cannot or must not be decoded; the argument is the reason's slug."""


@dataclass(frozen=True, slots=True)
class PictureSize:
    """Width and height in pixels."""

    width: int
    height: int


def open_checked(source: IO[bytes]) -> Image.Image:
    """Open an image by its header and hold it against the limits.

    Raises:
        PictureError: No image of the four formats, or too many pixels.
    """
    try:
        image = Image.open(source, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError("image_too_large") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureError("image_invalid") from error
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise PictureError("image_too_large")
    frames = int(getattr(image, "n_frames", 1))
    if frames > MAX_FRAMES or pixels * frames > MAX_PIXELS_ALL_FRAMES:
        raise PictureError("image_too_large")
    return image


def encode_anew(image: Image.Image, target: IO[bytes]) -> Image.Image:
    """Write an image anew in its own format, upright and without metadata.

    Args:
        image: From `open_checked`.
        target: Where the new bytes go.

    Returns:
        The first frame, upright, for the renditions.
    """
    image_format = str(image.format)
    kept = _kept_settings(image)
    if int(getattr(image, "n_frames", 1)) > 1:
        return _encode_frames_anew(image, image_format, target)
    upright = ImageOps.exif_transpose(image)
    upright.load()
    if image is not upright:
        image.close()
    upright.info = kept
    encodable = upright
    if image_format == "JPEG" and upright.mode not in ("L", "RGB"):
        encodable = upright.convert("RGB")
        encodable.info = {}
    encodable.save(target, format=image_format, **_save_options(image_format))
    return encodable


def write_renditions(
    image: Image.Image, targets: Mapping[str, IO[bytes]]
) -> dict[str, PictureSize]:
    """Write the smaller pictures; an image that is small enough keeps its size."""
    sizes = {}
    picture = image
    for name, side in RENDITION_SIDES.items():
        picture = _shrunk(picture, side)
        picture.save(targets[name], format=RENDITION_FORMAT, quality=80, method=2)
        sizes[name] = PictureSize(picture.width, picture.height)
    return sizes


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    """Return a copy in RGB or RGBA whose larger side is at most `side`."""
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    mode = "RGBA" if has_alpha else "RGB"
    scale = min(1.0, side / max(image.size))
    size = tuple(max(1, round(length * scale)) for length in image.size)
    if image.mode in ("RGB", "RGBA", "L") and size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    converted = image.convert(mode)
    if converted.size != size:
        converted = converted.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    converted.info = {
        key: value for key, value in image.info.items() if key == "icc_profile"
    }
    return converted


def _encode_frames_anew(
    image: Image.Image, image_format: str, target: IO[bytes]
) -> Image.Image:
    loop = int(image.info.get("loop", 0))
    durations: list[int] = []
    frames = _clean_frames(image, durations)
    first = next(frames)
    options: dict[str, Any] = {"duration": durations, "loop": loop}
    if image_format == "GIF":
        options |= {"disposal": 2, "append_images": frames}  # one by one: all don't fit
    else:
        options |= {"append_images": list(frames)}
    first.save(
        target,
        format=image_format,
        save_all=True,
        **_save_options(image_format),
        **options,
    )
    return first


def _clean_frames(image: Image.Image, durations: list[int]) -> Iterator[Image.Image]:
    """Yield each frame without its metadata; before, note how long it shows, in ms."""
    for frame in ImageSequence.Iterator(image):
        frame.load()  # WEBP tells the duration only then
        durations.append(int(frame.info.get("duration", 100) or 100))
        clean = frame.convert("RGBA" if _is_transparent(frame) else "RGB")
        clean.info = {}
        yield clean


def _is_transparent(frame: Image.Image) -> bool:
    return "A" in frame.getbands() or "transparency" in frame.info


def _kept_settings(image: Image.Image) -> _Info:
    """What shows how colours are meant; everything else is metadata."""
    kept: _Info = {
        key: image.info[key] for key in ("transparency",) if key in image.info
    }
    profile = image.info.get("icc_profile")
    if isinstance(profile, bytes) and len(profile) <= MAX_PROFILE_BYTES:
        kept["icc_profile"] = profile
    return kept


def _save_options(image_format: str) -> dict[str, Any]:
    if image_format == "JPEG":
        return {"quality": 90, "optimize": False}
    if image_format == "WEBP":
        return {"quality": 90, "method": 2}
    if image_format == "PNG":
        return {"compress_level": 6}
    return {}
