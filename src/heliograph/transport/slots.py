"""Shared memory without names: memfd regions that die with the last process that holds them."""

from __future__ import annotations

import fcntl
import mmap
import os
from collections import deque
from collections.abc import MutableMapping
from itertools import repeat

from heliograph.errors import WorkerError

_FLAGS = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
_ADD_SEALS, _SEALS = 1033, 0x1 | 0x2 | 0x4  # F_ADD_SEALS; F_SEAL_SEAL, _SHRINK, _GROW


def close_all(owned: list[int], count: int | None = None) -> None:
    """Close descriptors, or the first so many, each once, and forget them.

    It is one call in C from taking a number out to closing it: an interrupt between them would
    leave it open for ever.
    """
    closed = len(owned) if count is None else count
    deque(map(os.close, map(owned.pop, repeat(0, closed))), 0)


class Region:
    """A piece of shared memory: one memfd, mapped here.

    Its size is sealed, so the other side cannot cut it short under our reads.

    Attributes:
        id: what both sides call it.
        nbytes: its size.
        memory: the mapping; it goes when the last array over it goes.
    """

    __slots__ = ("_owned", "id", "memory", "nbytes")

    def __init__(self, id: int, nbytes: int, descriptor: int, *, populate: bool = False) -> None:  # noqa: A002
        flags = mmap.MAP_SHARED | (mmap.MAP_POPULATE if populate else 0)
        self.id = id
        self.nbytes = nbytes
        self._owned = [descriptor]
        self.memory = mmap.mmap(descriptor, nbytes, flags=flags)

    @property
    def descriptor(self) -> int:
        """What is to be passed on; -1 once closed."""
        return self._owned[0] if self._owned else -1

    @classmethod
    def create(
        cls,
        id: int,  # noqa: A002
        nbytes: int,
        keep: MutableMapping[int, Region] | None = None,
    ) -> Region:
        """New memory, zero, in whole pages.

        Args:
            id: what both sides call it.
            nbytes: its size, at least.
            keep: where it is kept by its id: no interrupt comes between making and keeping it.

        Raises:
            WorkerError: the system has no more memory or descriptors.
        """
        nbytes = -(-max(nbytes, 1) // mmap.PAGESIZE) * mmap.PAGESIZE
        made: list[int] = []
        try:
            # All in one call: an interrupt loses no descriptor.
            made.extend(map(os.memfd_create, ("heliograph",), (_FLAGS,)))
            os.ftruncate(made[0], nbytes)
            fcntl.fcntl(made[0], _ADD_SEALS, _SEALS)
            region = cls(id, nbytes, made[0])
        except BaseException as error:
            close_all(made)
            if not isinstance(error, OSError) or error.errno is None:  # a signal handler's
                raise
            raise WorkerError(f"cannot get {nbytes} bytes of shared memory: {error}") from None
        if keep is not None:
            keep[id] = region
        return region

    @classmethod
    def attach(cls, id: int, nbytes: int, descriptor: int) -> Region:  # noqa: A002
        """Map memory that the other side made; the descriptor is closed.

        Raises:
            WorkerError: it is smaller than was said.
        """
        try:
            if os.fstat(descriptor).st_size < nbytes:
                raise WorkerError(f"shared memory {id}: expected {nbytes} bytes, got fewer")
            region = cls(id, nbytes, descriptor, populate=True)
        finally:
            os.close(descriptor)
        region._owned.clear()
        return region

    def close(self) -> None:
        """Close the descriptor; the mapping stays as long as somebody looks at it."""
        close_all(self._owned)
