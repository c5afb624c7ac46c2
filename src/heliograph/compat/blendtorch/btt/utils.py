"""Addresses of this machine, by blendtorch's name."""

from __future__ import annotations

from heliograph.publish.addresses import primary_ip as get_primary_ip

__all__ = ["get_primary_ip"]
