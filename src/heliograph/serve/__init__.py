"""Renderers for other machines: a server over any renderer, and a client that is a renderer.

| module | job | owns |
|---|---|---|
| messages.py | what client and server say to each other, and how it is framed | |
| samples.py | samples as messages, and back; pictures as raw bytes or encoded | tables of labels |
| turns.py | whose picture is drawn next | threads that draw |
| metrics.py | what the server has done, as Prometheus reads it | the numbers |
| clients.py | one connection: its orders, and what is sent to it | orders |
| server.py | the server: who may ask, its routes | connections |
| remote.py | `connect`, and the renderer that it gives | a thread with a loop |
"""

from heliograph.serve.remote import RemoteRenderer, connect
from heliograph.serve.server import RenderServer

__all__ = ["RemoteRenderer", "RenderServer", "connect"]
