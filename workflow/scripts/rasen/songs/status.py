"""Where a corpus stands, from its ledgers: songs done per stage and hour, rejections, bytes."""

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rasen.io import parquet
from rasen.songs import layout

KINDS = {  # of files, by the first part of their names; all others are "words and sections"
    "vocals": "stems", "accompaniment": "stems", "latents": "latents", "sketch": "sketch",
    "fingerprint": "fingerprints",
}  # fmt: skip
OTHERS = "words and sections"


@dataclass(frozen=True)
class CorpusStatus:
    """stages: DataFrame [stage, done, ok, out, left, songs_per_hour, hours_left]
    reasons: DataFrame [stage, reason, songs];  sizes: DataFrame [kind, gb]
    """

    stages: pd.DataFrame
    reasons: pd.DataFrame
    sizes: pd.DataFrame


def corpus_status(results: Path | str, songs: int, batch: int) -> CorpusStatus:
    """The status of a corpus of `songs` songs, `batch` per batch; a run may be going on.

    done: songs that reached the stage;  left: those of batches that it has not finished
    A batch counts when its ledger is written. songs_per_hour is taken from the times of the
    ledgers, from the first to the last, so that a pause of the run counts; NaN below two ledgers.
    """
    stages, reasons, sizes = [], [], Counter[str]()
    batches = -(-songs // batch)
    for stage in layout.STAGES:
        written, covered = [], 0
        for number, path in enumerate(layout.ledgers(results, stage, batches)):
            if path.exists():
                written.append((path, os.stat(path).st_mtime))
                covered += min(batch, songs - number * batch)
        rows = pd.DataFrame(columns=["outcome", "reason", "files"])
        if written:
            rows = parquet.read_tables([path for path, _ in written], [*rows])
        out = rows[rows["outcome"] == "out"]
        reasons += [(stage, reason, n) for reason, n in out["reason"].value_counts().items()]
        for files in rows["files"]:
            for name, size in json.loads(files or "{}").items():
                sizes[KINDS.get(name.split(".")[0], OTHERS)] += size
        hours = (max(t for _, t in written) - min(t for _, t in written)) / 3600 if written else 0
        # The first ledger's songs were done before the time that is measured.
        since = covered * (1 - 1 / len(written)) if written else 0
        rate = since / hours if hours > 0 else float("nan")
        left = songs - covered
        counts = len(rows), len(rows) - len(out), len(out), left
        stages.append((stage, *counts, rate, left / rate if left else 0))
    thinned = [path for path in layout.ledgers(results, "thin_stems", batches) if path.exists()]
    if thinned:
        rows = parquet.read_tables(thinned)
        sizes["stems"] += int(rows["after"].sum() - rows["before"].sum())
    shards = [path for path in layout.shards(results, batches) if path.exists()]
    sizes["shards"] = sum(os.stat(path).st_size for path in shards)
    names = ["stage", "done", "ok", "out", "left", "songs_per_hour", "hours_left"]
    return CorpusStatus(
        pd.DataFrame(stages, columns=names),
        pd.DataFrame(reasons, columns=["stage", "reason", "songs"]),
        pd.DataFrame(
            [(kind, size / 1e9) for kind, size in sizes.most_common()], columns=["kind", "gb"]
        ),
    )


def as_text(status: CorpusStatus) -> str:
    """The three tables as text; times that nobody can know yet as `-`."""
    shown = status.stages.assign(
        songs_per_hour=[f"{rate:,.0f}" if rate == rate else "-" for rate in
                        status.stages["songs_per_hour"]],
        hours_left=[f"{hours:.1f}" if hours == hours else "-" for hours in
                    status.stages["hours_left"]],
    )  # fmt: skip
    parts = [shown.to_string(index=False)]
    if len(status.reasons):
        parts.append(status.reasons.to_string(index=False))
    parts.append(status.sizes.to_string(index=False, float_format="%.2f"))
    return "\n\n".join(parts)
