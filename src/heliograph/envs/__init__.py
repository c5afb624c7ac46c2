"""Environments for reinforcement learning whose world is a Blender process; `heliograph[envs]`.

    trainer                                      Blender
    RemoteEnv, RemoteVectorEnv   -- Request -->  RemoteControlledAgent, BaseEnv
                                 <-- Reply ---

`protocol` says what the two ask and answer, and is all that the side inside Blender needs: it
imports no gymnasium.
"""
