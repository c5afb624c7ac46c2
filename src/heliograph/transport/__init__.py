"""Bytes between processes: shared memory for the pictures, messages for all the rest."""
