"""Errors of the simulated world: one line, what was wrong and what to do next."""

from __future__ import annotations


class ScenarioError(ValueError):
    """A scenario cannot be played as written."""


class RigError(RuntimeError):
    """The simulated box cannot run: no interpreter, a fault of the firmware (with what it printed), a broken world."""


class GeneratorError(RuntimeError):
    """The trigger generator does not answer, or cannot play what it was asked to."""


class EvidenceError(RuntimeError):
    """A recording holds nothing to judge."""
