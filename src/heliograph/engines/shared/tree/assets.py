"""What is with whoever draws already: each geometry, texture and light from all around, once.

What a version of the scene shows stays as long as the version does, the studio of scenes without
light as long as the store. Of what the edits of single views bring the last used stays, up to
a number of bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from heliograph.engines.shared import meshes
from heliograph.engines.shared.holes import has_holes
from heliograph.engines.shared.tree import hdr, outlines, sky, surfaces
from heliograph.engines.shared.tree import lights as lamps
from heliograph.errors import SceneError, UnknownNameError
from heliograph.lru import HandleCache, LruCache
from heliograph.raster import Geometry, Shape, Texture, flat_shaded
from heliograph.raster.store import AssetStore
from heliograph.scene import Component, Mesh, PointCloud, images
from heliograph.scene.files import file_digest
from heliograph.scene.material import FileMaterial
from heliograph.scene.objects import CORNERS
from heliograph.scene.shapes import ARRAYS
from heliograph.scene.textures import USES, image_files
from heliograph.scene.values import fingerprint
from heliograph.splats.draw import check_native
from heliograph.splats.files import read_splats
from heliograph.splats.gaussians import Gaussians

_NONE = -1
_MOST_PIXELS = _MOST_TRIANGLES = 128 << 20
_MOST_NOTES = 8 << 20
_BLURRED = 64 << 10  # at least, what light from all around takes besides its pixels
_NOTE = 1024  # bytes of a small thing in a cache, about
_TRIES = 3
_TOPOLOGY = ("faces", "uvs", "colors", "size")
_T = TypeVar("_T")

Handles: TypeAlias = tuple[Set[int], Set[int], Set[int]]
"""Handles of geometries, of textures, and of light from all around."""

Files: TypeAlias = dict[str, str]
"""Digests of the files that a version shows, by path; of one that has changed since, once it is
read, as it is now."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a mesh in the store.

    Attributes:
        geometry, texture: handles, -1 for no texture.
        pose: mesh_from_piece, (4, 4).
        said: what its file says of its material.
        see_through: whether the texture has an opacity of its own.
    """

    geometry: int
    texture: int
    pose: NDArray[np.float64]
    said: FileMaterial
    see_through: bool


@dataclass(frozen=True, eq=False)
class Deformed:
    """A mesh whose vertices an edit moved.

    Attributes:
        original: the mesh as it was before.
        geometry: the handle that shows it; whoever draws gives it the vertices first.
        positions, normals: (V, 3), the vertices.
        corners: (8, 3), those of the box round them.
    """

    original: Component
    geometry: int
    positions: NDArray[Any]
    normals: NDArray[Any]
    corners: NDArray[np.float64]


class Assets:
    """Uploads, and remembers by content.

    Args:
        store: where to.
    """

    def __init__(self, store: AssetStore) -> None:
        self._store = store
        self._geometries = HandleCache(_MOST_TRIANGLES, self._forget_geometry)
        self._textures = HandleCache(_MOST_PIXELS, store.remove_texture)
        self._radiances = HandleCache(_MOST_PIXELS, store.remove_radiance)
        self._caches = self._geometries, self._textures, self._radiances
        self._meshes: LruCache[list[Piece]] = LruCache(_MOST_NOTES)
        self._images: LruCache[tuple[int, bool]] = LruCache(_MOST_NOTES)
        self._surroundings: LruCache[int] = LruCache(_MOST_NOTES)
        self._stand_ins: LruCache[int] = LruCache(_MOST_NOTES)
        self._splats: dict[int, Gaussians] = {}
        self._bounds: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        self._lasting: set[bytes] = set()
        self._opening = True

    def opened(self) -> None:
        """The scene is open: arrays that come from now on may be gone with the next view.

        So no levels of detail are made of them, which takes longer than to draw them a few times.
        """
        self._opening = False

    def touch(self, used: Handles) -> None:
        """These handles are in use."""
        for cache, handles in zip(self._caches, used, strict=True):
            cache.touch(handles)

    def trim(self, shown: Handles, dropped: Handles) -> tuple[set[int], set[int]]:
        """Free what no version shows any more and, if there is too much, what no view used lately.

        Args:
            shown: handles of what kept versions show; they stay.
            dropped: handles of what versions showed that are not kept.

        Returns:
            Handles of geometries and of textures that are no more.
        """
        geometries, textures, radiances = (
            cache.trim(*handles)
            for cache, *handles in zip(self._caches, shown, dropped, strict=True)
        )
        if radiances:
            self._surroundings.drop_if(radiances.__contains__)
        if geometries:
            self._stand_ins.drop_if(geometries.__contains__)
        if geometries or textures:
            self._meshes.drop_if(
                lambda pieces: any(
                    p.geometry in geometries or p.texture in textures for p in pieces
                )
            )
            self._images.drop_if(lambda image: image[0] in textures)
        self._meshes.trim()
        self._images.trim()
        self._stand_ins.trim()
        return geometries, textures

    def deformed(self, mesh: Component, original: Component) -> Deformed | None:
        """A mesh with other vertices than its original; None where its triangles differ too.

        No levels of detail are made of it: whoever moves vertices moves them again.

        Raises:
            InvalidValueError: vertices that cannot be drawn.
        """
        if not isinstance(mesh, (Mesh, PointCloud)) or not _bends(mesh.props, original.props):
            return None
        parts = meshes.parts_of(mesh)
        if len(parts) != 1:
            return None
        given = replace(parts[0].geometry, simplify=False)
        geometry = flat_shaded(given)
        split = given.normals is None  # by face, so that its triangles are others
        key = ("deformed", mesh.key, original.look, split, len(geometry.positions))
        positions = np.asarray(geometry.positions, float)
        low, high = positions.min(0), positions.max(0)
        handle = self.shape(key, lambda: geometry)
        normals = np.asarray(geometry.normals)
        return Deformed(original, handle, positions, normals, low + CORNERS * (high - low))

    def shape(self, key: object, make: Callable[[], Geometry]) -> int:
        """The handle of a generated geometry; made once for each key."""
        return self._geometries.get(key, lambda: self._upload(make()))

    def bounds(self, handle: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper corner (3,) of a geometry; built-in shapes reach from -1 to 1."""
        reach = np.array([1.0, 1.0, 0.0 if handle == Shape.PLANE else 1.0])
        return self._bounds.get(handle, (-reach, reach))

    def mesh(self, mesh: Mesh | PointCloud, files: Files) -> list[Piece]:
        """The pieces of a mesh of a version that shows these files, in its material's images.

        Raises:
            SceneError: a file is missing or malformed.
        """
        source, key, material = mesh.props.get("src"), _source(mesh, files), mesh.get("material")
        said = _said(material)
        if self._opening:
            self._lasting.add(key)
        found = self._meshes.get((key, said, *_read(material, files)))
        if found is not None:
            return found
        parts = meshes.parts_of(mesh) if source is None else self._parts(mesh, files)
        simplify = source is not None or key in self._lasting
        read = partial(_steady, read=images.read, files=files)
        pieces = [self._piece(p, material, read, simplify=simplify) for p in _shown(parts)]
        if source is not None:
            key = _source(mesh, files)  # as it was read
        self._meshes.put((key, said, *_read(material, files)), pieces, _NOTE * (1 + len(pieces)))
        return pieces

    @property
    def splats(self) -> Mapping[int, Gaussians]:
        """Splats in the axes of their file, by the handles of what stands in for them."""
        return self._splats

    def splat(self, source: str, files: Files) -> int:
        """The handle of what stands in for splats: as large as they are, without triangles.

        Args:
            source: path of their file.
            files: of the version that shows it.

        Raises:
            SceneError: the file is missing or holds no splats.
            MissingDependencyError: the native module that draws them is not there.
        """
        found = self._stand_ins.get(files[source])
        if found is None:
            check_native()
            try:
                splats = _steady(source, read_splats, files)
            except SceneError as error:
                raise SceneError(f"src: {error}") from None
            key = ("splats", files[source])
            found = self._geometries.get(key, lambda: self._upload_splats(splats))
            self._stand_ins.put(files[source], found, _NOTE)
        return found

    def hulls(
        self, mesh: Mesh, files: Files, turn: NDArray[np.float64], thickness: float, angle: float
    ) -> list[int]:
        """Handles of outlines of a mesh's pieces, in the component's axes.

        Args:
            mesh: of a version that shows these files.
            files: those.
            turn: (4, 4) component_from_mesh.
            thickness: of the line, metres.
            angle: edges that are sharper are split, radians.

        Raises:
            SceneError: a file is missing or malformed.
        """
        source, key = mesh.get("src"), ("outline", _source(mesh, files), turn.tobytes())
        parts = _shown(meshes.parts_of(mesh) if source is None else self._parts(mesh, files))
        return [
            self.shape(
                (*key, number, thickness, angle),
                partial(outlines.hull, part.geometry, turn @ part.pose, thickness, angle),
            )
            for number, part in enumerate(parts)
        ]

    def surface(self, material: Mapping[str, Any], files: Files) -> tuple[int, bool]:
        """The handle of a material's images, -1 without any, and whether they are clear anywhere.

        Args:
            material: properties as components have them.
            files: of the version that shows it.

        Raises:
            SceneError: a file is missing or no image, or two images do not go together.
        """
        if material.keys().isdisjoint(USES):
            return _NONE, False
        said = _said(material)
        found = self._images.get((said, *_read(material, files)))
        if found is None:
            read = partial(_steady, read=images.read, files=files)
            found = self._texture(surfaces.texture(material, read))
            self._images.put((said, *_read(material, files)), found, _NOTE)
        return found

    def radiance(
        self, source: str | NDArray[np.float32] | Mapping[str, tuple[float, ...]], files: Files
    ) -> int:
        """The handle of light from all around.

        Args:
            source: an equirectangular picture or its path, or colours as `sky.gradient` takes them.
            files: of the version that shows it.

        Raises:
            SceneError: the file is missing or no such picture.
        """
        if isinstance(source, np.ndarray):
            return self._radiance(hdr.ahead(source))
        if not isinstance(source, str):
            return self._radiance(sky.gradient(source))
        found = self._surroundings.get(files[source])
        if found is None:
            found = self._radiance(_steady(source, hdr.read, files))
            self._surroundings.put(files[source], found, _NOTE)
        return found

    @cached_property
    def studio(self) -> int:
        """The handle of the light from all around a scene that has no light of its own."""
        return self._store.add_radiance(sky.gradient(lamps.STUDIO))

    def _radiance(self, light: NDArray[np.float32]) -> int:
        add = self._store.add_radiance
        return self._radiances.get(_digest(light), lambda: (add(light), light.nbytes + _BLURRED))

    def _parts(self, mesh: Any, files: Files) -> list[meshes.Part]:
        try:
            load = partial(meshes.load, moment=meshes.moment_of(mesh))
            return _steady(mesh.get("src"), load, files)
        except SceneError as error:
            raise SceneError(f"src: {error}") from None
        except UnknownNameError as error:
            raise UnknownNameError(f"Mesh {mesh.key!r} {error}") from None

    def _piece(
        self,
        part: meshes.Part,
        material: Mapping[str, Any],
        read: Callable[[str], NDArray[np.uint8]],
        *,
        simplify: bool,
    ) -> Piece:
        content = [part.geometry.positions, part.geometry.triangles]
        further = part.geometry.normals, part.geometry.uvs, part.geometry.colours
        content += [each for each in further if each is not None]
        tints = part.geometry.colours
        simplify = simplify and part.geometry.simplify and tints is None
        geometry = replace(part.geometry, simplify=simplify)
        handle = self.shape((_digest(*content), simplify), lambda: geometry)
        takes = part.geometry.uvs is not None
        texture = surfaces.texture(material if takes else {}, read, part.texture)
        shown, see_through = self._texture(texture)
        see_through = see_through or (tints is not None and bool((tints[:, 3] < 1).any()))
        said = FileMaterial(part.material, part.kind, surfaces.said_of(part.texture))
        return Piece(handle, shown, part.pose, said, see_through)

    def _texture(self, texture: Texture | None) -> tuple[int, bool]:
        """The handle, and whether it is clear anywhere."""
        if texture is None:
            return _NONE, False
        layers = texture.layers
        said = [(each.use, each.sampler, each.uv_map, each.strength) for each in layers]
        how = (texture.linear, texture.sampler, texture.uv_map, said)
        pixels = [texture.pixels, *(layer.pixels for layer in layers)]
        # Four bytes each, with the smaller levels.
        size = sum(each.shape[0] * each.shape[1] for each in pixels) * 16 // 3
        add = self._store.add_texture
        handle = self._textures.get((repr(how), _digest(*pixels)), lambda: (add(texture), size))
        return handle, has_holes(texture.pixels)

    def _upload(self, geometry: Geometry) -> tuple[int, int]:
        """The handle of a geometry, and about how many bytes it takes."""
        handle = self._store.add_geometry(geometry)
        positions = np.asarray(geometry.positions, float)
        if len(positions):
            self._bounds[handle] = (positions.min(0), positions.max(0))
        corners = int(np.size(geometry.triangles))
        vertices = len(positions) if geometry.normals is not None else corners
        # Each is there twice; vertices are 32 bytes, indices 4, coarser levels as many again.
        return handle, _NOTE + 2 * (32 * vertices + 2 * 4 * corners)

    def _upload_splats(self, splats: Gaussians) -> tuple[int, int]:
        """The handle of what stands in for splats, and about how many bytes they take."""
        nothing = np.empty((0, 3), np.uint32)
        box = splats.bounds if len(splats) else np.zeros((2, 3))
        handle, size = self._upload(Geometry(box, nothing, np.zeros((2, 3)), simplify=False))
        self._splats[handle] = splats
        return handle, size + 2 * sum(column.nbytes for column in vars(splats).values())

    def _forget_geometry(self, handle: int) -> None:
        self._store.remove_geometry(handle)
        self._bounds.pop(handle, None)
        self._splats.pop(handle, None)


def _shown(parts: list[meshes.Part]) -> list[meshes.Part]:
    """Those that are seen: to scale by 0 is how exporters hide things."""
    return [part for part in parts if np.abs(part.pose[:3, :3]).max(0).all()]


def _steady(path: str, read: Callable[[Path], _T], files: Files) -> _T:
    """What a file reads as; its digest is of what was read, even while others write it."""
    for _ in range(_TRIES):
        before = files[path]
        made = read(Path(path))
        files[path] = file_digest(path)
        if files[path] == before:
            return made
    raise SceneError(f"{path}: changes while it is read")


def _source(mesh: Mesh | PointCloud, files: Files) -> bytes:
    """Digest of what the pieces of a mesh are made from."""
    source = mesh.props.get("src")
    if source is not None:
        moment = meshes.moment_of(mesh) if isinstance(mesh, Mesh) else ()
        return fingerprint((Path(source).suffix.lower(), files[source], moment))
    made_of = (*ARRAYS, *(("size",) if isinstance(mesh, PointCloud) else ()))
    return fingerprint((mesh.kind, {name: mesh.props.get(name) for name in made_of}))


def _said(material: Mapping[str, Any]) -> bytes:
    """Digest of what a material says of its images."""
    return fingerprint({name: material[name] for name in surfaces.SAID if name in material})


def _read(material: Mapping[str, Any], files: Files) -> list[str]:
    """Digests of the image files of a material, as they were read last."""
    return [files[path] for path in image_files(material).values()]


def _bends(given: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether vertices and normals are all that differs of two meshes or clouds of arrays."""
    if given.keys() & {"src", "outlines"} or "vertices" not in given or "vertices" not in before:
        return False
    if len(given["vertices"]) != len(before["vertices"]) and "faces" not in given:
        return False
    if "normals" in before and "normals" not in given:
        return False
    return all(_same(given.get(name), before.get(name)) for name in _TOPOLOGY)


def _same(one: Any, other: Any) -> bool:
    """Whether two arrays, or None, are the same."""
    if one is None or other is None:
        return one is other
    return one is other or bool(np.array_equal(one, other))


def _digest(*arrays: Any) -> bytes:
    digest = hashlib.sha256()
    for array in arrays:
        rows = np.ascontiguousarray(array)
        digest.update(f"{rows.shape} {rows.dtype.str} ".encode())
        digest.update(rows.data if rows.size else b"")
    return digest.digest()
