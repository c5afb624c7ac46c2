"""A scene of components or of a mesh file as a draw list, for every engine that shows one."""
