"""The controller: reads the box, records, computes heart-brain coupling, reports."""

__version__ = "0.1.0"
