"""The picture that the demo shares: drawn here, so that nothing is downloaded."""

import io

from PIL import Image, ImageDraw


def draw_picture(width: int = 1024, height: int = 768) -> bytes:
    """Return a PNG with a gradient and some circles."""
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    pen = ImageDraw.Draw(image)
    for step in range(8):
        left = 60 + step * 110
        pen.ellipse((left, 200, left + 160, 360), outline=(200, 60 + step * 20, 40))
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()
