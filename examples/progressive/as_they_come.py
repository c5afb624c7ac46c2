"""Pictures in an asyncio program: `async for`, beside whatever else the program does."""

import asyncio

import heliograph as hg

MOVES = 10
SCENE = hg.Scene(hg.Sphere(key="ball", radius=0.2, color="crimson"))


async def turn(queue: hg.RenderQueue) -> None:
    """Orbit the ball."""
    for step in range(MOVES):
        eye = (0.1 * step, -1, 0.4)
        queue.update(hg.Camera.look_at(eye=eye, target=(0, 0, 0), fov_y=0.7, width=320, height=240))
        await asyncio.sleep(0.03)


async def main() -> None:
    with hg.open(SCENE) as renderer, hg.RenderQueue(renderer) as queue:
        turning = asyncio.create_task(turn(queue))
        count = 0
        async for image in queue:
            count += 1
            if image.update_id == MOVES and image.final:
                break
        await turning
    print(f"{count} pictures of {MOVES} moves; the last is whole: {image.final}")


asyncio.run(main())
