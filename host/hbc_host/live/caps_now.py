"""What was given against the caps that the clinic signed, while it is given."""

from __future__ import annotations

from hbc_host.clinic.visit import Visit
from hbc_host.live.site_now import SiteNow


def over_pulse_caps(visit: Visit, pulses_n: int) -> list[str]:
    """Caps on the number of pulses that ``pulses_n`` of this session pass, in words."""
    caps, over = visit.protocol.caps, []
    if caps.pulses_a_session is not None and pulses_n > caps.pulses_a_session:
        over.append(f"more than {caps.pulses_a_session} pulses in this session, which the clinic allows")
    if caps.pulses_a_day is not None and pulses_n + visit.pulses_before_n > caps.pulses_a_day:
        over.append(f"more than {caps.pulses_a_day} pulses today, which the clinic allows")
    return over


def over_caps(visit: Visit, pulses_n: int, site: SiteNow | None) -> list[str]:
    """Each cap that has been passed, in words; none before it is.

    Parameters
    ----------
    visit : Visit
    pulses_n : int
        Pulses that the trigger has counted in this session.
    site : SiteNow
        The site under way, if any.
    """
    caps, over = visit.protocol.caps, over_pulse_caps(visit, pulses_n)
    if site is None:
        return over
    # From the first to the last pulse seen: a whole train lasts one interval longer, and would be found one pulse late.
    if caps.train_s is not None and any(train.end_s - train.onset_s > caps.train_s for train in site.trains[-2:]):
        over.append(f"a train longer than {caps.train_s:g} s, which the clinic allows")
    if caps.intensity_mso_pct is not None and any(pct > caps.intensity_mso_pct for pct in site.noted_pct.values()):
        over.append(f"stimulator above {caps.intensity_mso_pct:g} %MSO, which the clinic allows")
    return over
