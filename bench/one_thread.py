"""Imported before numpy, leaves it one thread, as the `ontoprompt` command does (`ontoprompt.cli.main` says why)."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
