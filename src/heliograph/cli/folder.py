"""A folder that is either whole or not there."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from heliograph.codec import META, encode
from heliograph.disk import write_file
from heliograph.errors import RecordError
from heliograph.frame import Sample
from heliograph.picture import contact_sheet

SHEET = "contact_sheet.png"
ON_SHEET = 8


def check_free(out: Path, *, overwrite: bool) -> None:
    """Check that a folder may be written: absent, empty, or one of ours that may be replaced.

    Raises:
        RecordError: it is something else.
    """
    if not is_there(out):
        return
    if not out.is_dir():
        raise RecordError(f"--out: {out}: is a file; give a folder")
    if not any(out.iterdir()):
        return
    if not overwrite:
        raise RecordError(f"--out: {out}: is not empty; give another folder, or --overwrite")
    if not (out / SHEET).is_file():
        raise RecordError(
            f"--out: {out}: holds files but no {SHEET}, so it was not written by this command and "
            "is left alone; give another folder"
        )


def is_there(path: Path) -> bool:
    """Whether there is something in the place of `--out`, or in it.

    Raises:
        RecordError: no folder can be there.
    """
    try:
        return path.exists()
    except OSError as error:  # a name that is too long, or a folder that is not ours to enter
        raise _cannot_use(path, error) from None


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out`, which takes its place where the block ends well.

    Raises:
        RecordError: it cannot be made or moved.
    """
    parents = out.absolute().parents
    missing = [parent for parent in parents if not parent.exists()]  # the deepest first
    try:
        work = _temporary(out)
        try:
            yield work
            _swap(work, out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    finally:
        for parent in missing:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


def save_sample(sample: Sample, folder: Path, stem: str) -> None:
    """Write every pass of every camera, and a JSON file that says what they are.

    Names read `<stem>_<camera>_<pass>`; the JSON, `<stem>.json`, comes last.

    Raises:
        RecordError: something cannot be written.
    """
    for name, data in encode(sample, f"{stem}_{{camera}}_{{kind}}").items():
        path = folder / (f"{stem}.json" if name == META else name)
        write_file(path, data, settle=False)


def save_sheet(samples: Sequence[Sample], folder: Path) -> None:
    """Write the contact sheet of these samples.

    Raises:
        RecordError: it cannot be written.
    """
    stream = io.BytesIO()
    contact_sheet(samples).save(stream, "PNG")
    write_file(folder / SHEET, stream.getvalue(), settle=False)


def _cannot_use(out: Path, error: OSError) -> RecordError:
    return RecordError(f"--out: {out}: cannot be used ({error.strerror}); give another folder")


def _temporary(out: Path) -> Path:
    parent = out.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=parent))
        work.chmod(0o755)
    except OSError as error:
        raise _cannot_use(out, error) from None
    return work


def _swap(work: Path, out: Path) -> None:
    """Put `work` in the place of `out`; what was there goes last."""
    old = work.with_name(f"{work.name}.old")
    try:
        if out.exists():
            out.rename(old)
        work.rename(out)
    except OSError as error:
        if old.exists() and not out.exists():
            old.rename(out)
        raise RecordError(f"--out: {out}: cannot be replaced ({error.strerror})") from None
    shutil.rmtree(old, ignore_errors=True)
