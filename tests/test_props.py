# mypy: disable-error-code="arg-type, call-arg"
"""Properties are defined once: what help says, what checks take, and what short forms mean."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.scene import Component, Material, MaterialTexture, apply
from heliograph.scene.material import MATERIAL
from heliograph.scene.props import TYPE_NAMES

KINDS = (
    *(hg.Box, hg.Sphere, hg.Plane, hg.Cylinder, hg.Cone, hg.Capsule, hg.Torus, hg.Mesh),
    *(hg.Circle, hg.Ring),
    *(hg.Group, hg.Scene, hg.CameraView, hg.AmbientLight, hg.HemisphereLight),
    *(hg.DirectionalLight, hg.PointLight, hg.SpotLight, hg.RectAreaLight),
    *(hg.PointCloud, hg.ImagePlane, hg.Splat, hg.Urdf, hg.Movable, hg.Grid, hg.CoordsMarker),
    *(hg.Frustum, hg.Arrow, hg.Text, hg.ImageBackground, hg.OrbitControls, hg.SceneCamera),
)
UNITS = {"", "m", "rad", "deg", "px", "s", "Hz"}


def find(scene: hg.Component, key: str) -> hg.Component:
    return next(node for node in scene.walk() if node.key == key)


@pytest.mark.parametrize("kind", KINDS)
def test_help_says_what_a_component_takes(kind: type[Component]) -> None:
    shown = inspect.signature(kind).parameters
    assert list(shown) == ["children", "key", *kind.SPEC]
    help_text = inspect.getdoc(kind) or ""
    for name, prop in kind.SPEC.items():
        assert shown[name].default == prop.default
        assert shown[name].annotation in (TYPE_NAMES.get(prop.type), prop.type)
        assert prop.doc
        assert prop.unit in UNITS
        (row,) = (row for row in help_text.splitlines() if row.startswith(f"    {name}: "))
        assert f" ({prop.unit})" in row or not prop.unit
        assert "Default: " in row or prop.default is None


@pytest.mark.parametrize("kind", KINDS)
def test_checks_types_and_defaults_are_of_one_definition(kind: type[Component]) -> None:
    for name, prop in [*kind.SPEC.items(), *MATERIAL.items()]:
        assert prop.type is not None
        if prop.default is not None:
            assert prop.check(prop.default, name) == prop.default


def test_a_component_of_ones_own_needs_no_more_than_its_properties() -> None:
    class Lamp(hg.Group):
        """A group by another name."""

    assert Lamp.SPEC.keys() == hg.Group.SPEC.keys()
    assert Component.from_dict(Lamp(key="a").to_dict()) == Lamp(key="a")


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        (hg.Box, {"width": 1.5, "height": 2.0, "depth": 3.0}),
        (hg.Sphere, {"radius": 0.5}),
        (hg.Plane, {"width": 2.0, "height": 3.0}),
        (hg.Cylinder, {"radiusTop": 0.0, "radiusBottom": 2.0, "height": 3.0}),
        (hg.Capsule, {"radius": 0.5, "length": 0.0}),
        (hg.Cone, {"radius": 0.5, "height": 2.0}),
        (hg.Torus, {"radius": 2.0, "tube": 0.1}),
        (hg.Circle, {"radius": 2.0}),
        (hg.Ring, {"innerRadius": 0.25, "outerRadius": 2.0}),
    ],
)
def test_sizes_by_name_and_as_args_are_one(kind, sizes) -> None:  # type: ignore[no-untyped-def]
    named, listed = kind(**sizes), kind(args=[*sizes.values(), 32])
    assert named == listed
    assert named.args == named.get("args") == tuple(sizes.values())
    assert [named.get(name) for name in sizes] == [*sizes.values()]
    assert dict(listed.props) == sizes
    assert Component.from_dict(named.to_dict()) == named
    first = next(iter(sizes))
    assert kind(args=[*sizes.values()], **{first: sizes[first]}) == named
    with pytest.raises(InvalidValueError, match=f"args and {first} differ: .*; give one"):
        kind(args=[*sizes.values()], **{first: 7})


@pytest.mark.parametrize(
    ("kind", "args", "named"),
    [
        (hg.Sphere, [1, 32, 16, 0.1, 3, 0.2, 1], ("phiStart", "thetaLength")),
        (hg.Cylinder, [1, 1, 2, 32, 1, True, 0.1, 3], ("openEnded", "thetaLength")),
        (hg.Cone, [1, 2, 32, 1, True, 0.1, 3], ("openEnded", "thetaLength")),
        (hg.Torus, [1, 0.2, 12, 48, 3], ("arc", "arc")),
        (hg.Circle, [1, 32, 0.1, 3], ("thetaStart", "thetaLength")),
        (hg.Ring, [0.5, 1, 32, 1, 0.1, 3], ("thetaStart", "thetaLength")),
    ],
)
def test_an_arc_follows_the_segments_in_args(kind, args, named) -> None:  # type: ignore[no-untyped-def]
    made = kind(args=args)
    first, last = named
    assert made.get(last) == args[-1]
    assert made.arc[-1] == args[-1]
    assert kind(**made.props) == made
    assert Component.from_dict(made.to_dict()) == made
    with pytest.raises(InvalidValueError, match=f"args {last}: expected"):
        kind(args=[*args[:-1], "wide"])
    with pytest.raises(InvalidValueError, match="segment counts, then"):
        kind(args=[*args, 1])
    with pytest.raises(InvalidValueError, match=f"{first}: expected"):
        kind(**{first: float("nan")})


def test_a_rings_hole_is_smaller_than_the_ring() -> None:
    with pytest.raises(InvalidValueError, match="innerRadius below outerRadius, got 2 and 1"):
        hg.Ring(innerRadius=2, outerRadius=1)


def test_size_is_all_sizes_at_once() -> None:
    assert hg.Box(size=[1, 2, 3]) == hg.Box(width=1, height=2, depth=3)
    assert hg.Plane(size=np.array([1, 2])) == hg.Plane(width=1, height=2)
    assert hg.Box(size=[1, 2, 3]).get("size") == (1.0, 2.0, 3.0)
    with pytest.raises(InvalidValueError, match="Box 'b': size and depth differ"):
        hg.Box(key="b", size=[1, 2, 3], depth=4)
    with pytest.raises(InvalidValueError, match=r"size height: .*above 0"):
        hg.Box(size=[1, 0, 3])
    with pytest.raises(UnknownNameError, match="property of Sphere 'size'"):
        hg.Sphere(size=[1, 2, 3])


def test_colour_and_opacity_are_short_for_the_material() -> None:
    short = hg.Sphere(color="red", opacity=0.5, material={"roughness": 0.2})
    long = hg.Sphere(material={"color": [1, 0, 0], "opacity": 0.5, "roughness": 0.2})
    assert short == long
    assert short.look == long.look
    assert (short.get("color"), short.get("opacity")) == ((1.0, 0.0, 0.0), 0.5)
    assert (hg.Sphere().get("color"), hg.Sphere().get("opacity")) == ((1.0, 1.0, 1.0), 1.0)
    assert hg.Sphere(color="red", material={"color": "#f00"}) == hg.Sphere(color="red")
    with pytest.raises(InvalidValueError, match=r"color is short for material\.color"):
        hg.Sphere(color="red", material={"color": "blue"})
    with pytest.raises(InvalidValueError, match="Sphere 'a' color"):
        hg.Sphere(key="a", color="reddish")


def test_the_later_of_two_updates_holds() -> None:
    scene = hg.Scene(
        hg.Cylinder(key="c", radiusTop=0.5, radiusBottom=2, color="red", opacity=0.5),
        hg.Box(key="b", size=[1, 2, 3]),
    )
    scene = apply(scene, [hg.Update(hg.Cylinder(key="c", height=4, material={"color": "blue"}))])
    changed = find(scene, "c")
    assert changed.get("args") == (0.5, 2.0, 4.0)
    assert changed.get("material") == {"color": (0.0, 0.0, 1.0), "opacity": 0.5}
    assert find(apply(scene, [hg.Update(hg.Cylinder(key="c", color="red"))]), "c").get("color") == (
        1.0,
        0.0,
        0.0,
    )
    with pytest.raises(InvalidValueError, match="one radius above 0"):
        apply(scene, [hg.Update(hg.Cylinder(key="c", radiusTop=0, radiusBottom=0))])
    assert find(apply(scene, [hg.Update(hg.Box(key="b", depth=5))]), "b").get("size") == (1, 2, 5)
    all_sizes = apply(scene, [hg.Update(hg.Box(key="b", args=[5]))])
    assert find(all_sizes, "b").get("args") == (5, 1, 1)


@pytest.mark.parametrize("row", [(1, 2, 3), [1.0, 2, 3], np.array([1, 2, 3]), range(1, 4)])
def test_vectors_come_in_many_forms(row: object) -> None:
    assert hg.Group(position=row) == hg.Group(position=(1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    "row", [(1, 2), (True, False, True), (1, 2, math.nan), (1, 2, 10**400), "abc"]
)
def test_what_is_no_vector(row: object) -> None:
    with pytest.raises(InvalidValueError, match="Group position"):
        hg.Group(position=row)


def test_negative_zero_is_zero() -> None:
    assert hg.Group(position=(-0.0, 0.0, 0.0)) == hg.Group(position=(0.0, 0.0, 0.0))
    assert hg.PointLight(intensity=-0.0) == hg.PointLight(intensity=0.0)


def test_the_material_of_a_component() -> None:
    assert Material.of(hg.Sphere()) == Material()
    glass = hg.Box(
        color=(1, 0.5, 0, 0.5),
        opacity=0.5,
        material={"metalness": 0.1, "roughness": 0.2, "emissive": "red", "emissiveIntensity": 2},
    )
    assert Material.of(glass) == Material(
        base_color=(1.0, 0.5, 0.0, 0.25),
        metallic=0.1,
        roughness=0.2,
        emissive=(1.0, 0.0, 0.0),
        emissive_strength=2.0,
        alpha_mode="blend",
    )
    solid = hg.Box(opacity=0.5, material={"transparent": False, "side": "double", "map": "a.png"})
    assert Material.of(solid) == Material(
        side="double", textures=(MaterialTexture("base_color", "a.png"),)
    )
    shiny = Material.of(hg.Box(materialType="phong", material={"specular": 0.5, "shininess": 64}))
    assert (shiny.kind, shiny.specular, shiny.shininess) == ("phong", 0.5, 0.5)
    shown = Material.of(hg.Box(materialType="normal", material={"side": 1}))
    assert (shown.kind, shown.side) == ("normal", "back")
    one, other = (np.full((1, 1, 3), level, np.uint8) for level in (1, 2))
    images = [Material.of(hg.Box(material={"map": pixels})) for pixels in (one, one.copy(), other)]
    assert images[0] == images[1] != images[2]
    assert hash(images[0]) == hash(images[1])
    with pytest.raises(UnknownNameError, match="property of Group 'material'"):
        Material.of(hg.Group())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"roughness": 1.5}, "Material roughness: expected a finite number from 0 to 1, got 1.5"),
        ({"metallic": math.nan}, "Material metallic: .*got nan"),
        ({"base_color": (1, 1, 1)}, "Material base_color: expected red, green, blue and alpha"),
        ({"emissive": (255, 0, 0)}, "Material emissive: .*divide by 255"),
        ({"emissive_strength": -1.0}, "Material emissive_strength: .*from 0"),
        ({"kind": "glass"}, "Material kind: .*'standard' or 'phong'"),
        ({"side": "both"}, "Material side: .*'front' or 'back' or 'double'"),
        ({"alpha_mode": "cut"}, "Material alpha_mode: .*'opaque' or 'mask' or 'blend'"),
        ({"alpha_cutoff": 2}, "Material alpha_cutoff: .*from 0 to 1"),
        ({"shininess": math.inf}, "Material shininess: .*got inf"),
    ],
)
def test_a_material_is_checked(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidValueError, match=says):
        Material(**given)


def test_a_material_keeps_rows_of_numbers_as_tuples() -> None:
    made = Material(base_color=np.array([1, 0, 0, 1]), roughness=np.float32(0.5))
    assert made.base_color == (1.0, 0.0, 0.0, 1.0)
    assert hash(made) == hash(Material(base_color=(1.0, 0.0, 0.0, 1.0), roughness=0.5))
