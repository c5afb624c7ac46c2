"""Domain randomization: what sample i shows depends on the run's seed and i alone."""

import heliograph as hg

MODEL = "gymnasium_robotics:envs/assets/hand/manipulate_block.xml"
CONFIG = {
    "randomizers": [
        {"type": "materials"},
        {"type": "lights"},
        {"type": "camera_jitter", "position": {"uniform": [-0.05, 0.05]}},
        {"type": "joint_states"},
        {"type": "postprocess", "steps": {"brightness": {"amount": {"uniform": [-0.2, 0.2]}}}},
    ]
}

with hg.open(MODEL, size=(200, 200), randomize=CONFIG, seed=7) as renderer:
    third = list(hg.samples(renderer, count=4, cameras=["fit"]))[3]
    alone = renderer.render(hg.View(["fit"], seed=7, index=3))

print("drawn:", ", ".join(third.randomization))
print("the same alone:", bool((third["fit"].rgb == alone["fit"].rgb).all()))
