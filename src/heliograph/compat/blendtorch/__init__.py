"""blendtorch's interface: `btt` for programs that train, `btb` for scripts inside Blender."""
