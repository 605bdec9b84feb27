"""Descriptions of columns and files in a BIDS data set."""

from __future__ import annotations

from typing import Any

Words = dict[str, dict[str, Any]]

README = """Heart-brain coupling during TMS
===============================

One-lead ECG, R-peaks and TMS trigger edges of one box with one clock, exported by hbc-box.

Times are seconds from the first place of the sampling grid, which is StartTime 0 of the physio file. The box takes
samples on an even grid, each a little late; the largest distance between a sample's true instant and its place is
sample_instant_error_max_us in the Provenance of each physio.json, and is below one sample. Onsets of events are the
box's own times: R-peaks to a fraction of a sample, pulses to some microseconds.

Missing samples are n/a. Where a sample, a beat or a trigger may be missing, events.tsv has a BAD_gap.

The files under nibs/ follow a draft (NIBS-BIDS, BEP037) and may have to be changed when it is settled.

Participants are pseudonyms. Research use; not a medical device.
"""

PARTICIPANTS_COLUMNS: Words = {
    "participant_id": {"Description": "pseudonym; only the clinic can say who it is"},
    "practice": {
        "Description": "sessions that are nobody's measurement: a simulated box, or nobody was stimulated; the "
        "TaskDescription of each such session says so",
        "Levels": {"none": "no session", "some": "some sessions", "all": "every session"},
    },
}

PHYSIO_COLUMNS: Words = {
    "cardiac": {
        "Description": "ECG, one lead, at the electrodes, as the box sampled it; n/a where no sample exists",
        "Units": "mV",
    },
    "trigger": {"Description": "1 at the sample nearest to a TMS trigger edge; exact times are in events.tsv"},
    "blanked": {"Description": "1 where the R-peak detector did not look because of a TMS pulse"},
}

EVENTS_COLUMNS: Words = {
    "trial_type": {
        "LongName": "Kind of event",
        "Description": "what happened",
        "Levels": {
            "beat": "R-peak found by the box",
            "pulse": "TMS trigger edge",
            "train": "pulse train, from its first to its last pulse",
            "BAD_gap": "samples, beats or triggers may be missing",
        },
    },
    "site": {"Description": "planned coil position of the train"},
    "intensity_pct": {"Description": "planned stimulator output", "Units": "%"},
    "quality": {"Description": "how far to trust a beat, 0 to 255; below 128 is doubtful"},
    "nibs_event_id": {"Description": "row of the stimulation table (NIBS-BIDS draft)"},
    "nibs_position_id": {"Description": "coil position (NIBS-BIDS draft); coordinates were not recorded"},
}

NIBS_DRAFT: dict[str, Any] = {
    "NIBSBIDSDraftVersion": "BEP037 proposal v6.3",
    "NIBSDescription": "TMS during an ECG; each pulse has its own onset in the events file. Coil, waveform and pulse "
    "width were not recorded.",
    "ConcurrentModalities": ["physio"],
}

NIBS_COLUMNS: Words = {
    "nibs_event_id": {"LongName": "Stimulation event type", "Description": "linked from nibs_event_id of events.tsv"},
    "nibs_type": {"LongName": "Stimulation modality", "Levels": {"TMS": "Transcranial magnetic stimulation"}},
    "stimulus_intensity": {
        "LongName": "Stimulus intensity",
        "Description": "planned; n/a when the plan names none",
        "Units": "% Maximum Stimulator Output",
    },
}
