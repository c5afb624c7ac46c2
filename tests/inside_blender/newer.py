"""Files of versions of Blender that there are not yet."""

import re


def later(whole: bytes) -> bytes:
    """A file that is not compressed, as if a version 90 minor ones later had saved it."""
    head, digits = re.findall(rb"^(BLENDER.*?v)(\d+)", whole)[0]
    later_one: bytes = (
        head + b"%0*d" % (len(digits), int(digits) + 90) + whole[len(head + digits) :]
    )
    return later_one
