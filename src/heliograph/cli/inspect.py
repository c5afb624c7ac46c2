"""`heliograph inspect`: what a scene holds."""

from __future__ import annotations

import json as codec
from dataclasses import asdict
from typing import Annotated, Any

import tyro

from heliograph.cli.streams import say
from heliograph.delivery.call import LocalRenderer
from heliograph.delivery.call import open as open_scene

_SHOWN = 8
_KINDS = ("objects", "lights", "materials", "state")


def inspect(
    model: Annotated[str, tyro.conf.Positional],
    engine: str | None = None,
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
) -> int:
    """Show a scene's cameras, objects, lights, materials, passes and state.

    Args:
        model: a file, or package:path/inside/it.
        engine: which engine; the file decides without it.
        json: print JSON instead of text.
    """
    with open_scene(model, engine=engine) as renderer:
        facts = _facts(renderer)
    say(codec.dumps(facts, indent=1) if json else _text(facts))
    return 0


def _facts(renderer: LocalRenderer) -> dict[str, Any]:
    scene = renderer.scene
    cameras = [
        {
            "name": name,
            "category": camera.projection.value,
            "detail": "x".join(map(str, camera.size)),
        }
        for name, camera in renderer.cameras.items()
    ]
    objects = [
        {
            "name": each.name,
            "category": each.category,
            "detail": each.material,
            "id": each.id,
            "parent": each.parent,
        }
        for each in scene.objects
    ]
    materials = [
        {
            "name": each.name,
            "category": each.kind,
            "detail": ", ".join(scene.objects.wearers.get(each.name, ())[:_SHOWN]),
            **asdict(each),
        }
        for each in scene.materials
    ]
    listed = {"lights": scene.lights, "state": scene.state}
    items = {kind: [asdict(item) for item in found] for kind, found in listed.items()}
    items["materials"] = materials
    known = {"source": scene.source, "hash": scene.hash, "passes": list(renderer.passes)}
    return {**known, "cameras": cameras, "objects": objects, **items}


def _text(facts: dict[str, Any]) -> str:
    lines = [f"{facts['source']} (hash {facts['hash']})", f"passes: {', '.join(facts['passes'])}"]
    for kind in ("cameras", *_KINDS):
        lines += ["", f"{kind} ({len(facts[kind])})", *map(_line, facts[kind])]
    return "\n".join(lines)


def _line(item: dict[str, str]) -> str:
    return f"  {item['name'] or '(no name)':<32} {item['category']:<14} {item['detail']}".rstrip()
