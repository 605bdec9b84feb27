"""Recordings for other programs, and what other programs and devices give live: files, LSL, a heart-rate strap."""
