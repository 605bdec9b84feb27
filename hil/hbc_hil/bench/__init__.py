"""The bench of ``hbc hil run``: scenarios and faults, a box against a known world or a generator, and the judgement."""
