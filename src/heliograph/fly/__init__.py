"""A window to fly through a scene in: `heliograph fly`.

    keys, mouse -> controls.py -> Motion -> flight.py -> Camera -> queue.update
    queue.get -> picture -> window.py, with overlay.py's words over it

A key is pressed: `Controls` keeps it, `Flight` moves the camera as long as it is held, and each
move is an update of the queue, which draws it coarsely first. Its images wake the window. Where
nothing is held and no image comes, the window sleeps.

| file | what it does | owns |
|---|---|---|
| flight.py | moves a camera; pure | its pose and speed |
| controls.py | what is held | keys |
| images.py | orders and takes images; how late they are | the queue |
| overlay.py | words over the picture; pure | |
| window.py | the window; the only one that knows pygame's display | |
"""
