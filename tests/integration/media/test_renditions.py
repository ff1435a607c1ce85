"""Images through the child program: what comes out, what is refused, what it costs."""

import io
import os
import resource
import struct
import time
import zlib

import pytest
from PIL import Image

from libs.kernel import UnavailableError
from services.media.domain import FileRejectedError
from services.media.renditions.child import ChildPictureRenderer

MEBIBYTE_IN_KIBIBYTES = 1024
SECRET = b"SecretCamera"


def gradient(mode="RGB", size=(640, 480)):
    """Return a picture that is not one colour."""
    return Image.linear_gradient("L").resize(size).convert(mode)


def encoded(image, image_format, **options):
    """Return an image as a file's bytes."""
    target = io.BytesIO()
    image.save(target, format=image_format, **options)
    return target.getvalue()


def photo(**options):
    """Return a JPEG that was taken on its side, with place, camera and comment."""
    exif = Image.Exif()
    exif[0x0110] = SECRET.decode()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    return encoded(gradient(), "JPEG", exif=exif, comment=SECRET, **options)


def animation(image_format, frames=5, size=(200, 100)):
    """Return an animated image."""
    first, *rest = (
        gradient("L", size).rotate(20 * turn).convert("RGB") for turn in range(frames)
    )
    return encoded(first, image_format, save_all=True, append_images=rest, duration=50)


def png_bomb(width, height, depth=1, colour=0):
    """Return a small PNG that decodes to a great many pixels."""
    channels = {0: 1, 2: 3, 6: 4}[colour]
    row = bytes(1 + (width * channels * depth + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


@pytest.fixture
def render(tmp_path):
    """Render a file's bytes; the result's files are still there."""

    async def rendered(content, **options):
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(content)
        target.mkdir()
        return await ChildPictureRenderer(**options).render(source, target)

    return rendered


FORMATS = {
    "jpeg": lambda: encoded(gradient(), "JPEG"),
    "jpeg-grey": lambda: encoded(gradient("L"), "JPEG"),
    "jpeg-cmyk": lambda: encoded(gradient("CMYK"), "JPEG"),
    "png": lambda: encoded(gradient(), "PNG"),
    "png-alpha": lambda: encoded(gradient("RGBA"), "PNG"),
    "png-palette": lambda: encoded(gradient("P"), "PNG", transparency=0),
    "png-bits": lambda: encoded(gradient("1"), "PNG"),
    "png-16": lambda: encoded(gradient("I;16"), "PNG"),
    "gif": lambda: encoded(gradient("P"), "GIF"),
    "webp": lambda: encoded(gradient(), "WEBP"),
    "gif-animated": lambda: animation("GIF"),
    "webp-animated": lambda: animation("WEBP"),
    "png-animated": lambda: animation("PNG"),
    "tiny": lambda: encoded(gradient(size=(1, 1)), "PNG"),
    "narrow": lambda: encoded(gradient(size=(5000, 1)), "PNG"),
}


@pytest.mark.parametrize("name", FORMATS)
async def test_every_kind_of_image(name, render):
    """Every format and mode comes out in its own format, with both renditions."""
    original = Image.open(io.BytesIO(FORMATS[name]()))
    picture = await render(FORMATS[name]())
    with Image.open(picture.content) as content:
        assert content.format == original.format
        assert content.size == original.size == (picture.width, picture.height)
        assert getattr(content, "n_frames", 1) == getattr(original, "n_frames", 1)
    for rendition, path in picture.renditions:
        with Image.open(path) as made:
            assert made.format == "WEBP"
            assert made.size == (rendition.width, rendition.height)
            assert max(made.size) <= {"preview": 1600, "thumbnail": 320}[rendition.name]
        assert path.stat().st_size == rendition.size_bytes > 0
    assert {item.name for item, _ in picture.renditions} == {"preview", "thumbnail"}


async def test_metadata_is_left_behind(render):
    """Camera, place and comment are gone, the orientation is applied (UP-8)."""
    assert SECRET in photo()
    picture = await render(photo() + b"trailing " + SECRET)
    assert (picture.width, picture.height) == (480, 640)
    for path in (picture.content, *(path for _, path in picture.renditions)):
        assert SECRET not in path.read_bytes()
        with Image.open(path) as image:
            assert not image.getexif()
            assert "comment" not in image.info


@pytest.mark.parametrize("image_format", ["PNG", "GIF", "WEBP"])
async def test_metadata_of_other_formats(image_format, render):
    """Text chunks, comments and XMP stay behind in every format."""
    options = {
        "PNG": {"exif": photo_exif()},
        "GIF": {"comment": SECRET},
        "WEBP": {"exif": photo_exif(), "xmp": b"<x>" + SECRET + b"</x>"},
    }
    content = encoded(gradient("P"), image_format, **options[image_format])
    assert SECRET in content
    picture = await render(content)
    assert SECRET not in picture.content.read_bytes()


def photo_exif():
    """Return EXIF that names the camera."""
    exif = Image.Exif()
    exif[0x0110] = SECRET.decode()
    return exif


BOMBS = {
    "bits 9000x9000": (lambda: png_bomb(9_000, 9_000), "image_too_large"),
    "bits 12000x12000": (lambda: png_bomb(12_000, 12_000), "image_too_large"),
    "bits 20000x20000": (lambda: png_bomb(20_000, 20_000), "image_too_large"),
    "flat strip": (lambda: png_bomb(1_000_000, 41), "image_too_large"),
    "huge header": (
        lambda: b"\x89PNG\r\n\x1a\n" + png_bomb(1, 1)[8:12] + b"IHDR" + b"\x7f\xff" * 8,
        "image_invalid",
    ),
    "gif of huge frames": (
        lambda: encoded(
            Image.new("L", (5_000, 5_000)),
            "GIF",
            save_all=True,
            append_images=[Image.new("L", (5_000, 5_000), n) for n in range(1, 5)],
        ),
        "image_too_large",
    ),
    "gif of many frames": (
        lambda: encoded(
            Image.new("L", (4, 4)),
            "GIF",
            save_all=True,
            append_images=[Image.new("L", (4, 4), n % 256) for n in range(1, 1_100)],
        ),
        "image_too_large",
    ),
    "truncated jpeg": (lambda: photo()[:4_000], "image_invalid"),
    "truncated png": (
        lambda: encoded(gradient(), "PNG")[:1_000],
        "image_invalid",
    ),
    "truncated webp": (lambda: encoded(gradient(), "WEBP")[:500], "image_invalid"),
    "noise after magic": (
        lambda: b"\x89PNG\r\n\x1a\n" + os.urandom(1_000),
        "image_invalid",
    ),
    "text in png": (lambda: b"\x89PNG\r\n\x1a\n<script>", "image_invalid"),
    "gif by name only": (lambda: b"GIF89a<script>alert(1)</script>", "image_invalid"),
    "foreign format": (lambda: encoded(gradient(), "BMP"), "image_invalid"),
    "empty": (lambda: b"", "image_invalid"),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_bombs_are_refused(name, render):
    """A hostile image ends in a reason, quickly, and costs this process nothing."""
    make, reason = BOMBS[name]
    content = make()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    with pytest.raises(FileRejectedError) as refusal:
        await render(content)
    assert refusal.value.code == reason
    assert time.monotonic() - start < 12
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown <= 50 * MEBIBYTE_IN_KIBIBYTES


async def test_memory_of_the_child_is_bounded(render):
    """An image within the limits that decodes to more than fits is too complex."""
    frames = (gradient("RGBA", (6_000, 1_600)).rotate(turn) for turn in range(9))
    content = encoded(
        next(frames), "WEBP", save_all=True, append_images=frames, method=0, quality=1
    )
    with pytest.raises(FileRejectedError) as refusal:
        await render(content)
    assert refusal.value.code == "image_too_complex"


async def test_long_animation_passes(render):
    """An animation near the limit of all its frames is rendered, frame by frame."""
    frames = [Image.new("L", (1_000, 1_000), turn) for turn in range(90)]
    for turn, frame in enumerate(frames):
        frame.paste(255, (turn * 10, 0, turn * 10 + 100, 1_000))
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    picture = await render(content)
    with Image.open(picture.content) as content:
        assert content.n_frames == 90


async def test_largest_picture_passes(render):
    """A photo of 39 megapixels is rendered within the child's limits."""
    picture = await render(encoded(gradient(size=(7_200, 5_400)), "JPEG"))
    assert (picture.width, picture.height) == (7_200, 5_400)


async def test_slow_machine_is_no_fault_of_the_image(render):
    """A child that does not end in time is to be tried again, and is gone."""
    with pytest.raises(UnavailableError):
        await render(photo(), timeout_seconds=0.01)
