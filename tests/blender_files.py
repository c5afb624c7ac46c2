"""Writes .blend files, good and bad ones, into a folder: `python blender_files.py FOLDER`.

A process of its own, as Blender 4.5 hangs at its end once it has saved a file.
"""

import os
import shutil
import sys
from pathlib import Path

import bpy

import blender_scene

NAMES = (
    "scene",
    "missing",
    "driver",
    "unseen_drivers",
    "fluid",
    "text",
    "empty",
    "library",
    "linked",
    "two",
    "lens",
)


def write(folder: Path) -> None:
    for name in NAMES:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        if name != "empty":
            blender_scene.build()
        globals().get(f"make_{name}", lambda _folder: None)(folder)
        path = str(folder / f"{name}.blend")
        bpy.ops.wm.save_as_mainfile(filepath=path, compress=name == "lens", relative_remap=False)
    (folder / "library.blend").rename(folder / "moved.blend")
    shutil.rmtree(folder / "cache")  # of fluids, from here


def make_missing(folder: Path) -> None:
    image = bpy.data.images.new("Wood", 2, 2)
    image.filepath_raw, image.source = str(folder / "wood.png"), "FILE"
    nodes = bpy.data.materials["Red"].node_tree.nodes
    nodes.new("ShaderNodeTexImage").image = image
    sound = folder / "roof.png"  # nothing shows this one
    bpy.data.images.new("Roof", 2, 2).filepath_raw = str(sound)


def make_driver(_folder: Path) -> None:
    curve = bpy.data.objects["Cube"].driver_add("location", 0)
    curve.driver.expression = "[0.25 for _ in 'a'][0]"
    simple = bpy.data.objects["Cone"].driver_add("location", 0)
    simple.driver.expression = "frame * 0.1"


def make_unseen_drivers(_folder: Path) -> None:
    """Of an object that is hidden, of one in an excluded collection, of one of another scene."""
    for name in ("Cube", "Ball", "Lid"):
        curve = bpy.data.objects[name].driver_add("location", 2)
        curve.driver.expression = "[3.0 for _ in 'a'][0]"
    bpy.data.objects["Cube"].hide_viewport = True
    bpy.context.view_layer.layer_collection.children["Moving"].exclude = True
    other = bpy.data.scenes.new("Other")
    bpy.data.objects["Lid"].parent = None
    bpy.context.scene.collection.objects.unlink(bpy.data.objects["Lid"])
    other.collection.objects.link(bpy.data.objects["Lid"])
    plain = bpy.data.scenes.new("Plain")
    plain.collection.objects.link(bpy.data.objects["Floor"])


def make_fluid(folder: Path) -> None:
    """A domain that writes a cache as soon as it is evaluated."""
    modifier = bpy.data.objects["Cube"].modifiers.new("Fluid", "FLUID")
    modifier.fluid_type = "DOMAIN"
    settings = modifier.domain_settings
    settings.resolution_max, settings.cache_type = 8, "REPLAY"
    settings.cache_directory = str(folder / "cache")


def make_text(_folder: Path) -> None:
    text = bpy.data.texts.new("panel.py")
    text.write("import bpy\nbpy.data.objects['Cube'].location.z = 9\n")
    text.use_module = True


def make_linked(folder: Path) -> None:
    bpy.ops.wm.link(directory=f"{folder / 'library.blend'}/Object/", filename="Cone")


def make_two(_folder: Path) -> None:
    other = bpy.data.scenes.new("Other")
    other.view_layers.new("Second")
    other.collection.objects.link(bpy.data.objects["Ball"])


def make_lens(_folder: Path) -> None:
    bpy.data.cameras["Camera"].type = "PANO"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
    os._exit(0)
