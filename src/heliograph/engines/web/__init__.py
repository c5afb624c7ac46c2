"""The page: a scene of components drawn by three.js in a browser, and what serves it."""
