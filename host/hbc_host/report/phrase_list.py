"""The sentences of the analysis, the recording and the alarms as templates, as :mod:`hbc_host.report.phrases` says."""

from __future__ import annotations

from hbc_host.i18n import mark, mark_plural

PHRASES = (
    # Why a run cannot be used (hbc_host/design.py).
    mark("{left} of {all} trains have enough measured beats, {needed} are needed"),
    mark("{found} measured beats in the run, {needed} are needed"),
    mark("{share} % of the run is excluded, at most {limit} % may be"),
    mark("mean heart rate of {rate} bpm is outside {low} to {high} bpm; check the detected beats"),
    # What else may have slowed the heart (hbc_host/doubts.py).
    mark(
        "a steady rhythm of {waves} waves a cycle ({rate} Hz) explains the heart rate {times} times better than a "
        "response: breathing or speech in step with the trains looks like this. Repeat with quiet, free breathing, "
        "and record breathing"
    ),
    mark(
        "a rise of heart rate after each train explains the run {times} times better than a fall after its onset: a "
        "word or a movement after each train does this. Repeat in silence, with a silent rating"
    ),
    mark(
        "of the breathing rhythm at rest {left} % is left in the run ({slower} % of slower rhythms): breathing may "
        "follow the trains, and then slows the heart in step with them. Repeat with free breathing, and record "
        "breathing"
    ),
    # What to mind beside a result (hbc_host/reasons.py).
    mark(
        "the heart rate follows the cycle (p = {p}), but without exact onsets slowing cannot be told from speeding; "
        "record the trigger"
    ),
    mark("no change with the cycle is shown (p = {p}, limit {limit})"),
    mark("the heart speeds up with the trains (p = {p}), which is not coupling"),
    mark("p = {p} is not below {limit}"),
    mark("{left} of {all} trains left out for lack of measured beats"),
    mark(
        "onsets known to +-{uncertainty} s only: every shift was tried and the p-value pays for it; the latency "
        "includes the shift"
    ),
    mark("the heart varied otherwise at rest than in the run, so rest has not been used; record it just before"),
    # Thresholds (hbc_host/threshold.py, hbc_host/threshold_notes.py).
    mark("no slowing that follows the trains and their intensity is shown"),
    mark("the run as a whole is {verdict}"),
    mark(
        "the heart may slow from the lowest intensity on (probability {probability}): the threshold may lie below "
        "{lowest} %, or the slowing has another cause than the dose; start lower and add catch trains"
    ),
    mark(
        "the threshold may lie above the highest intensity, {highest} % (probability {probability}): no plateau is seen"
    ),
    mark(
        "the response is lost again at higher intensities (probability {probability}): more is not better here, and "
        "the threshold is that of the rise"
    ),
    mark(
        "intensity goes with time (rank correlation {correlation}): habituation, arousal or drift can look like dose; "
        "give the steps in random order"
    ),
    mark(
        "the heart slows after catch trains too (by {fall} bpm, standard error {error}): something else than the dose "
        "follows the cycle, such as breathing or sound"
    ),
    mark("give {advised} trains a step (now {now})"),
    mark("repeat the run, with more than {now} trains a step"),
    mark("the 95 % interval spans {width} steps, at most {limit} may be; {advice}"),
    mark("the tested intensities may not enclose the threshold"),
    mark("a response without stimulation is none to a dose"),
    # Runs and their plan (hbc_host/runs.py).
    mark("last {train} s"),
    mark("come every {cycle} s"),
    mark("last {train} s and come every {cycle} s"),
    mark("{train} s every {cycle} s"),
    mark("trains {measured}, protocol {protocol} says {said}: wrong --protocol?"),
    mark("recorded as protocol {recorded}, analysed as {analysed}: wrong --protocol?"),
    mark_plural(
        "{n} run recorded, planned sites: {planned}; names are given in order of time",
        "{n} runs recorded, planned sites: {planned}; names are given in order of time",
    ),
    mark_plural(
        "{site}: {n} train recorded, planned intensities: {planned}; analysed without intensities",
        "{site}: {n} trains recorded, planned intensities: {planned}; analysed without intensities",
    ),
    # Guided sessions (hbc_host/guided.py).
    mark_plural("{site}: {n} train recorded, {planned} planned", "{site}: {n} trains recorded, {planned} planned"),
    mark_plural(
        "{site}: {n} group of pulses too small for a train left out (pulses in all: {pulses})",
        "{site}: {n} groups of pulses too small for a train left out (pulses in all: {pulses})",
    ),
    mark_plural(
        "{site}: {n} train had another number of pulses than planned",
        "{site}: {n} trains had another number of pulses than planned",
    ),
    mark_plural(
        "{site}: the operator noted another intensity at {n} train; it is used",
        "{site}: the operator noted another intensity at {n} trains; it is used",
    ),
    mark("the course of treatment is not shown: {fault}"),
    # The recording (hbc_host/session.py, hbc_host/stream.py).
    mark("is missing"),
    mark("cannot be read ({fault})"),
    mark("{file} {why}: title, protocol and sites are unknown"),
    mark("{file} has format {found}, this program knows {known}: check title and sites"),
    mark("the last chunk of the log is incomplete: the recording was cut off"),
    mark_plural(
        "{n} damaged place in the log; what could be read there is used, and of {all} frames of the recording {lost} "
        "are missing",
        "{n} damaged places in the log; what could be read there is used, and of {all} frames of the recording {lost} "
        "are missing",
    ),
    mark("the box came back with another wire version; what it sent from then on is left out"),
    mark_plural(
        "the box restarted {n} time; boot {used} of {all} is used, which holds {share} % of the frames",
        "the box restarted {n} times; boot {used} of {all} is used, which holds {share} % of the frames",
    ),
    mark("left out with the other starts of the box: trains {trains}, pulses {pulses}"),
    mark("times without connection: {times}, {away} s in all by the box's clock"),
    mark_plural("{n} frame arrived twice; repeats were dropped", "{n} frames arrived twice; repeats were dropped"),
    mark("the recording was interrupted and continued"),
    mark("the recording is still running, written by {who}: what follows is as of {time}"),
    # Files without a box (hbc_host/sources.py).
    mark("no trigger channel: train onsets are nominal, first at {first} s, then every {cycle} s"),
    mark("{nominal}; if the start was pressed by hand, add --start-uncertainty-s (for example {half})"),
    mark("{nominal}, known to +-{uncertainty} s"),
    mark("only ECG text needs it; the recording names its own rate or holds times"),
    mark("--rate-hz {rate} was ignored: {why}"),
    mark("recorded triggers tell when the trains start"),
    mark("--first-train-s {first} was ignored: {why}"),
    mark("--first-train-s {first} was ignored for {recording}: {why}"),
    mark_plural("{recording}: {n} trigger from {source}", "{recording}: {n} triggers from {source}"),
    # Alarms (hbc_host/alarms.py, hbc_host/alarm_watch.py).
    mark("the amplifier is saturated"),
    mark("an electrode is off"),
    mark("no data from the box for {silent} s"),
    mark("heart not visible ({why}): nobody watches the beats now, check electrodes and cable"),
    mark("heart rate {rate} bpm, upper limit {limit}: stop stimulating and look at the patient"),
    mark("heart rate {rate} bpm, limit {limit}: stop stimulating and look at the patient"),
    mark("heart rate fell from {before} to {rate} bpm, limit {limit} less: stop stimulating and look at the patient"),
    mark("no heart beat for {pause} s: stop stimulating and look at the patient"),
    mark("over: {alarm}"),
    mark("over: {alarm}, the box began anew"),
    mark("the alarm watch failed: {fault}"),
    mark("slow"),
    mark("fast"),
    mark("pause"),
    mark("not visible"),
)
