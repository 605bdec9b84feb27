# Runs on MicroPython: prints what the generator's programme.py makes of some programmes, for comparison with CPython.

import json
import sys

sys.path.insert(0, sys.argv[1])
from hbc_hil.generator.programme import ProgrammeError, complete, cut, train_pulses

for line in sys.stdin:
    programme = json.loads(line)
    try:
        full = complete(programme)
    except ProgrammeError as error:
        print(json.dumps({"error": str(error)}))
        continue
    pulses = train_pulses(full, 0)
    lists = [list(part) for part in cut(pulses, full["active_high"])]
    print(json.dumps({"pulses": [list(pulse) for pulse in pulses], "lists": lists}))
