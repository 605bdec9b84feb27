"""Which wire of the world ends at which pin of the box (GPIO numbers of hbc_boards/esp32.py), as data."""

from __future__ import annotations

from hbc_hil.world import WIRE_LO_MINUS, WIRE_LO_PLUS, WIRE_TRIGGER

WORLD_TO_BOX = {WIRE_TRIGGER: 27, WIRE_LO_PLUS: 32, WIRE_LO_MINUS: 33}
ECG_TO_BOX_ADC = 34
