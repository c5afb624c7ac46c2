"""NeRFs that nerfstudio trained: its nerfacto model in plain torch.

    config.yml --(checkpoint: plain YAML, weights only)--> NerfactoModel, CaptureFrame
    View -> rays in the model's frame -> proposal networks say where -> field -> passes
            (engine)                     (sampling)                    (model)  (render)

`config.yml` says how large the networks are, `nerfstudio_models/step-*.ckpt` holds their weights,
and `dataparser_transforms.json` how the frame of the capture was moved and scaled for training. A
view's cameras are in the frame of the capture; their rays are moved into the model's frame, and
depths are scaled back. Rays are drawn in chunks; between two of them a cancelled view stops.

torch and pyyaml are imported in this package alone.
"""
