"""Seeded random numbers that do not depend on who asks first.

Every draw of the simulated world is a function of (seed, stream name, index). Rendering the same second twice, in
other chunks or in another order, therefore gives the same bytes.
"""

from __future__ import annotations

import hashlib

import numpy as np


def draws(seed: int, stream: str, index: int = 0) -> np.random.Generator:
    """Return the generator of one cell of a random stream.

    Parameters
    ----------
    seed : int
        Seed of the scenario, any size and sign.
    stream : str
        Name of the stream; streams of different names are independent.
    index : int
        Cell of the stream (a train, a pulse, a block of samples), ``0 <= index < 2**64``. Each cell holds 2**192
        numbers, so cells never overlap.

    Returns
    -------
    numpy.random.Generator
        Philox 4x64 keyed by (seed, stream), its counter set by `index`; Salmon 2011, doi 10.1145/2063384.2063405.

    Raises
    ------
    ValueError
        If `index` is negative or does not fit 64 bits.
    """
    if not 0 <= index < 1 << 64:
        raise ValueError(f"draw index {index} is outside 0..2^64-1")
    digest = hashlib.blake2b(f"{seed}/{stream}".encode(), digest_size=16).digest()
    key = np.frombuffer(digest, dtype="<u8").astype(np.uint64)
    counter = np.array([0, 0, 0, index], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
