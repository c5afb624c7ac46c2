"""A recording on disk replays as the same dataset, without the engine."""

from pathlib import Path

import heliograph as hg
from heliograph.record import record

scene = hg.Scene(hg.Sphere(key="ball", radius=0.3), hg.CameraView(key="ego", position=[0, 0, 2]))
folder = Path("recording")

with hg.open(scene) as renderer:
    record(hg.Dataset(renderer, 6, seed=1), folder, shard_size=4)

recording = hg.Recording(folder)
print(len(recording), "samples in", len(list(folder.glob("*.tar"))), "shards;", recording[5].index)
