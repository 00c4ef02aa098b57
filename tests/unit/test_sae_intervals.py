"""Labels of frames from a sheet of intervals."""

import numpy as np
import pandas as pd
import pytest

from rasen.errors import RasenError
from rasen.measure.features import label_by_intervals
from rasen.sae.features import tally
from rasen.sae.features.intervals import labels_of_frames, read_intervals

RATE = 10.0


def sheet(folder, *lines, header="clip\tstart\tend\tchord\tsection"):
    path = folder / "intervals.tsv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_a_frame_has_the_label_of_the_interval_that_holds_its_middle(tmp_path):
    path = sheet(
        tmp_path, "b\t0\t0.3\tG\t", "a\t0.1\t0.25\tC\tverse", "a\t0.25\t0.4\tF\t", "a\t.4\t9\t\tend"
    )
    intervals = read_intervals(path, ["a", "b", "c"])
    clip, frame = np.array([0] * 6 + [1] * 4 + [2]), np.array([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 0])
    table = labels_of_frames(intervals, clip, frame, RATE).astype(object)
    chords = table["chord"].where(table["chord"].notna(), "-")
    assert "".join(chords) == "-CFF--GGG--"  # the middle of frame 2 is 0.25, where F begins
    sections = table["section"].where(table["section"].notna(), "-")
    assert list(sections) == ["-", "verse", "-", "-", "end", "end", "-", "-", "-", "-", "-"]


def test_faults_of_a_sheet_are_told_at_once(tmp_path):
    path = sheet(tmp_path, "x\t0\t1\tC\t", "a\t2\t1\tC\t", "a\tzero\t1\tC\t")
    with pytest.raises(RasenError, match=r"(?s)line 2: no clip 'x'.*line 3: start.*line 4: start"):
        read_intervals(path, ["a"])
    path = sheet(tmp_path, "a\t0\t2\tC\tverse", "a\t1\t3\tG\t")
    with pytest.raises(RasenError, match="line 3: chord begins before the chord before it ends"):
        read_intervals(path, ["a"])
    path = sheet(tmp_path, "a\t0\t2", header="clip\tstart\tend")
    with pytest.raises(RasenError, match="it needs clip, start, end and one or more columns"):
        read_intervals(path, ["a"])


def test_planted_chords_are_named_and_slow_noise_is_not(tmp_path):
    """A feature of G, one that only follows its own slow course, and clips that nobody labelled."""
    rng = np.random.default_rng(0)
    clips, frames = 60, 80
    chords = rng.choice(list("CFGA"), (clips, 8))
    lines = [
        f"clip {clip}\t{i}\t{i + 1}\t{chords[clip, i]}\t" for clip in range(40) for i in range(8)
    ]
    intervals = read_intervals(sheet(tmp_path, *lines), [f"clip {i}" for i in range(clips)])
    is_g = np.repeat(chords == "G", 10, axis=1)
    is_g[40:] = rng.random((20, frames)) < 0.5  # what nobody labelled does not count
    slow = np.repeat(rng.random((clips, 8, 30)) < 0.3, 10, axis=1).reshape(-1, 30)
    x = np.column_stack([is_g.ravel(), slow]).astype(np.float32)
    counts = tally.tally_codes(
        [(slice(0, len(x)), np.tile(np.arange(31), (len(x), 1)), x)],
        31,
        np.repeat(np.arange(clips), frames),
    )
    table = label_by_intervals(counts, intervals, RATE, 0)
    assert table["label_frame"][0] == "chord G"
    assert table["confirmed_frame"][0]
    assert (table["label_frame"][1:] == "unlabelled").all()
    # one frame counts little: runs are exchanged as runs, so p stays uniform
    assert (table["p_frame"][1:] < 0.05).mean() < 0.2
    assert label_by_intervals(counts, intervals[intervals["clip"] < 3], RATE, 0) is None
    assert pd.api.types.is_bool_dtype(table["confirmed_frame"])
