# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""Annotations of whole samples: what they say, that they travel, and COCO's own reader."""

import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

import heliograph as hg
from component_scenes import FRONT
from heliograph.annotate import (
    annotate,
    annotate_keypoints,
    coco_dataset,
    oriented_boxes,
    unhidden,
)
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.picture import annotation_picture, segment_colours
from heliograph.record import record
from heliograph.scene.objects import ObjectTable

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BALL = hg.Sphere(key="ball", args=[0.3], position=[0.2, -0.4, 0])
CUBE = hg.Box(key="cube", args=[0.6, 0.6, 0.6])
HIDDEN = hg.Box(key="hidden", args=[0.1, 0.1, 0.1], position=[0, 1, 0])
KINDS = (
    *("box", "loose_box", "amodal_box", "box_3d", "camera_box_3d"),
    *("occluded", "truncated", "rle", "polygons"),
)
VIEW = hg.View([FRONT, FRONT.replace(name="other", cx=0)], ("depth", "segmentation"))


@pytest.fixture(scope="module")
def renderer():
    with hg.open(hg.Scene(BALL, CUBE, HIDDEN)) as made:
        yield made


@pytest.fixture(scope="module")
def sample(renderer):
    return renderer.render(VIEW)


def test_everything_is_said_of_every_object_seen(renderer, sample):
    told = annotate(sample, renderer.scene.objects, KINDS).annotations["objects"]
    assert [*told] == ["front", "other"]
    assert [row["name"] for row in told["front"]] == ["ball", "cube"]
    for camera, rows in told.items():
        ids = sample[camera].segmentation
        for row in rows:
            assert row.keys() == {"id", "name", "category", "area", *KINDS}
            assert row["area"] == (ids == row["id"]).sum()
            assert row["rle"]["size"] == [120, 160]
            inner, outer = np.array(row["box"]), np.array(row["loose_box"])
            assert (inner[:2] >= outer[:2] - 0.5).all()
            assert (inner[2:] <= outer[2:] + 0.5).all()
    assert told["front"][1]["box_3d"]["half_sizes"] == pytest.approx([0.3] * 3)
    assert told["front"][1]["camera_box_3d"]["centre"] == pytest.approx([0, 0, -4])
    assert told["front"][0]["truncated"] == 0
    assert told["other"][1]["truncated"] == pytest.approx(0.5, abs=0.01)


def test_hidden_objects_are_listed_if_asked_for(renderer, sample):
    objects = renderer.scene.objects
    rows = annotate(sample, objects, KINDS, hidden=True).annotations["objects"]["front"]
    assert [row["name"] for row in rows] == ["ball", "cube", "hidden"]
    assert rows[2]["area"] == 0
    assert rows[2]["occluded"] == 1
    assert "box" not in rows[2]
    assert rows[2]["amodal_box"] == rows[2]["loose_box"]


def test_what_is_alone_replaces_estimates(renderer, sample):
    objects = renderer.scene.objects
    ids = [int(objects[name].id) for name in ("ball", "cube")]
    alone = unhidden(renderer, VIEW, objects, ids)
    ball, cube = annotate(
        sample, objects, ("box", "amodal_box", "occluded"), alone=alone
    ).annotations["objects"]["front"]
    assert ball["amodal_box"] == ball["box"]
    assert ball["occluded"] == 0
    assert cube["amodal_box"] == alone["front"].of(ids[1]).tolist()
    assert 0.1 < cube["occluded"] < 0.9
    (guess, _) = annotate(sample, objects, ("occluded",)).annotations["objects"]["front"]
    assert 1 - np.pi / 4 < guess["occluded"] < 0.4, "a ball does not fill its box"


def test_moved_objects_are_annotated_where_they_are(renderer):
    pose = np.eye(4)
    pose[:3, 3] = (0.1, 0, 0.3)
    moved = renderer.render(hg.View([FRONT], VIEW.passes, state={"cube": pose}))
    told = annotate(moved, renderer.scene.objects, ("box_3d",), poses={"cube": pose})
    assert told.annotations["objects"]["front"][1]["box_3d"]["centre"] == pytest.approx(pose[:3, 3])


def test_annotations_are_data_that_is_recorded_and_pickled(renderer, sample, tmp_path):
    corners = oriented_boxes(renderer.scene.objects).corners
    points = {"cube": corners[1], "lost": [[np.nan] * 3, [0, -9, 0]]}
    told = annotate_keypoints(annotate(sample, renderer.scene.objects, KINDS), points)
    assert told.annotations.keys() == {"objects", "keypoints"}
    assert told.annotations["keypoints"]["front"]["lost"] == {
        "pixels": [None, None],
        "depth": [None, -5.0],
        "visible": [False, False],
    }
    assert sum(told.annotations["keypoints"]["front"]["cube"]["visible"]) < 8
    json.dumps(told.annotations, allow_nan=False)
    assert pickle.loads(pickle.dumps(told)).annotations == told.annotations
    (read,) = record([told], tmp_path / "run")
    assert read.annotations == told.annotations


@pytest.mark.parametrize("form", ["rle", "polygons"])
def test_coco_reads_what_is_written(renderer, sample, form, tmp_path, capsys):
    data = coco_dataset([sample, sample], form=form)
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(data, allow_nan=False))
    coco = COCO(str(path))
    capsys.readouterr()
    assert [*coco.imgs] == [1, 2, 3, 4]
    assert coco.imgs[2]["file_name"] == "000000-other.png"
    assert [each["name"] for each in coco.loadCats(coco.getCatIds())] == ["box", "sphere"]
    assert len(coco.getAnnIds(catIds=coco.getCatIds(["sphere"]))) == 4
    for each in coco.loadAnns(coco.getAnnIds(imgIds=[1])):
        ids = sample["front"].segmentation
        mask = ids == renderer.scene.objects[each["name"]].id
        assert np.array_equal(coco.annToMask(each), mask)
        assert each["area"] == mask.sum()
        x, y, width, height = map(int, each["bbox"])
        assert mask[y : y + height, x : x + width].sum() == mask.sum()


def test_categories_of_coco_may_be_given(sample):
    data = coco_dataset([sample], categories={"sphere": 4, "box": 9, "car": 2})
    assert {each["category_id"] for each in data["annotations"]} == {4, 9}
    assert {"id": 2, "name": "car"} in data["categories"]
    with pytest.raises(UnknownNameError, match="sphere"):
        coco_dataset([sample], categories={"box": 9})
    with pytest.raises(UnknownNameError, match="mask"):
        coco_dataset([sample], form="masks")


def test_categories_may_be_told_by_names(sample):
    made = coco_dataset([sample], category_of=lambda label: label.name[:1])
    assert [each["name"] for each in made["categories"]] == ["b", "c"]


def test_boxes_of_a_state_need_to_be_told_where_things_are(renderer):
    moved = renderer.render(hg.View([FRONT], ("segmentation",), state={"ball": [0.2, -0.6, 0.2]}))
    objects = renderer.scene.objects
    assert annotate(moved, objects, ("box", "rle")).annotations["objects"]
    for kind in ("loose_box", "amodal_box", "box_3d", "occluded", "truncated"):
        with pytest.raises(InvalidValueError, match=f"{kind}: the sample shows a state .ball."):
            annotate(moved, objects, (kind,))
    pose = np.eye(4)
    pose[:3, 3] = 0.2, -0.6, 0.2
    told = annotate(moved, objects, ("box", "loose_box"), poses={"ball": pose})
    ball = next(each for each in told.annotations["objects"][FRONT.name] if each["name"] == "ball")
    assert np.allclose(ball["box"], ball["loose_box"], atol=3)


def test_what_cannot_be_said_is_refused(renderer, sample):
    with pytest.raises(UnknownNameError, match="did you mean 'box'"):
        annotate(sample, renderer.scene.objects, ("boxx",))
    with pytest.raises(InvalidValueError, match=r"points\['a'\]: expected \(K, 3\)"):
        annotate_keypoints(sample, {"a": [0, 0, 0]})
    bare = renderer.render(hg.View([FRONT], "rgb"))
    with pytest.raises(UnknownNameError, match="segmentation"):
        annotate(bare, renderer.scene.objects)
    with pytest.raises(UnknownNameError, match="depth"):
        annotate_keypoints(bare, {"a": [[0, 0, 0]]})


def test_a_pool_annotates_the_same(renderer, sample):
    with hg.open(hg.Scene(BALL, CUBE, HIDDEN), workers=1) as pool:
        other = pool.render(VIEW)
        alone = unhidden(pool, VIEW, pool.scene.objects, [1, 2])
        told = annotate(other, pool.scene.objects, KINDS, alone=alone)
    here = unhidden(renderer, VIEW, renderer.scene.objects, [1, 2])
    expected = annotate(sample, renderer.scene.objects, KINDS, alone=here)
    assert told.annotations == expected.annotations


def test_a_scene_without_objects_has_no_annotations():
    nothing = ObjectTable.empty()
    blank = {
        "depth": np.full((120, 160), np.inf, np.float32),
        "segmentation": np.zeros((120, 160), int),
    }
    frames = {"front": hg.Frame(FRONT, blank)}
    told = annotate(hg.Sample(frames), nothing, KINDS, hidden=True)
    assert told.annotations == {"objects": {"front": []}}
    assert coco_dataset([hg.Sample(frames)])["annotations"] == []


def test_annotations_are_drawn_where_they_are(renderer, sample):
    objects = renderer.scene.objects
    corners = oriented_boxes(objects).corners
    told = annotate_keypoints(
        annotate(sample, objects, ("box", "box_3d", "polygons")), {"hidden": corners[2]}
    )
    drawn = np.asarray(annotation_picture(told, "front", scale=3))
    assert drawn.shape == (360, 480, 3)
    ball = told.annotations["objects"]["front"][0]
    _, y0, x1, y1 = (3 * int(each) for each in ball["box"])
    edge = drawn[y0:y1, x1 - 1]
    assert (edge == segment_colours(ball["id"])).all(-1).mean() > 0.9
    plain = np.asarray(annotation_picture(sample, "front", scale=3))
    changed = (drawn != plain).any(-1)
    assert not changed[: y0 // 2].any(), "nothing is drawn far from the objects"
    rgb = renderer.render(hg.View([FRONT], ("rgb",)))
    assert np.array_equal(annotation_picture(rgb, "front", scale=1), rgb["front"].rgb)


def test_the_page_about_annotations_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parent.parent / "docs/annotations.md").read_text()
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
    assert (tmp_path / "eye.png").is_file()
    moved = names["moved"].annotations["objects"]["eye"]
    seen, loose = (np.array([row[kind] for row in moved]) for kind in ("box", "loose_box"))
    assert (np.abs(seen[1] - loose[1]) <= 0.5).all(), "the cube, where its state has it"
    assert json.loads(names["text"])["annotations"]
