"""Decoding and encoding, in this process and on small images; limits in the child."""

import io

import pytest
from PIL import Image

from services.media.renditions import images
from services.media.renditions.images import PictureError

SECRET = b"SecretCamera"


def gradient(mode, size=(64, 48)):
    """Return a picture that is not one colour."""
    return Image.linear_gradient("L").resize(size).convert(mode)


def encoded(image, image_format, **options):
    """Return an image as an open file."""
    target = io.BytesIO()
    image.save(target, format=image_format, **options)
    target.seek(0)
    return target


def anew(source):
    """Encode an open file anew; return the new image and the one for renditions."""
    target = io.BytesIO()
    first = images.encode_anew(images.open_checked(source), target)
    return Image.open(target), first


@pytest.mark.parametrize(
    ("image_format", "mode"),
    [
        ("PNG", "1"),
        ("PNG", "L"),
        ("PNG", "LA"),
        ("PNG", "P"),
        ("PNG", "RGB"),
        ("PNG", "RGBA"),
        ("PNG", "I;16"),
        ("JPEG", "L"),
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("GIF", "P"),
        ("GIF", "L"),
        ("WEBP", "RGB"),
        ("WEBP", "RGBA"),
    ],
)
def test_every_mode(image_format, mode):
    """Format and size stay, and renditions come of every mode."""
    clean, first = anew(encoded(gradient(mode), image_format))
    assert (clean.format, clean.size) == (image_format, (64, 48))
    targets = {name: io.BytesIO() for name in images.RENDITION_SIDES}
    sizes = images.write_renditions(first, targets)
    assert {(size.width, size.height) for size in sizes.values()} == {(64, 48)}
    assert all(Image.open(target).format == "WEBP" for target in targets.values())


def test_transparency_is_kept():
    """A palette's transparent colour stays transparent in the renditions."""
    picture = gradient("P")
    clean, first = anew(encoded(picture, "PNG", transparency=picture.getpixel((0, 0))))
    assert "transparency" in clean.info
    targets = {name: io.BytesIO() for name in images.RENDITION_SIDES}
    images.write_renditions(first, targets)
    thumbnail = Image.open(targets["thumbnail"]).convert("RGBA")
    assert thumbnail.getpixel((0, 0))[3] == 0


@pytest.mark.parametrize("size", [(3_200, 100), (100, 3_200), (1_601, 1)])
def test_renditions_fit(size):
    """The longer side is bounded, no side is nothing."""
    targets = {name: io.BytesIO() for name in images.RENDITION_SIDES}
    sizes = images.write_renditions(gradient("RGB", size), targets)
    for name, side in images.RENDITION_SIDES.items():
        made = sizes[name]
        assert max(made.width, made.height) == side
        assert min(made.width, made.height) >= 1


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG"])
def test_animations(image_format):
    """Frames, durations and the loop stay."""
    first, *rest = (gradient("RGB").rotate(turn * 30) for turn in range(4))
    source = encoded(
        first,
        image_format,
        save_all=True,
        append_images=rest,
        duration=[50, 70, 90, 110],
        loop=3,
    )
    clean, _ = anew(source)
    assert clean.n_frames == 4
    assert clean.info["loop"] == 3
    durations = []
    for frame in range(4):
        clean.seek(frame)
        clean.load()
        durations.append(int(clean.info["duration"]))
    assert durations == [50, 70, 90, 110]


def test_colour_profile():
    """A small profile stays, one that could hide a file does not."""
    for length, is_kept in ((300, True), (images.MAX_PROFILE_BYTES + 1, False)):
        source = encoded(gradient("RGB"), "PNG", icc_profile=bytes(length))
        clean, _ = anew(source)
        assert ("icc_profile" in clean.info) is is_kept


def test_orientation_is_applied():
    """A photo taken on its side stands upright, without its metadata."""
    exif = Image.Exif()
    exif[0x0112], exif[0x0110] = 6, SECRET.decode()
    clean, _ = anew(encoded(gradient("RGB"), "JPEG", exif=exif, comment=SECRET))
    assert clean.size == (48, 64)
    assert not clean.getexif()
    assert SECRET not in clean.fp.getvalue()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (io.BytesIO(b""), "image_invalid"),
        (io.BytesIO(b"\x89PNG\r\n\x1a\n"), "image_invalid"),
        (encoded(gradient("RGB"), "BMP"), "image_invalid"),
        (encoded(gradient("RGB"), "TIFF"), "image_invalid"),
        (encoded(Image.new("1", (6_400, 6_400)), "PNG"), "image_too_large"),
        (encoded(Image.new("1", (14_000, 14_000)), "PNG"), "image_too_large"),
    ],
)
@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
def test_refused_by_the_header(source, reason):
    """What is no image, or too large a one, is known before it is decoded."""
    with pytest.raises(PictureError) as refusal:
        images.open_checked(source)
    assert str(refusal.value) == reason


def test_too_many_pixels_in_all(monkeypatch):
    """Many frames count together, and there is an end to their number."""
    frames = [Image.new("L", (40, 40), shade) for shade in range(7)]

    def source():
        return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])

    assert images.open_checked(source())
    for limit in ("MAX_PIXELS_ALL_FRAMES", "MAX_FRAMES"):
        with monkeypatch.context() as lowered:
            lowered.setattr(images, limit, 6)
            with pytest.raises(PictureError, match="image_too_large"):
                images.open_checked(source())
