"""The oracle's first seconds: candidates that are judged together when the learning time is over."""

from dataclasses import dataclass

from oracle_signal import Bands, IntArray, Locator, Peak, Plan, Size, next_top


@dataclass(frozen=True)
class Candidate:
    step: int
    size: Size
    peak: Peak


def lone_giant(seen: list[Candidate]) -> tuple[bool, Size]:
    """Is the largest more than eight times the next; and the size to start from, that of the next if so."""
    ranked = [*sorted((candidate.size for candidate in seen), key=lambda size: -size[0]), (0, 0), (0, 0)]
    alone = 0 < ranked[1][0] < ranked[0][0] >> 3
    return alone, ranked[1 if alone else 0]


def learning(energy: IntArray, bands: Bands, locate: Locator, plan: Plan) -> tuple[list[Candidate], int, int]:
    """Candidates of the first 2 s, 3.5 s when one is a lone giant; where to look on, and the step of the judgement."""
    seen, start, end, longer = list[Candidate](), 0, 2 * plan.step_hz - 1, 3 * plan.step_hz >> 1
    while len(seen) < 16:
        top = next_top(energy, start, plan.hold)
        if top is not None and top + plan.hold <= end:
            start = top + plan.hold + 1
            if bands.coarse[top] >= plan.floor:
                seen.append(Candidate(top, bands.size(top), locate(top)))
        elif longer and lone_giant(seen)[0]:
            end, longer = end + longer, 0
        else:
            return seen, start, end
    return seen, start, start - 1
