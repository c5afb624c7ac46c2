from pathlib import Path

import pytest

from heliograph import cli
from heliograph.cli.gpus import find_gpus, gpu_advice

PCI = "sys/bus/pci/devices/0000:01:00.0"
VENDOR = "usr/share/glvnd/egl_vendor.d/10_nvidia.json"
LIBRARY = "usr/lib/x86_64-linux-gnu/libEGL_nvidia.so.0"


def system(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


NVIDIA = {"proc/driver/nvidia/gpus/0000:01:00.0/information": "", "dev/nvidia0": ""}


def test_a_system_without_a_gpu_gets_no_advice(tmp_path: Path) -> None:
    virtual = {
        "dev/dri/renderD128": "",
        "sys/class/drm/renderD128/device/vendor": "0x1af4\n",
        f"{PCI}/vendor": "0x8086\n",
        f"{PCI}/class": "0x060000\n",
    }
    assert find_gpus(tmp_path / "absent") == []
    assert find_gpus(system(tmp_path, virtual)) == []
    assert gpu_advice([], tmp_path) == []


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (NVIDIA, ["NVIDIA /proc/driver/nvidia/gpus/0000:01:00.0"]),
        ({"dev/nvidia0": "", "dev/nvidiactl": ""}, ["NVIDIA /dev/nvidia0"]),
        (
            {"dev/dri/renderD128": "", "sys/class/drm/renderD128/device/vendor": "0x1002\n"},
            ["AMD /dev/dri/renderD128"],
        ),
        (
            {f"{PCI}/vendor": "0x10de\n", f"{PCI}/class": "0x030200\n"},
            [f"NVIDIA /{PCI} without a driver"],
        ),
    ],
)
def test_signs_of_a_gpu_are_found(tmp_path: Path, files: dict[str, str], found: list[str]) -> None:
    assert find_gpus(system(tmp_path, files)) == found


def test_advice_names_what_is_missing(tmp_path: Path) -> None:
    root = system(tmp_path, NVIDIA)
    gpus = find_gpus(root)
    text = "\n".join(gpu_advice(gpus, root))
    assert gpus[0] in text
    assert "libEGL_nvidia.so is missing" in text
    assert f"/{VENDOR} is missing" in text
    assert "device=" in text
    text = "\n".join(gpu_advice(gpus, system(root, {LIBRARY: "", VENDOR: "{}"})))
    assert "missing" not in text
    assert f"__EGL_VENDOR_LIBRARY_FILENAMES=/{VENDOR}" in text
    assert "usermod" in "\n".join(gpu_advice(["AMD /dev/dri/renderD128"], root))


def test_doctor_warns_where_the_cpu_draws_beside_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("heliograph.cli.doctor.find_gpus", lambda: ["NVIDIA /dev/nvidia0"])
    monkeypatch.setattr("heliograph.raster.gl.context.Context.software", True)
    with pytest.raises(SystemExit):
        cli.main(["doctor"])
    assert "WARNING: a GPU is here (NVIDIA /dev/nvidia0), but the CPU" in capsys.readouterr().out
