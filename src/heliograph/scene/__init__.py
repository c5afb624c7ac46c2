"""What can be seen: descriptions, edits."""

from heliograph.scene.description import Description, Item
from heliograph.scene.edit import Edit

__all__ = ["Description", "Edit", "Item"]
