"""Stands between a launcher and one program: whatever ends, no process of the program stays.

Run as a file, with the standard library alone:

    guard.py DESCRIPTOR PID FOLDER COMMAND...

It starts the command in a session of its own, and tells the launcher at the other end of the
socket `pid N` and, once it has ended, `exit CODE` (negative: the signal). It ends the program, and
all that descend from it, as soon as the program ends, the launcher hangs up, or the process PID is
gone; of the last it also removes FOLDER.
"""

import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

GRACE = 2.0
"""Seconds from SIGTERM to SIGKILL."""
NOT_STARTED = 127

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOOK = 0.005


def main(arguments: list[str]) -> None:
    """Run a program until it, the launcher or its process ends."""
    descriptor, parent, folder, *command = arguments
    control = socket.socket(fileno=int(descriptor))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # the orphans of the program become ours
    try:
        launcher = os.pidfd_open(int(parent))
    except ProcessLookupError:
        return
    try:
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),
        )
    except OSError as error:
        sys.stderr.write(f"{command[0]}: cannot be started ({error.strerror})\n")
        _tell(control, f"exit {NOT_STARTED}\n")
        return
    _tell(control, f"pid {program.pid}\n")
    ended = os.pidfd_open(program.pid)
    ready = _first(None, control.fileno(), launcher, ended)
    if ended not in ready:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGTERM)
        _first(GRACE, ended)
    if launcher in ready or (ended not in ready and not control.recv(1)):  # it closed no launcher
        shutil.rmtree(folder, ignore_errors=True)
    _end_children(program.pid)
    code = program.wait()
    _end_children(0)
    _tell(control, f"exit {code}\n")


def _first(seconds: float | None, *descriptors: int) -> set[int]:
    """Those of which something is to be heard; waits for the first."""
    poll = select.poll()
    for each in descriptors:
        poll.register(each, select.POLLIN)
    return {ready for ready, _ in poll.poll(None if seconds is None else seconds * 1000)}


def _end_children(leave: int) -> None:
    """Kill all that descend from this process; of the one to `leave` the status is not taken."""
    while True:
        children = {pid for pid, parent in parents().items() if parent == os.getpid()}
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            if child != leave:
                with suppress(ChildProcessError):
                    os.waitpid(child, 0)
        if not children - {leave}:
            return
        time.sleep(_LOOK)


def parents() -> dict[int, int]:
    """The parent of each process there is."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # The name, in brackets, may hold anything.
            state = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            found[int(folder.name)] = int(state[1])
    return found


def _tell(control: socket.socket, text: str) -> None:
    with suppress(OSError):  # the launcher has hung up
        control.sendall(text.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
