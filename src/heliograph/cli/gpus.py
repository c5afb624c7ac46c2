"""Signs of a GPU that does not draw, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_MAKERS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
_DISPLAY = "0x03"  # how the class of a PCI device begins that is a display controller
_VENDORS = ("usr/share/glvnd/egl_vendor.d", "etc/glvnd/egl_vendor.d")
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/lib")


def find_gpus(root: Path = Path("/")) -> list[str]:
    """Where a system shows that it has a GPU: who made it, and the path that tells.

    What a virtual machine calls a GPU without having one does not count.

    Args:
        root: of its file system.
    """
    cards = _matches(root, "proc/driver/nvidia/gpus", "*") or _matches(root, "dev", "nvidia[0-9]*")
    found = [_at(path, root, "NVIDIA") for path in cards]
    for path in _matches(root, "dev/dri", "renderD*"):
        maker = _MAKERS.get(_read(root / "sys/class/drm" / path.name / "device/vendor"))
        if maker:
            found.append(_at(path, root, maker))
    return found or _by_pci(root)


def gpu_advice(gpus: Sequence[str], root: Path = Path("/")) -> list[str]:
    """What to tell a user with these GPUs while the CPU draws; nothing without a GPU.

    Args:
        gpus: as `find_gpus` returns them.
        root: of the file system that drivers are looked for in.
    """
    if not gpus:
        return []
    lines = [
        f"WARNING: a GPU is here ({', '.join(gpus)}), but the CPU draws, which may take many "
        "times as long:"
    ]
    if any("NVIDIA" in gpu for gpu in gpus):
        lines += _nvidia_advice(root)
    else:
        lines.append("  install the driver's EGL: apt-get install libegl1 libgl1-mesa-dri")
    if any("renderD" in gpu for gpu in gpus):
        lines.append("  let this user open /dev/dri/renderD*: usermod -aG render,video $USER")
    lines.append("  or choose another EGL device: open(..., device=0), then 1, 2, ...")
    return lines


def _nvidia_advice(root: Path) -> list[str]:
    lines = []
    if not any(_matches(root, folder, "libEGL_nvidia.so*") for folder in _LIBRARIES):
        lines.append(
            "  libEGL_nvidia.so is missing: install libnvidia-gl-<driver's version>, or in a "
            "container set NVIDIA_DRIVER_CAPABILITIES=all"
        )
    vendors = [path for folder in _VENDORS for path in _matches(root, folder, "*nvidia*.json")]
    if not vendors:
        lines.append(
            f"  /{_VENDORS[0]}/10_nvidia.json is missing: write into it "
            '{"file_format_version": "1.0.0", "ICD": {"library_path": "libEGL_nvidia.so.0"}}'
        )
    else:
        lines.append(
            "  let EGL take it alone: "
            f"export __EGL_VENDOR_LIBRARY_FILENAMES=/{vendors[0].relative_to(root)}"
        )
    return lines


def _by_pci(root: Path) -> list[str]:
    """Display controllers on the bus that no driver serves."""
    found = []
    for path in _matches(root, "sys/bus/pci/devices", "*"):
        maker = _MAKERS.get(_read(path / "vendor"))
        if maker and _read(path / "class").startswith(_DISPLAY):
            found.append(f"{_at(path, root, maker)} without a driver")
    return found


def _matches(root: Path, folder: str, pattern: str) -> list[Path]:
    try:
        return sorted((root / folder).glob(pattern))
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _at(path: Path, root: Path, maker: str) -> str:
    return f"{maker} /{path.relative_to(root)}"
