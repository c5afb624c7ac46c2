"""Recordings: samples on disk as tar shards in WebDataset's layout, and their replay."""

from heliograph.record.manifest import Failure
from heliograph.record.recorder import record
from heliograph.record.recording import Recording

__all__ = ["Failure", "Recording", "record"]
