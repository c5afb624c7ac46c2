"""What a renderer says about itself as messages, and back."""

from __future__ import annotations

import numpy as np

from heliograph.errors import InvalidValueError, WorkerError
from heliograph.passes import PassSpec
from heliograph.scene import Description, ObjectTable, StateSpace
from heliograph.transport.messages import ObjectsWire, PassWire, SceneWire
from heliograph.transport.values import pack_array, unpack_array

_COLUMNS = ("ids", "parents", "boxes", "seen", "poses", "colours", "shown_as")


def pack_scene(scene: Description) -> SceneWire:
    """A description for the wire."""
    table, space = scene.objects, scene.space
    return SceneWire(
        source=scene.source,
        hash=scene.hash,
        objects=ObjectsWire(
            table.names,
            table.categories,
            table.materials,
            {name: pack_array(getattr(table, name)) for name in _COLUMNS},
        ),
        lights=scene.lights,
        materials=scene.materials,
        state=scene.state,
        rest={key: pack_array(np.asarray(value)) for key, value in space.rest.items()},
        joints=space.joints,
        ranges={
            key: (pack_array(np.asarray(low)), pack_array(np.asarray(high)))
            for key, (low, high) in space.ranges.items()
        },
        version=scene.version,
    )


def unpack_scene(wire: SceneWire) -> Description:
    """The description of a wire.

    Raises:
        WorkerError: not as `pack_scene` writes it.
    """
    objects = wire.objects
    columns = {name: unpack_array(each) for name, each in objects.columns.items()}
    lengths = {len(each) for each in columns.values()}
    lengths |= {len(objects.names), len(objects.categories), len(objects.materials)}
    if set(columns) != set(_COLUMNS) or len(lengths) != 1:
        raise WorkerError("an object table with columns of different lengths")
    return Description(
        source=wire.source,
        hash=wire.hash,
        objects=ObjectTable(
            names=objects.names,
            categories=objects.categories,
            materials=objects.materials,
            **columns,
        ),
        lights=wire.lights,
        materials=wire.materials,
        state=wire.state,
        space=StateSpace(
            rest={key: unpack_array(value) for key, value in wire.rest.items()},
            joints=wire.joints,
            ranges={
                key: (unpack_array(low), unpack_array(high))
                for key, (low, high) in wire.ranges.items()
            },
        ),
        version=wire.version,
    )


def pack_pass(spec: PassSpec) -> PassWire:
    """What a pass is, for the wire."""
    return PassWire(
        spec.name,
        spec.dtype.str,
        spec.channels,
        spec.unit,
        spec.fill,
        spec.meaning,
        spec.file_form,
    )


def unpack_pass(wire: PassWire) -> PassSpec:
    """The pass of a wire.

    Raises:
        WorkerError: the wire does not hold one.
    """
    try:
        return PassSpec(
            wire.name,
            np.dtype(wire.dtype[:4]),
            wire.channels,
            wire.unit,
            wire.fill,
            wire.meaning,
            wire.file_form,
        )
    except (TypeError, InvalidValueError) as error:
        raise WorkerError(f"a pass that is none: {error}") from None
