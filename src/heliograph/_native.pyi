"""The native module, built from native/."""

from typing import Any

from numpy.typing import NDArray

def has_avx2() -> bool: ...

class CancelFlag:
    def set(self) -> None: ...

class SplatScene:
    def __init__(
        self,
        positions: NDArray[Any],
        scales: NDArray[Any],
        rotations: NDArray[Any],
        opacities: NDArray[Any],
        sh: NDArray[Any],
    ) -> None: ...
    def __len__(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def draw(
        self,
        *,
        camera: NDArray[Any],
        width: int,
        height: int,
        orthographic: bool,
        colour: NDArray[Any] | None,
        alpha: NDArray[Any] | None,
        depth: NDArray[Any] | None,
        median_depth: NDArray[Any] | None,
        index: NDArray[Any] | None,
        behind: NDArray[Any] | None,
        cancel: CancelFlag,
        threads: int,
        level: int = 2,
    ) -> None: ...
