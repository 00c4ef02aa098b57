"""One page on a corpus that is being processed: stages, rejections, gigabytes."""

from pathlib import Path

import numpy as np
import pandas as pd

from rasen.figures.style import BLUE, ORANGE, SKY, foot, head, page, save

LEFT = "0.88"  # grey of what is still to do


def draw_status(
    stages: pd.DataFrame, reasons: pd.DataFrame, sizes: pd.DataFrame, path: Path | str
) -> None:
    """Songs done per stage with songs an hour and hours left; rejections by reason; GB by kind.

    stages, reasons, sizes: those of `songs.status.CorpusStatus`
    """
    figure, ((left, spare), (lower_left, lower_right)) = page(2, 2, height=5.0)
    spare.remove()
    left.set_subplotspec(left.get_gridspec()[0, :])  # the whole width
    place = np.arange(len(stages))[::-1]
    start = np.zeros(len(stages))
    for column, colour in (("ok", BLUE), ("out", ORANGE), ("left", LEFT)):
        left.barh(place, stages[column], left=start, color=colour, label=column)
        start += stages[column].to_numpy()
    left.set_yticks(place, stages["stage"])
    for height, row in zip(place, stages.itertuples(), strict=True):
        left.text(start.max() * 1.01, height, _pace(row), va="center")
    left.set(xlabel="songs", xlim=(0, 1.45 * max(start.max(), 1)))
    left.grid(visible=False, axis="y")
    left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    _bars(
        lower_left, reasons.groupby("reason")["songs"].sum().sort_values(), ORANGE, "rejected songs"
    )
    _bars(lower_right, sizes.set_index("kind")["gb"].sort_values(), SKY, "GB on disk")
    head(figure, "Songs: where the corpus stands")
    foot(figure, "ok: passed the stage; out: rejected by it; left: not reached it yet.")
    save(figure, path)


def _pace(row):
    """Songs an hour and hours left, as far as they are known."""
    if not row.left:
        return f"{row.done:,}, done"
    if np.isnan(row.songs_per_hour):
        return f"{row.done:,}"
    return f"{row.done:,}, {row.songs_per_hour:,.0f} an hour, {row.hours_left:.0f} h left"


def _bars(axis, values, colour, label):
    place = np.arange(len(values))
    axis.barh(place, values, color=colour)
    axis.set_yticks(place, values.index)
    for height, value in zip(place, values, strict=True):
        axis.text(value, height, f" {value:,.3g}", va="center")
    axis.set(xlabel=label)
    axis.margins(x=0.25)
    axis.grid(visible=False, axis="y")
    if values.empty:
        axis.text(0.5, 0.5, "none", transform=axis.transAxes, ha="center")
