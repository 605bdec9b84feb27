"""Putting a box into service: flash it, ask it, check it, set it, bring it back."""
