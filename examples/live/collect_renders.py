"""Renders by the thousand: what takes several browsers and a job queue elsewhere is a pool here.

Jobs go to whichever worker is free; one that dies is replaced, and its job is done again.
"""

import numpy as np

import heliograph as hg

SCENE = hg.Scene(
    hg.Plane(key="floor", size=[4, 4], color="#8899aa"),
    hg.Box(key="crate", size=[0.4, 0.4, 0.4], position=[0, 0, 0.2], color="tan"),
    hg.DirectionalLight(key="sun", position=[2, -2, 4]),
)
COUNT = 200


def job(index: int) -> hg.View:
    """View number `index`, whatever other views there are."""
    rng = np.random.default_rng([7, index])
    eye = (*rng.uniform(-2, 2, 2), rng.uniform(0.5, 2))
    camera = hg.Camera.look_at(eye=eye, target=(0, 0, 0.2), fov_y=0.9, width=160, height=120)
    colour = hg.Update(hg.Box(key="crate", color=rng.uniform(0, 1, 3)))
    return hg.View([camera], ("rgb", "depth"), edits=[colour], index=index)


if __name__ == "__main__":
    with hg.open(SCENE, workers=2) as pool:
        pictures = np.stack([sample["camera"].rgb for sample in pool.map(map(job, range(COUNT)))])
    with hg.open(SCENE) as renderer:
        alone = renderer.render(job(123))["camera"].rgb
    print(
        len(pictures),
        "pictures; number 123 drawn alone is the same:",
        (pictures[123] == alone).all(),
    )
