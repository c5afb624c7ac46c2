"""Tells instances apart in what Cycles renders.

All instances of an object have its pass index. What differs is the number at random that materials
may read (Object Info, Random): `random_id / 2**32` as float32. A render of one sample, whose ray
goes through the pixel's middle as the one of ids does, writes that number out:

    1. by a material of ours in place of all others. It knows nothing of holes that a material's
       transparency makes: where its depth is another than the picture's, something stood in front.
    2. there, by a node that is put into the scene's own materials for that one render; it writes
       where the shader's Alpha is not 0.
    3. what is still unknown (a hole made by other nodes, a material of a library that cannot be
       edited) is the instance of that object whose origin is nearest to the point seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from heliograph.engines.blender.nodes import give_nodes
from heliograph.engines.blender.numbering import is_itself
from heliograph.engines.blender.result import DEPTH, Pass, Passes
from heliograph.engines.blender.settings import settings
from heliograph.engines.blender.world import Numbering

MATERIAL, PASS = ".heliograph random", "heliograph random"
"""Names of the material and of the pass that hold an instance's number at random."""

LEAST_OPACITY = 1 / 510
"""Of a surface that is seen by depth, normals and ids: half a step of 8 bits."""

_BITS = 2**32 - 1


@dataclass(frozen=True)
class Instances:
    """What a render showed, a row each.

    Attributes:
        index: pass index of the object, (N,) int.
        random: number at random, (N,) float32.
        ids: what the segmentation shows, (N,) int32.
        origins: in the world, (N, 3), metres.
    """

    index: NDArray[np.int64]
    random: NDArray[np.float32]
    ids: NDArray[np.int32]
    origins: NDArray[np.float64]

    @classmethod
    def of(cls, depsgraph: Any, numbering: Numbering) -> Instances:
        """All that a dependency graph holds."""
        rows = [
            (
                each.object.pass_index,
                each.random_id & _BITS if each.is_instance else _hashed(each.object.name),
                identity(numbering, each),
                tuple(each.matrix_world.translation),
            )
            for each in depsgraph.object_instances
        ]
        index, random, ids, origins = zip(*rows, strict=True) if rows else ((), (), (), ())
        return cls(
            np.array(index, np.int64),
            np.array(random, np.uint32).astype(np.float32) * np.float32(2**-32),
            np.array(ids, np.int32),
            np.array(origins, np.float64).reshape(-1, 3),
        )

    def by_index(self, ids: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Ids by pass index, and which indices have several.

        Args:
            ids: of the objects themselves, by pass index.
        """
        table, several = ids.copy(), np.zeros(len(ids), bool)
        table[self.index] = self.ids
        several[self.index[table[self.index] != self.ids]] = True
        return table, several

    def rows(self, index: NDArray[np.int64], random: NDArray[np.float32]) -> NDArray[np.int64]:
        """The row of each pass index with such a number; -1 where none or more than one has it."""
        keys, first, counts = np.unique(
            _keys(self.index, self.random), return_index=True, return_counts=True
        )
        wanted = _keys(index, random)
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where((keys[at] == wanted) & (counts[at] == 1), first[at], -1)

    def nearest(self, index: NDArray[np.int64], points: NDArray[np.float64]) -> NDArray[np.int64]:
        """The row of each pass index whose origin is nearest to a point."""
        found = np.zeros(len(index), np.int64)
        for each in np.unique(index):
            rows, wanted = np.flatnonzero(self.index == each), index == each
            found[wanted] = rows[cKDTree(self.origins[rows]).query(points[wanted])[1]]
        return found


def identity(numbering: Numbering, instance: Any) -> int:
    """The id of what a dependency graph shows, be it an object or an instance."""
    name = instance.object.name
    if not instance.is_instance or is_itself(instance):
        return numbering.of_object(name)
    return numbering.of_instance(instance.parent.name, name, tuple(instance.persistent_id))


def told_apart(
    instances: Instances,
    layer: Any,
    index: NDArray[np.int64],
    depth: Pass,
    render: Callable[[], Passes],
) -> NDArray[np.int64]:
    """The rows of what is seen, -1 where it is not sure which of several instances that is.

    Args:
        instances: what is there.
        layer: the view layer that is rendered.
        index: pass index of the picture, (H, W), -1 where it need not be told.
        depth: of the picture, (H, W).
        render: renders one sample and gives `PASS` and depth.
    """
    rows = np.full(index.shape, -1)
    for preparation in (_with_ours, _with_theirs):
        unknown = (index >= 0) & (rows < 0)
        if unknown.any():
            with preparation(layer):
                passes = render()
            unknown &= passes[DEPTH][..., 0] == depth
            rows[unknown] = instances.rows(index[unknown], passes[PASS][..., 0][unknown])
    return rows


@contextmanager
def _with_ours(layer: Any) -> Iterator[None]:
    """A material of ours in place of all others."""
    ours = bpy.data.materials.get(MATERIAL)
    if ours is None:
        ours = bpy.data.materials.new(MATERIAL)
        give_nodes(ours)
        nodes, links = ours.node_tree.nodes, ours.node_tree.links
        nodes.clear()
        shader = nodes.new("ShaderNodeBsdfDiffuse")
        links.new(shader.outputs[0], nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
        _add_random(ours.node_tree)
    with _pass_of_random(layer), settings(layer, material_override=ours):
        yield


@contextmanager
def _with_theirs(layer: Any) -> Iterator[None]:
    """The scene's materials, with nodes that write the number where they are not transparent."""
    added: list[tuple[Any, list[Any]]] = []
    try:
        for material in bpy.data.materials:
            if material.node_tree is not None and material.is_editable:
                tree = material.node_tree
                added.append((tree, []))
                added[-1][1].extend(_add_random(tree))
        with _pass_of_random(layer):
            yield
    finally:
        for tree, nodes in added:
            for node in nodes:
                tree.nodes.remove(node)


def _add_random(tree: Any) -> list[Any]:
    """Nodes that write the number at random where a shader's Alpha is not 0."""
    info = tree.nodes.new("ShaderNodeObjectInfo")
    output = tree.nodes.new("ShaderNodeOutputAOV")
    output.aov_name = PASS
    alpha = _alpha(tree)
    if alpha is None:
        tree.links.new(info.outputs["Random"], output.inputs["Value"])
        return [info, output]
    solid, product = tree.nodes.new("ShaderNodeMath"), tree.nodes.new("ShaderNodeMath")
    solid.operation, product.operation = "GREATER_THAN", "MULTIPLY"
    solid.inputs[0].default_value = alpha.default_value
    solid.inputs[1].default_value = LEAST_OPACITY
    if alpha.is_linked:
        tree.links.new(alpha.links[0].from_socket, solid.inputs[0])
    tree.links.new(solid.outputs[0], product.inputs[0])
    tree.links.new(info.outputs["Random"], product.inputs[1])
    tree.links.new(product.outputs[0], output.inputs["Value"])
    return [info, output, solid, product]


def _alpha(tree: Any) -> Any:
    """The Alpha of the shader that a material's surface is; None where it has none."""
    output = tree.get_output_node("CYCLES")
    links = () if output is None else output.inputs["Surface"].links
    return links[0].from_node.inputs.get("Alpha") if links else None


@contextmanager
def _pass_of_random(layer: Any) -> Iterator[None]:
    added = layer.aovs.add()
    added.name, added.type = PASS, "VALUE"
    try:
        yield
    finally:
        layer.aovs.remove(added)


def _keys(index: NDArray[np.int64], random: NDArray[np.float32]) -> NDArray[np.int64]:
    """Pass index and number at random as one integer."""
    return (index << 32) | random.view(np.uint32).astype(np.int64)


def _hashed(name: str) -> int:
    """What Cycles makes the number at random of an object from that is no instance.

    `hash_uint2(hash_string(name), 0)` of its `util/hash.h`, after Bob Jenkins' lookup3.
    """
    first = 0
    for char in name.encode("utf-8", "surrogateescape"):
        first = first * 37 + char
    base = 0xDEADBEEF + (2 << 2) + 13
    a, b, c = (base + first) & _BITS, base, base
    for turn in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - (b << turn | b >> (32 - turn))) & _BITS
        a, b, c = b, c, a
    return b
