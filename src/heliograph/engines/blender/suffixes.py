"""What files of Blender's scenes end in; known without `bpy`."""

BLEND, SCRIPT = ".blend", ".py"
