"""What can go wrong in a run, apart from a wrong setting, which is a ``ValueError``."""

from __future__ import annotations


class TrainingError(Exception):
    """Training cannot begin or go on; the message says what to do."""


class CheckpointError(Exception):
    """A checkpoint cannot be written, is damaged, or does not fit; the message says which."""
