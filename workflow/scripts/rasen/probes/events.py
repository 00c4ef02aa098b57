"""Events in frames (beats, boundaries): picked from scores of frames, compared within a tolerance.

ASSUME: scores are near -1 without and 1 with an event, so their mean over a clip says how many
events to expect. That many are picked: the highest of the frames that are highest within a
tolerance on either side. Nothing is tuned, so nothing on test clips.
"""

import numpy as np

PHASES = 8  # of a metronome


def clip_scores(
    truth: np.ndarray, scores: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """F of every clip: (clip [clips], F [clips]).

    truth: records event, clip, time [frames];  scores: [frames]
    """
    clips, values = [], []
    for rows in _clips(truth):
        time, event = truth["time"][rows], truth["event"][rows]
        picked = peaks(scores[rows], time, tolerance)
        clips.append(truth["clip"][rows[0]])
        values.append(f_measure(np.sort(event[~np.isnan(event)]), picked, tolerance))
    return np.array(clips), np.array(values)


def peaks(scores: np.ndarray, time: np.ndarray, reach: float) -> np.ndarray:
    """Times of events: of frames highest within `reach` seconds, as many as are expected."""
    count = max(0, round(float((scores + 1).sum() / 2)))
    if len(scores) < 2 or np.ptp(scores) == 0:
        return np.empty(0)
    width = max(1, int(reach / np.median(np.diff(time)) + 1e-9))
    padded = np.pad(scores, width, constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * width + 1)
    earlier = windows[:, :width].max(axis=1)  # of equal ones, the first counts
    highest = np.flatnonzero((scores > earlier) & (scores >= windows[:, width:].max(axis=1)))
    chosen = highest[np.argsort(-scores[highest], kind="stable")[:count]]
    return np.sort(time[chosen])


def f_measure(truth: np.ndarray, found: np.ndarray, tolerance: float) -> float:
    """Harmonic mean of precision and recall of sorted times, each matched once at most.

    [mir_eval.beat.f_measure, mir_eval.segment.detection without trimming]; 0 where either is empty.
    Windows of one width are matched best in order, from the left.
    """
    if not len(truth) or not len(found):
        return 0.0
    i = j = hits = 0
    while i < len(truth) and j < len(found):
        gap = found[j] - truth[i]
        if abs(gap) <= tolerance + 1e-9:
            hits, i, j = hits + 1, i + 1, j + 1
        elif gap > 0:
            i += 1
        else:
            j += 1
    return 2 * hits / (len(truth) + len(found))


def metronome(truth: np.ndarray, tolerance: float) -> float:
    """Mean F of evenly spaced events at the mean rate of all clips, over phases: chance."""
    clips = [truth[rows] for rows in _clips(truth)]
    lengths = [np.ptp(clip["time"]) for clip in clips]
    count = sum((~np.isnan(clip["event"])).sum() for clip in clips)
    if not count or not sum(lengths):
        return 0.0
    step = sum(lengths) / count
    values = []
    for clip in clips:
        events = np.sort(clip["event"][~np.isnan(clip["event"])])
        first, last = clip["time"].min(), clip["time"].max()
        for phase in (np.arange(PHASES) + 0.5) / PHASES:
            ticks = np.arange(first + phase * step, last, step)
            values.append(f_measure(events, ticks, tolerance))
    return float(np.mean(values))


def _clips(truth):
    """The frames of each clip in order of time."""
    order = np.lexsort((truth["time"], truth["clip"]))
    ends = np.flatnonzero(np.diff(truth["clip"][order])) + 1
    return np.split(order, ends)
