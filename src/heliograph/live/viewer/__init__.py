"""The viewer: any renderer or recording in a browser's page.

    page --Viewport, Event, Ask--> ViewerPage --orders--> Desk (a thread for each source)
    page <--Show, Panel, Answer--- ViewerPage <--pictures--- renderer, recording

The server runs in a thread with a loop of its own, so a viewer works in a program, in a notebook
whose loop runs, and on the command line. Pages share its sources; each has a `Look` of its own: its
camera, pass and state, which it finds again when it reconnects.

One move of the hand: the page tells its camera (`Viewport`), which makes a new look. That is
ordered twice from the source's desk: small, at once, and whole, for when the camera rests; orders
that it replaces are forgotten. The desk's thread draws, encodes and hands the picture to the loop,
which sends it (`Show`) unless a picture of a newer look was sent.

| file | job | owns |
|---|---|---|
| viewer.py | opens sources, serves | the server, the sources, folders of dropped files |
| pages.py | one page | its look, what it was sent |
| questions.py | what it asks | who waits for a picture |
| shots.py | draws and encodes | |
| sources.py, rendered.py, recorded.py | a renderer, a recording with one face | their desk |
| desk.py | what is drawn next | one thread |
| controls.py, look.py | the panel; what is shown | |
| answers.py, python_code.py, pictures.py | pure | |
| recorder.py | the record button | one trajectory |
| dropped.py | files dropped on a page | |
"""
