"""Calls that type checkers must find wrong; checked by a type checker, never run.

Every line that ends in `expect-error` has an error, and no other has one.
"""
# mypy: ignore-errors

from __future__ import annotations

import numpy as np

import heliograph as hg
from heliograph import randomize as dr
from heliograph.randomize.samplers import hsv, quaternion, uniform

SPHERES = (
    hg.Sphere(pos=[0, 0, 1]),  # expect-error
    hg.Sphere(radius="big"),  # expect-error
    hg.Sphere(height=2),  # expect-error
    hg.Sphere(position="far"),  # expect-error
    hg.Sphere(position=3),  # expect-error
    hg.Sphere("ball"),  # expect-error
    hg.Sphere(key=3),  # expect-error
    hg.Sphere(visible="yes"),  # expect-error
    hg.Sphere(radius=0.1, color="red", opacity=0.5),
    hg.Sphere(radius=np.float32(0.1), color=0xFF0000, position=np.zeros(3), scale=2),
)
SHAPES = (
    hg.Box(colour="red"),  # expect-error
    hg.Box(radius=1),  # expect-error
    hg.Box(size="large"),  # expect-error
    hg.Box(materialType="glass"),  # expect-error
    hg.Box(material="red"),  # expect-error
    hg.Box(material={"colour": "red"}),  # expect-error
    hg.Box(material={"opacity": "half"}),  # expect-error
    hg.Box(material={"side": "both"}),  # expect-error
    hg.Box(material={"map": {"image": "a.png", "wrap": "around"}}),  # expect-error
    hg.Box(material={"map": {"repeat": (2, 2)}}),  # expect-error
    hg.Plane(depth=1),  # expect-error
    hg.Cylinder(radius=1),  # expect-error
    hg.Capsule(height=1),  # expect-error
    hg.Cone(radiusTop=1),  # expect-error
    hg.Torus(tube=None),  # expect-error
    hg.Mesh(file="mug.glb"),  # expect-error
    hg.Mesh(src=5),  # expect-error
    hg.Mesh(up="x"),  # expect-error
    hg.Mesh(vertices="many"),  # expect-error
    hg.Box(size=(1, 2, 3), material={"color": "red", "roughness": 0.5, "side": 2}),
    hg.Box(material={"map": {"image": "a.png", "repeat": (2, 2), "wrap": ("clamp", "mirror")}}),
    hg.Mesh(vertices=np.eye(3), faces=[[0, 1, 2]], colors=[(255, 0, 0)] * 3),
)
OTHERS = (
    hg.Group(radius=1),  # expect-error
    hg.Scene(colour="red"),  # expect-error
    hg.Scene(background=None),  # expect-error
    hg.CameraView(fov="wide"),  # expect-error
    hg.CameraView(fieldOfView=50),  # expect-error
    hg.CameraView(ctype="fisheye"),  # expect-error
    hg.AmbientLight(strength=1),  # expect-error
    hg.HemisphereLight(target=[0, 0, 0]),  # expect-error
    hg.DirectionalLight(castShadow="yes"),  # expect-error
    hg.PointLight(decay="fast"),  # expect-error
    hg.Scene(toneMapping="filmic"),  # expect-error
    hg.Scene(environment=3),  # expect-error
    hg.Scene(environment={"sky": "skyblue"}, toneMapping="aces", background="environment"),
    hg.SpotLight(angle="narrow"),  # expect-error
    hg.Scene(hg.Sphere(), hg.SpotLight(angle=0.3, decay=1), background="#123"),
)
EDITS = (
    hg.EditMaterial(),  # expect-error
    hg.EditMaterial(3),  # expect-error
    hg.EditMaterial("cube", rgba="red"),  # expect-error
    hg.EditMaterial("cube", rgb=(1, 0, 0)),  # expect-error
    hg.EditMaterial("cube", specular="high"),  # expect-error
    hg.EditMaterial("cube", texture="wood.png"),  # expect-error
    hg.EditMaterials(["cube"], rgba=[1, 0, 0, 1]),  # expect-error
    hg.EditMaterials(["cube"], shininess=0.5),  # expect-error
    hg.EditLight("sun", kind="neon"),  # expect-error
    hg.EditLight("sun", position=3),  # expect-error
    hg.EditLight("sun", active="no"),  # expect-error
    hg.MoveCamera("front", pose=np.eye(4)),  # expect-error
    hg.MoveObject("cube", "away"),  # expect-error
    hg.MoveObject("cube", np.eye(4), relative="no"),  # expect-error
    hg.Hide(3),  # expect-error
    hg.EditBackground("red"),  # expect-error
    hg.EditImage([("blur", 3)]),  # expect-error
    hg.Set(hg.Box()),  # expect-error
    hg.Add("box"),  # expect-error
    hg.Add(hg.Box(), to=3),  # expect-error
    hg.Update(hg.Box(pos=[0, 0, 0])),  # expect-error
    hg.Upsert(component=None),  # expect-error
    hg.Remove(3),  # expect-error
    hg.EditMaterial("cube", rgba=[1, 0, 0], specular=np.float32(0.5)),
    hg.EditMaterials([("cube", "ball"), "arm"], rgba=np.ones((2, 4)), shininess=[0.1, 0.2]),
    hg.EditLight("sun", kind="spot", position=[0, 0, 1], cutoff=1),
    hg.MoveObject("cube", [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], 2),
    hg.Hide("cube"),
)
RANDOMIZERS = (
    dr.Materials(color=hsv()),  # expect-error
    dr.Lights(own="vary"),  # expect-error
    dr.Background(colour=(1, 0, 0)),  # expect-error
    dr.Background(color=hsv()),  # expect-error
    dr.CameraJitter(fov=0.1),  # expect-error
    dr.CameraOrbit(target=uniform(0, 1)),  # expect-error
    dr.CameraPlace(cameras="front"),  # expect-error
    dr.FieldOfView(0.5),  # expect-error
    dr.JointStates(state={"qpos": 0.5}),  # expect-error
    dr.ObjectPoses(rotation=10.0),  # expect-error
    dr.Visibility(probability="often"),  # expect-error
    dr.PostProcess(blur="much"),  # expect-error
    dr.Textures(kind=3),  # expect-error
    dr.Randomization([hsv()]),  # expect-error
    dr.Randomization([dr.Background(colour=hsv(value=uniform(0.5, 1)))], names=["sky"]),
)
ENDS = uniform(0.0)  # expect-error
WORDS = uniform("low", "high")  # expect-error
WIDTH = hsv(width=4)  # expect-error
TURN = quaternion(angle=10)  # expect-error
MISSPELT = dr.Randomizaton  # expect-error
