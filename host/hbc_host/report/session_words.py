"""Words for what was prepared and what happened in a session."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hbc_host.i18n import mark
from hbc_host.report.language import NONE, Language

if TYPE_CHECKING:
    from hbc_host.clinic.visit import Visit, VisitSite

ALARM_WORD = {
    "slow": mark("slow heart"),
    "fast": mark("fast heart"),
    "pause": mark("pause of the heart"),
}
PROBLEM_WORD = {
    "no_box": mark("no connection to the box"),
    "no_triggers": mark("no triggers"),
    "wrong_train_length": mark("train of another length"),
    "missing_pulses": mark("missing pulses"),
    "missing_edges": mark("lost triggers"),
    "extra_pulses": mark("pulses too many"),
    "extra_trains": mark("trains too many"),
    "missed_train": mark("a train was missed"),
    "early_train": mark("train before rest was over"),
    "wrong_order": mark("sites in another order"),
    "wrong_intensity": mark("another intensity than planned"),
    "over_cap": mark("over a cap of the clinic"),
    "heart_not_visible": mark("heart not visible"),
    "lead_off": mark("electrode off"),
    "disk": mark("little space on the disk"),
    "disk_unknown": mark("the disk's free space could not be seen"),
    "unsigned_protocol": mark("protocol not signed"),
    "box_restarted": mark("the box started anew"),
}
EVENT_WORD = {
    "headache": mark("headache"),
    "scalp pain": mark("pain of scalp or face"),
    "nausea": mark("nausea"),
    "dizziness": mark("dizziness"),
    "tingling": mark("tingling"),
    "twitching": mark("twitching"),
    "hearing change": mark("hearing change"),
    "psychotic symptoms": mark("psychotic symptoms"),
    "seizure": mark("seizure"),
    "syncope": mark("syncope"),
    "other": mark("other"),
}
SEVERITY_WORD = {"mild": mark("mild"), "moderate": mark("moderate"), "severe": mark("severe")}
TOPIC_WORD = {
    "cochlear_implant": mark("cochlear implant"),
    "brain_or_nerve_stimulator": mark("brain or nerve stimulator"),
    "pacemaker": mark("pacemaker or ICD"),
    "medication_pump": mark("medication pump"),
    "metal_in_head": mark("metal in the head"),
    "seizure_risk": mark("raised risk of a seizure"),
    "recent_stroke": mark("recent stroke"),
    "pregnancy": mark("pregnancy"),
    "syncope": mark("fainted before"),
    "arrhythmia": mark("arrhythmia"),
    "beta_blocker": mark("beta-blocker"),
    "slow_heart": mark("heart rate at rest below 50"),
    "crisis": mark("crisis"),
    "hearing_loss": mark("hearing loss"),
    "psychosis": mark("psychosis"),
}
STATE_WORD = {
    "new_since_screening": mark("screening answers changed"),
    "medication_changed": mark("medication changed"),
    "sedatives": mark("sedative"),
    "benzodiazepine": mark("benzodiazepine"),
    "alcohol": mark("alcohol"),
    "caffeine": mark("caffeine"),
    "ear_protection": mark("ear protection"),
}
RULE_WORD = {
    "5 cm": mark("5 cm rule"),
    "Beam F3": mark("Beam F3"),
    "10-20": mark("10-20 system"),
    "neuronavigated": mark("neuronavigated"),
    "other": mark("other"),
}
SIDE_WORD = {"left": mark("left"), "right": mark("right"), "midline": mark("midline")}
MEASURE_WORD = {
    "head_cm": mark("head circumference"),
    "tragus_cm": mark("tragus to tragus"),
    "nasion_inion_cm": mark("nasion to inion"),
    "x_cm": mark("along the circumference"),
    "y_cm": mark("from the vertex"),
    "anterior_cm": mark("forward"),
    "x_mm": "x",
    "y_mm": "y",
    "z_mm": "z",
    "coil_cortex_mm": mark("coil to cortex"),
    "efield_v_m": mark("electric field"),
    "angle_deg": mark("angle"),
}


def word(table: Mapping[str, str], name: str, lang: Language) -> str:
    """A name in the language of the report; one that no table knows stays as it is."""
    spoken = name.replace("_", " ")  # pages and logs say codes
    known = next((one for one in (name, spoken) if one in table), None)
    return spoken or NONE if known is None else lang.say(table[known])


def clock(seconds: float | None) -> str:
    """Minutes and seconds: ``12:05``."""
    if seconds is None or not math.isfinite(seconds):
        return NONE
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def visit_facts(visit: Visit, lang: Language) -> list[tuple[str, str]]:
    """People, treatment and motor threshold for page 1."""
    say = lang.say
    count = str(visit.visit_n)
    if visit.treatment_n is not None:
        count = lang.fill("{visit}, treatment {treatment}", visit=visit.visit_n, treatment=visit.treatment_n)
    facts = [(say("Visit"), count)]
    facts += [
        (say(label), name)
        for label, name in (
            (mark("Operator"), visit.operator),
            (mark("Supervisor"), visit.supervisor),
            (mark("Second person"), visit.second_person),
        )
        if name
    ]
    threshold = visit.motor_threshold
    text = say("not measured")
    if threshold is not None:
        how = ", ".join(part for part in (threshold.method, threshold.on.isoformat(), threshold.by) if part)
        text = f"{lang.short(threshold.mso_pct)} %MSO ({how})"
    return [*facts, (say("Motor threshold"), text)]


def signature(visit: Visit, lang: Language) -> str:
    """Who answers for the protocol; nobody has to for one that is for practice."""
    if visit.protocol.practice:
        return lang.say("none: practice")
    signed = visit.protocol.signature
    if signed is None:
        return lang.say("not signed")
    by = f"{signed.by}, {signed.on.isoformat()}"
    return by if visit.signature_state == "signed" else lang.fill("{by}; changed since", by=by)


def preparation_rows(visit: Visit, lang: Language) -> list[tuple[str, str]]:
    """Screening, state and sites, as rows of a table."""
    say = lang.say
    rows = [(say("Screening"), _screening(visit, lang)), (say("State of the patient"), _state(visit, lang))]
    if visit.pulses_before_n:
        rows.append((say("Pulses earlier that day"), lang.count(visit.pulses_before_n)))
    rows += [(lang.fill("Site {name}", name=site.name), _site(site, lang)) for site in visit.sites]
    if visit.approval:
        rows.append((say("Approval"), visit.approval))
    limits = say("none: practice") if visit.protocol.practice else visit.protocol.caps.source or say("none given")
    rows.append((say("Limits of the clinic"), limits))
    return rows


def _screening(visit: Visit, lang: Language) -> str:
    screening = visit.screening
    if screening is None:
        return lang.say("none: practice")
    parts = []
    if screening.stops:
        stops = lang.listing(word(TOPIC_WORD, topic, lang) for topic in screening.stops)
        parts.append(
            lang.fill(
                "stops: {stops}; overridden by {name}: {reason}",
                stops=stops,
                name=screening.override_by,
                reason=screening.override_reason,
            )
        )
    if screening.flags:
        flags = lang.listing(word(TOPIC_WORD, topic, lang) for topic in screening.flags)
        parts.append(lang.fill("to know: {flags}", flags=flags))
    found = "; ".join(parts) or lang.say("nothing found")
    return f"{screening.on.isoformat()}: {found}"


def _state(visit: Visit, lang: Language) -> str:
    state = visit.state
    answers = [
        f"{word(STATE_WORD, name, lang)} {lang.yes_no(answer)}"
        for name in STATE_WORD
        if (answer := getattr(state, name, None)) is not None
    ]
    if state.sleep_h is not None:
        answers.append(lang.fill("sleep {hours} h", hours=lang.short(state.sleep_h)))
    answers += [state.note] if state.note else []
    return "; ".join(answers) or lang.say("not asked")


def _site(site: VisitSite, lang: Language) -> str:
    from hbc_host.clinic.sites import MEASURES

    parts = [word(RULE_WORD, site.rule, lang)]
    parts += [word(SIDE_WORD, site.side, lang)] if site.side else []
    parts += [lang.say("control site")] if site.control else []
    for name, value in site.measures.items():
        unit = "°" if MEASURES[name] == "degrees" else f" {MEASURES[name]}"
        parts.append(f"{word(MEASURE_WORD, name, lang)} {lang.short(value)}{unit}")
    parts += [text for text in (site.space, site.source) if text]
    return ", ".join(parts)
