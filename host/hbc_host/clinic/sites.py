"""Coil positions: the rule by which one is found, and what was measured for it.

Beam F3 (Beam 2009, doi 10.1016/j.brs.2008.09.006) places the 10-20 position F3 from three measures of the head. The
equations printed there do not give what the authors' own calculator gives. Clinics and studies use the calculator, and
so does this module: docs/decisions/0016-beam-f3-as-the-calculator.md.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from hbc_host.clinic.protocol_file import Table
from hbc_host.errors import InputError

Rule = Literal["5 cm", "Beam F3", "10-20", "neuronavigated", "other"]
Side = Literal["left", "right", "midline", ""]
RULES: tuple[Rule, ...] = ("5 cm", "Beam F3", "10-20", "neuronavigated", "other")
SIDES: tuple[Side, ...] = ("left", "right", "midline", "")

#: What an adult head measures, centimetres: outside of it somebody typed millimetres or another number.
PLAUSIBLE_CM = {"head_cm": (45.0, 70.0), "tragus_cm": (25.0, 50.0), "nasion_inion_cm": (25.0, 50.0)}
SKULL_MEASURES = tuple(PLAUSIBLE_CM)
#: Unit and meaning of what may be measured beside the skull.
MEASURES = {
    **dict.fromkeys(SKULL_MEASURES, "cm"), "x_cm": "cm", "y_cm": "cm", "anterior_cm": "cm", "x_mm": "mm", "y_mm": "mm",
    "z_mm": "mm", "coil_cortex_mm": "mm", "efield_v_m": "V/m", "angle_deg": "degrees",
}  # fmt: skip
_BY_NAME = re.compile(
    r"(?:5 ?cm|b(?:eam)?[ _-]?f(?P<f>[34])|(?P<eeg>(?:fp|af|ft|fc|tp|cp|po|[ftcpo])(?:z|\d{1,2})))[ _-]?(?P<side>[lr])?"
)


class VisitSite(Table):
    """One coil position and how it is found.

    Attributes
    ----------
    name : str
        As in the protocol and in the recording.
    rule, side : str
        One of :data:`RULES` and of :data:`SIDES`; side is empty when nobody said.
    control : bool
        The control site of the protocol.
    measures : dict of str to float
        Names are those of :data:`MEASURES` and carry their unit.
    space, source : str
        Of neuronavigated coordinates, such as ``MNI152`` and ``fMRI, sgACC anticorrelation``.
    """

    name: Annotated[str, Field(min_length=1, max_length=40)]
    rule: Rule
    side: Side = ""
    control: bool = False
    measures: dict[str, float] = {}  # noqa: RUF012 - pydantic copies it
    space: Annotated[str, Field(max_length=80)] = ""
    source: Annotated[str, Field(max_length=200)] = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        unknown = sorted(set(self.measures) - set(MEASURES))
        if unknown:
            raise ValueError(f"site {self.name}: {', '.join(unknown)} is no measure; use {', '.join(MEASURES)}")
        missing = [name for name in ("x_mm", "y_mm", "z_mm") if name not in self.measures]
        missing += [name for name in ("space", "source") if not getattr(self, name)]
        if self.rule == "neuronavigated" and missing:
            raise ValueError(f"site {self.name} is neuronavigated: {', '.join(missing)} must be given")
        return self


class BeamF3(NamedTuple):
    """Where Beam F3 lies, centimetres: along the circumference from the midline in front, and from the vertex."""

    x_cm: float
    y_cm: float


def beam_f3(head_cm: float, tragus_cm: float, nasion_inion_cm: float) -> BeamF3:
    """Distances of Beam F3 (or, mirrored, F4).

    Parameters
    ----------
    head_cm : float
        Circumference of the head.
    tragus_cm, nasion_inion_cm : float
        Over the vertex, from tragus to tragus and from nasion to inion.

    Returns
    -------
    BeamF3
        Walk ``x_cm`` along the circumference from the midline in front, mark, and go ``y_cm`` from the vertex to there.

    Raises
    ------
    InputError
        A measure is not that of an adult head in centimetres.

    Examples
    --------
    >>> place = beam_f3(57.0, 36.0, 36.0)
    >>> f"{place.x_cm:.2f} {place.y_cm:.2f}"
    '6.59 9.50'
    """
    given = dict(zip(SKULL_MEASURES, (head_cm, tragus_cm, nasion_inion_cm), strict=True))
    for name, value in given.items():
        low, high = PLAUSIBLE_CM[name]
        if not low <= value <= high:
            raise InputError(f"{name} {value:g} is outside {low:g} to {high:g} cm; measure again, in centimetres")
    # A flat map of the head around the vertex: 40 % of each arc reaches the ring of the 10-20 system. F3 lies where the
    # line from Fz to F7 meets the line from C3 to Fp1; slopes and 0.91 are the calculator's, not exact geometry.
    across_cm, along_cm = 0.4 * tragus_cm, 0.4 * nasion_inion_cm
    f7, fp1 = math.radians(324.0), math.radians(298.0)
    slope_f7 = (across_cm * math.sin(f7) + along_cm / 2.0) / across_cm
    slope_fp1 = along_cm * math.sin(fp1) / (along_cm * math.cos(fp1) - across_cm / 2.0)
    aside_cm = (along_cm - across_cm * slope_fp1) / (2.0 * (slope_f7 - slope_fp1))
    ahead_cm = slope_f7 * aside_cm - along_cm / 2.0
    from_midline_deg = 90.0 + math.degrees(math.atan(ahead_cm / aside_cm))
    return BeamF3(head_cm * from_midline_deg / 360.0, 0.91 * math.hypot(aside_cm, ahead_cm))


def site_from_name(name: str) -> VisitSite:
    """What a name says by itself: ``5CM-L``, ``BF3-L``, ``beamF4``, ``F3``, ``Cz``; any other is ``other``."""
    found = _BY_NAME.fullmatch(name.strip().lower())
    if found is None:
        return VisitSite(name=name, rule="other")
    side = {"l": "left", "r": "right"}.get(found["side"] or "", "")
    if found["f"] or found["eeg"]:
        side = side or _side_of((found["eeg"] or f"f{found['f']}")[-1])
        rule = "Beam F3" if found["f"] else "10-20"
        return VisitSite.model_validate({"name": name, "rule": rule, "side": side})
    return VisitSite.model_validate({"name": name, "rule": "5 cm", "side": side, "measures": {"anterior_cm": 5.0}})


def _side_of(last: str) -> Side:
    # 10-20: odd numbers are left, even ones right, z is the midline.
    return "midline" if last == "z" else "left" if int(last) % 2 else "right"


def with_skull(site: VisitSite, head_cm: float, tragus_cm: float, nasion_inion_cm: float) -> VisitSite:
    """A Beam F3 site with the skull's measures and the place that follows from them; raises InputError."""
    place = beam_f3(head_cm, tragus_cm, nasion_inion_cm)
    known = {"head_cm": head_cm, "tragus_cm": tragus_cm, "nasion_inion_cm": nasion_inion_cm}
    placed = {"x_cm": round(place.x_cm, 2), "y_cm": round(place.y_cm, 2)}
    return site.model_copy(update={"measures": {**site.measures, **known, **placed}})


def how_to_find(site: VisitSite) -> str:
    """One line for whoever places the coil."""
    side, measures = site.side or "side not said", site.measures
    if site.rule == "Beam F3" and {"x_cm", "y_cm"} <= set(measures):
        return (
            f"{side}: {measures['x_cm']:.1f} cm along the circumference from the midline in front, mark; "
            f"{measures['y_cm']:.1f} cm from the vertex to that mark"
        )
    if site.rule == "5 cm":
        return f"{side}: {measures.get('anterior_cm', 5.0):g} cm in front of where the thumb twitches, along the skull"
    if site.rule == "neuronavigated":
        place = ", ".join(f"{measures[name]:g}" for name in ("x_mm", "y_mm", "z_mm"))
        return f"{side}: navigate to {place} mm ({site.space}; {site.source})"
    return f"{side}: {site.rule}"
