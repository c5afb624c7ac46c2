"""Samples as a data set in the form of COCO."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias

from heliograph.annotate.boxes import tight_boxes
from heliograph.annotate.contours import flat_polygons
from heliograph.annotate.masks import label_of, rles
from heliograph.errors import UnknownNameError
from heliograph.frame import Array, Frame, Label, Sample

FILE_NAME = "{index:06d}-{camera}.png"
Form: TypeAlias = Literal["rle", "polygons"]
_FORMS: Mapping[str, Callable[[Array], Mapping[int, Any]]] = {
    "rle": rles,
    "polygons": flat_polygons,
}


def coco_dataset(
    samples: Iterable[Sample],
    *,
    form: Form = "rle",
    file_name: str = FILE_NAME,
    categories: Mapping[str, int] | None = None,
    category_of: Callable[[Label], str] = lambda label: label.category,
) -> dict[str, Any]:
    """What `instances.json` of a COCO data set holds, plain data for `json.dump`.

    Each frame is an image, and each object that is seen in it an annotation: its mask, its tight
    box, its area in pixels, and its `name`, which COCO does not know and readers leave alone.

    Args:
        samples: frames with the pass `segmentation`; taken one after the other, none is kept.
        form: of masks: compressed run lengths, or polygons; both decode to the very pixels.
        file_name: of each image, for `index` of the sample and name of the `camera`.
        categories: number of each category, from 1; without it they are numbered by name. One
            that is not among those given is an error.
        category_of: what an object counts as, by its label: the first word of its name, say, where
            the engine's own categories (`mesh`, `box`) say too little.

    Raises:
        UnknownNameError: no such form, a category without a number, or a frame has no segmentation.
        MissingDependencyError: `rle` without pycocotools.
    """
    if form not in _FORMS:
        raise UnknownNameError.of("form of masks", form, _FORMS)
    images: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for sample in samples:
        for name, frame in sample.frames.items():
            number = len(images) + 1
            image = {
                "id": number,
                "file_name": file_name.format(index=sample.index, camera=name),
                "width": frame.camera.width,
                "height": frame.camera.height,
            }
            images.append(image)
            found += _annotations(frame, form, category_of, number, len(found) + 1)
    named = sorted({each["category_id"] for each in found})
    own = {name: place for place, name in enumerate(named, 1)}
    numbers = own if categories is None else dict(categories)
    for each in found:
        if each["category_id"] not in numbers:
            raise UnknownNameError.of("category", each["category_id"], numbers)
        each["category_id"] = numbers[each["category_id"]]
    table = [{"id": number, "name": name} for name, number in numbers.items()]
    return {"images": images, "annotations": found, "categories": table}


def _annotations(
    frame: Frame, form: str, category_of: Callable[[Label], str], image: int, first: int
) -> list[dict[str, Any]]:
    """The objects of a frame, their category by its name."""
    seen = tight_boxes(frame.segmentation)
    masks: Mapping[int, Any] = _FORMS[form](frame.segmentation)
    columns = (seen.ids.tolist(), seen.xywh.tolist(), seen.areas.tolist())
    return [
        {
            "id": place,
            "image_id": image,
            "category_id": category_of(label_of(frame.labels, number)),
            "segmentation": masks[number],
            "area": area,
            "bbox": box,
            "iscrowd": 0,
            "name": label_of(frame.labels, number).name,
        }
        for place, (number, box, area) in enumerate(zip(*columns, strict=True), first)
    ]
