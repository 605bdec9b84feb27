"""A number before a noun, in English: ``1 train``, ``2 trains``."""

from __future__ import annotations


def counted(n: int, one: str, many: str = "") -> str:
    """The number and the noun in the form that belongs to it.

    Parameters
    ----------
    n : int
    one, many : str
        The noun for one and for several, and what must agree with it; an s is added where ``many`` is empty.

    Examples
    --------
    >>> counted(1, "visit"), counted(0, "visit"), counted(2, "entry", "entries")
    ('1 visit', '0 visits', '2 entries')
    """
    return f"{n} {one if n == 1 else many or one + 's'}"
