"""The Blender engine: .blend files, scripts and component trees, drawn by `bpy`, no screen."""
