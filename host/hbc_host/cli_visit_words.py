"""A visit in words: what was laid down, and how it went."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hbc_host.cli_common import command_line
from hbc_host.counting import counted

if TYPE_CHECKING:
    from hbc_host.clinic.visit import Visit
    from hbc_host.store.session_models import Visit as VisitRow

BEAM_NOTE = "Beam F3 as its authors' calculator gives it (doi 10.1016/j.brs.2008.09.006)"


def visit_words(visit: Visit) -> list[str]:
    """What was laid down, line by line."""
    from hbc_host.clinic.sites import how_to_find

    practice = ", practice: nobody is stimulated" if visit.practice else ""
    treatment = "" if visit.treatment_n is None else f", treatment {visit.treatment_n}"
    lines = [
        f"visit {visit.visit_n} of {visit.pseudonym}, {visit.created.astimezone():%Y-%m-%d %H:%M}{treatment}{practice}",
        f"protocol {visit.protocol.name}, {_signature(visit)}",
    ]
    people = {"operator": visit.operator, "supervisor": visit.supervisor, "second person": visit.second_person}
    if named := [f"{role} {name}" for role, name in people.items() if name]:  # practice needs nobody
        lines.append(", ".join(named))
    lines += _screening_words(visit) + _state_words(visit)
    if visit.motor_threshold is not None:
        mt = visit.motor_threshold
        lines.append(", ".join(filter(None, (f"motor threshold {mt.mso_pct:g} %MSO", mt.method, str(mt.on), mt.by))))
    for n, (site, run) in enumerate(zip(visit.sites, visit.plan.runs, strict=True)):
        intensities = [train.intensity_mso_pct for train in run.trains]
        span = f"{min(intensities):g}" + ("" if len(set(intensities)) == 1 else f" to {max(intensities):g}")
        control = ", control" if site.control else ""
        lines.append(f"{n + 1}. {site.name}{control}: {how_to_find(site)}; {span} %MSO, {run.pulses_n} pulses")
    if any("x_cm" in site.measures for site in visit.sites):
        lines.append(BEAM_NOTE)
    before = f", {visit.pulses_before_n} earlier today" if visit.pulses_before_n else ""
    minutes = visit.plan.duration_s / 60.0
    lines.append(f"{visit.plan.pulses_n} pulses{before}, {minutes:.0f} min without moving the coil; within the caps")
    return lines


def next_step(visit: Visit, store: str | None) -> list[str]:
    """What to type to run the session of a visit; ``store`` as it was given."""
    # A protocol for practice needs no signature; the clinic's own is practised with without one only by saying so.
    needs = visit.signature_state != "signed" and not visit.protocol.practice
    words = ["session", "run", f"{visit.pseudonym}/{visit.visit_n}", "--port", "PORT"]
    words += (["--unsigned"] if needs else []) + ([] if store is None else ["--store", store])
    lines = [f"next: {command_line(*words)}"]
    if visit.practice:
        lines.append("PORT is that of the simulated box, which hbc sim switches on in another terminal")
    return lines


def _signature(visit: Visit) -> str:
    signature = visit.protocol.signature
    if signature is None or visit.signature_state != "signed":
        return visit.signature_state
    return f"signed by {signature.by} on {signature.on}"


def _screening_words(visit: Visit) -> list[str]:
    screening = visit.screening
    if screening is None:
        return []
    age = (visit.created.date() - screening.on).days
    lines = [f"screening of {screening.on} ({'today' if age == 0 else counted(age, 'day') + ' ago'})"]
    if screening.flags:
        lines.append(f"FLAGS, the physician must know: {', '.join(screening.flags)}")
    if screening.stops:
        lines.append(
            f"STOPS overridden by {screening.override_by}: {', '.join(screening.stops)} ({screening.override_reason})"
        )
    return lines


def _state_words(visit: Visit) -> list[str]:
    state = visit.state
    names = ("medication_changed", "sedatives", "benzodiazepine", "alcohol", "caffeine")
    yes = [name.replace("_", " ") for name in names if getattr(state, name)]
    sleep = [] if state.sleep_h is None else [f"{state.sleep_h:g} h of sleep"]
    lines = [f"today: {', '.join([*yes, *sleep])}"] if yes or sleep else []
    if state.ear_protection is False:
        lines.append("EAR PROTECTION is not in place: put it on before the first pulse")
    return lines


def row_words(row: VisitRow) -> list[str]:
    """How it went, as the store has it."""
    from hbc_host.cli_patient_words import sites_line, status_words

    lines = [status_words(row) if row.ended_at is None else f"{row.status}, {row.ended_at.astimezone():%Y-%m-%d %H:%M}"]
    if row.box is not None:
        lines.append(f"box {row.box.unique_id}, {row.box.board}, firmware {row.box.firmware}")
    if row.pulses_delivered_n is not None:
        lines.append(f"{row.pulses_delivered_n} of {row.pulses_planned_n or 0} planned pulses delivered")
        for run in row.runs:
            given = ", ".join(
                f"{step.intensity_mso_pct:g} %MSO {step.trains_n or 0} of {step.trains_planned_n}" for step in run.steps
            )
            lines.append(f"  {run.site}: trains at {given}")
    lines += [f"rating at {rating.site}: {rating.value:g} of 10" for rating in row.ratings]
    lines += [f"adverse event: {event.kind}, {event.severity} {event.text}".rstrip() for event in row.events]
    for note, times_n in Counter(row.notes).items():
        lines.append(f"note: {note}" + (f" ({times_n} times)" if times_n > 1 else ""))
    if row.result:
        lines.append(f"result: {sites_line(row.result)}")
    return lines
