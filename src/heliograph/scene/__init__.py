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
from heliograph.scene.gizmos import (
    Arrow,
    CoordsMarker,
    Frustum,
    Grid,
    ImageBackground,
    Movable,
    OrbitControls,
    SceneCamera,
    Text,
)
from heliograph.scene.image_plane import ImagePlane
from heliograph.scene.lights import (
    AmbientLight,
    DirectionalLight,
    HemisphereLight,
    PointLight,
    RectAreaLight,
    SpotLight,
)
from heliograph.scene.material import Material, MaterialProps
from heliograph.scene.objects import ObjectTable, SceneObject
from heliograph.scene.point_cloud import PointCloud
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
from heliograph.scene.splat import Splat
from heliograph.scene.state_space import Joint, StateSpace
from heliograph.scene.textures import MaterialTexture, TextureMap
from heliograph.scene.tree import apply
from heliograph.scene.urdf import Urdf

__all__ = [
    "Add",
    "AmbientLight",
    "Arrow",
    "Box",
    "CameraView",
    "Capsule",
    "Circle",
    "Component",
    "Cone",
    "CoordsMarker",
    "Cylinder",
    "Description",
    "DirectionalLight",
    "Edit",
    "EditBackground",
    "EditImage",
    "EditLight",
    "EditMaterial",
    "EditMaterials",
    "Frustum",
    "Grid",
    "Group",
    "HemisphereLight",
    "Hide",
    "ImageBackground",
    "ImagePlane",
    "Item",
    "Joint",
    "Material",
    "MaterialProps",
    "MaterialTexture",
    "Mesh",
    "Movable",
    "MoveCamera",
    "MoveObject",
    "ObjectTable",
    "OrbitControls",
    "Plane",
    "PointCloud",
    "PointLight",
    "RectAreaLight",
    "Remove",
    "Ring",
    "Scene",
    "SceneCamera",
    "SceneObject",
    "Set",
    "Sphere",
    "Splat",
    "SpotLight",
    "StateSpace",
    "Text",
    "TextureMap",
    "Torus",
    "Update",
    "Upsert",
    "Urdf",
    "apply",
]
