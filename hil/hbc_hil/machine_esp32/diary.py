# SPDX-License-Identifier: Apache-2.0
"""What happened in a boot, a JSON value a line in a file beside the report, which the rig reads at the end.

Kept in lists, small objects of an hour lie scattered over the whole heap, and the next large one finds no room.
"""

import json

from chip import chip


class Diary:
    def __init__(self, name):
        self._file = open(chip.config["report"] + "." + name, "w")

    def add(self, value):
        json.dump(value, self._file)
        self._file.write("\n")
