"""3D boxes of objects, turned as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliograph.annotate.places import Poses, shown_rows, world_corners, world_poses
from heliograph.camera import Camera
from heliograph.errors import UnknownNameError
from heliograph.poses import Floats, rotate
from heliograph.scene.objects import CORNERS, ObjectTable


@dataclass(frozen=True, eq=False)
class OrientedBoxes:
    """3D boxes of objects, in the world's axes or, after `seen_by`, in a camera's.

    Attributes:
        ids: (N,) int32 segmentation ids, ascending; only objects that have a box.
        centres: (N, 3) metres.
        half_sizes: (N, 3) metres from the centre to the faces, along the box's own axes.
        rotations: (N, 3, 3) whose columns are the box's own axes, right-handed and of length 1.
    """

    ids: NDArray[np.int32]
    centres: Floats
    half_sizes: Floats
    rotations: Floats

    @property
    def corners(self) -> Floats:
        """(N, 8, 3) the corners, in the order of `scene.objects.CORNERS`, metres."""
        own = (2 * CORNERS - 1) * self.half_sizes[:, None]
        return np.asarray(np.einsum("nij,nkj->nki", self.rotations, own) + self.centres[:, None])

    def seen_by(self, camera: Camera) -> OrientedBoxes:
        """The same boxes, which were the world's, in a camera's axes: x right, y up, z back."""
        pose = camera.world_from_camera
        inverse = pose[:3, :3].T
        centres = rotate(inverse, self.centres - pose[:3, 3])
        turned = np.einsum("ij,njk->nik", inverse, self.rotations)
        return OrientedBoxes(self.ids, centres, self.half_sizes, turned)

    def place(self, number: int) -> int:
        """Which of the boxes is that of an id.

        Raises:
            UnknownNameError: none is.
        """
        found = np.flatnonzero(self.ids == number)
        if not len(found):
            raise UnknownNameError.of("id of a box", str(number), map(str, self.ids.tolist()))
        return int(found[0])


def oriented_boxes(objects: ObjectTable, poses: Poses = None) -> OrientedBoxes:
    """The 3D boxes of all objects that can be seen and have an end, in the world's axes.

    A box has the axes of its object. Where those are not at right angles (a turned object in a
    group that is stretched), or the segmentation shows several rows of the table as one, it is the
    smallest with these axes that holds the boxes of all of them.

    Args:
        objects: the scene's object table.
        poses: see `world_poses`.
    """
    worlds = world_poses(objects, poses)
    rows, places, every = shown_rows(objects)
    kept, places = np.unique(places, return_inverse=True)
    ids = every[kept]
    order = np.argsort(objects.ids)
    own = order[np.searchsorted(objects.ids[order], ids)]
    rotations = _orthonormal(worlds[own, :3, :3])
    origins = worlds[own, :3, 3]
    offsets = world_corners(objects, worlds)[rows] - origins[places][:, None]
    turned = np.einsum("nji,nkj->nki", rotations[places], offsets)
    low, high = np.full((len(ids), 3), np.inf), np.full((len(ids), 3), -np.inf)
    np.minimum.at(low, places, turned.min(1))
    np.maximum.at(high, places, turned.max(1))
    centres = np.einsum("nij,nj->ni", rotations, (low + high) / 2) + origins
    return OrientedBoxes(ids, centres, (high - low) / 2, rotations)


def _orthonormal(axes: Floats) -> Floats:
    """Right-handed axes of length 1 (N, 3, 3): of these the first, the others squared to it."""
    q, r = np.linalg.qr(axes)
    signs = np.where(np.diagonal(r, axis1=1, axis2=2) < 0, -1.0, 1.0)
    rotations: Floats = q * signs[:, None]
    rotations[np.linalg.det(rotations) < 0, :, 2] *= -1
    return rotations
