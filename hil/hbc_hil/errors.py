"""Errors of the simulated world: one line, what was wrong and what to do next."""

from __future__ import annotations


class ScenarioError(ValueError):
    """A scenario cannot be played as written."""
