"""Addresses of this machine."""

from __future__ import annotations

import socket


def get_primary_ip() -> str:
    """The address of this machine that others reach it by; 127.0.0.1 without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))  # sends nothing: picks the route alone
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address
