"""What can be seen: components, descriptions, edits."""

from heliograph.scene.appearance import (
    EditBackground,
    EditImage,
    EditLight,
    EditMaterial,
    EditMaterials,
    Hide,
    MoveCamera,
    MoveObject,
)
from heliograph.scene.camera_view import CameraView
from heliograph.scene.components import Component, Group, Scene
from heliograph.scene.description import Description, Item
from heliograph.scene.edit import Edit
from heliograph.scene.edits import Add, Remove, Set, Update, Upsert
from heliograph.scene.lights import (
    AmbientLight,
    DirectionalLight,
    HemisphereLight,
    PointLight,
    SpotLight,
)
from heliograph.scene.material import Material, MaterialProps
from heliograph.scene.objects import ObjectTable, SceneObject
from heliograph.scene.shapes import (
    Box,
    Capsule,
    Circle,
    Cone,
    Cylinder,
    Mesh,
    Plane,
    Ring,
    Sphere,
    Torus,
)
from heliograph.scene.state_space import Joint, StateSpace
from heliograph.scene.textures import MaterialTexture, TextureMap
from heliograph.scene.tree import apply

__all__ = [
    "Add",
    "AmbientLight",
    "Box",
    "CameraView",
    "Capsule",
    "Circle",
    "Component",
    "Cone",
    "Cylinder",
    "Description",
    "DirectionalLight",
    "Edit",
    "EditBackground",
    "EditImage",
    "EditLight",
    "EditMaterial",
    "EditMaterials",
    "Group",
    "HemisphereLight",
    "Hide",
    "Item",
    "Joint",
    "Material",
    "MaterialProps",
    "MaterialTexture",
    "Mesh",
    "MoveCamera",
    "MoveObject",
    "ObjectTable",
    "Plane",
    "PointLight",
    "Remove",
    "Ring",
    "Scene",
    "SceneObject",
    "Set",
    "Sphere",
    "SpotLight",
    "StateSpace",
    "TextureMap",
    "Torus",
    "Update",
    "Upsert",
    "apply",
]
