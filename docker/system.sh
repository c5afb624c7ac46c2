#!/bin/sh
# What the image needs of the distribution: Python, EGL, and a compiler for the native module.
set -eu
apt-get update
apt-get install -y --no-install-recommends \
    python3 python3-venv libegl1 libgl1 libgomp1 g++ cmake ninja-build
rm -rf /var/lib/apt/lists/*
