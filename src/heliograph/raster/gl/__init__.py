"""The GL backend: moderngl over EGL, on a GPU or on llvmpipe."""
