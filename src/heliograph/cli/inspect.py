"""`heliograph inspect`: what a scene holds."""

from __future__ import annotations

import json
from typing import Annotated, Any

import tyro

from heliograph.delivery.call import LocalRenderer
from heliograph.delivery.call import open as open_scene


def inspect(
    model: Annotated[str, tyro.conf.Positional], engine: str | None = None, json: bool = False
) -> int:
    """Show a scene's cameras, objects, lights, materials, passes and state.

    Args:
        model: a file, or package:path/inside/it.
        engine: which engine; the file decides without it.
        json: print JSON instead of text.
    """
    with open_scene(model, engine=engine) as renderer:
        facts = _facts(renderer)
    print(_json(facts) if json else _text(facts))
    return 0


def _facts(renderer: LocalRenderer) -> dict[str, Any]:
    scene = renderer.scene
    cameras = [
        {"name": name, "category": camera.projection.value, "detail": f"{camera.width}x{camera.height}"}
        for name, camera in renderer.cameras.items()
    ]
    items = {kind: [vars(item) for item in getattr(scene, kind)] for kind in _KINDS}
    return {
        "source": scene.source,
        "hash": scene.hash,
        "passes": list(renderer.passes),
        "cameras": cameras,
        **items,
    }


_KINDS = ("objects", "lights", "materials", "state")


def _json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, indent=1)


def _text(facts: dict[str, Any]) -> str:
    lines = [f"{facts['source']} ({facts['hash']})", f"passes: {', '.join(facts['passes'])}"]
    for kind in ("cameras", *_KINDS):
        lines.append(f"{kind} ({len(facts[kind])})")
        for item in facts[kind]:
            lines.append(f"  {item['name']:<32} {item['category']:<14} {item['detail']}".rstrip())
    return "\n".join(lines)
