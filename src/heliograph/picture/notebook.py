"""How frames and samples show themselves in notebooks."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np

from heliograph.frame import Frame, Sample
from heliograph.picture.colours import pass_picture
from heliograph.requires import Requires


def frame_png(frame: Frame) -> bytes:
    """All passes of a frame side by side, as PNG."""
    with Requires("PIL"):
        from PIL import Image

    stream = io.BytesIO()
    pictures = [pass_picture(frame.spec(name), array) for name, array in frame.passes.items()]
    Image.fromarray(np.hstack(pictures)).save(stream, "PNG")
    return stream.getvalue()


def sample_html(sample: Sample) -> str:
    """A sample as HTML: for each camera its name and its passes side by side."""
    return "\n".join(_figure(name, frame) for name, frame in sample.frames.items())


def _figure(name: str, frame: Frame) -> str:
    image = base64.b64encode(frame_png(frame)).decode()
    caption = f"{escape(name)}: {', '.join(map(escape, frame.passes))}"
    source = f"data:image/png;base64,{image}"
    return (
        f'<figure><figcaption>{caption}</figcaption><img alt="{caption}" src="{source}"></figure>'
    )
