"""Engines: each draws views of one scene in the process it lives in."""
