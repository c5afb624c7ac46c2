"""Live scenes: change them, look at them in a page, get pictures of them from Python.

    program -> Session -> LiveScene (components, ids, version)
                  |           |
                  |           +-> PageLink of each page: the keys that changed, their newest rows
                  |           +-> Drawer: the edits a renderer has not seen yet
                  +-> grab_render -> Drawer -> Sample, with the version that it shows
                  +-> Subscription <- events of pages, pictures of streams

One change: `session.update @ Sphere(...)` is applied to `LiveScene` at once; each page's link notes
the key, each drawer the edit. A grab that follows goes the same way after it, so it shows it.

| file | job | owns |
|---|---|---|
| app.py | serves, begins and ends sessions | the server, the sessions |
| session.py | the face of one live scene | pages, tasks, subscriptions |
| scene.py | the newest version | components, ids, version |
| drawing.py | who draws: a renderer, or a page | the renderer and its thread |
| streams.py | paces cameras that stream | one task a camera |
| events.py | events on their way to who is slow | what waits |
"""
