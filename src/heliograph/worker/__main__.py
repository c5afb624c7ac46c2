"""`python -m heliograph.worker DESCRIPTOR`, or `--replay ORDER` to draw one order again by hand."""

from __future__ import annotations

import os
import sys


def main(arguments: list[str]) -> int:
    """Serve a pool over a socket that was passed, or replay one order."""
    if len(arguments) == 2 and arguments[0] == "--replay":
        from heliograph.worker.replay import replay

        return replay(arguments[1])
    if len(arguments) != 2 or not all(each.isdecimal() for each in arguments):
        sys.stderr.write("usage: python -m heliograph.worker DESCRIPTOR PARENT | --replay ORDER\n")
        return 2
    from heliograph.worker.serve import serve

    code = serve(int(arguments[0]), int(arguments[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender, once it used the GPU interface, hangs in its own exit handlers


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
