"""The sections of a song: verse, chorus, bridge, intro, instrumental, outro.

    novelty   boundaries and letters from the audio alone; labels by voice and lyrics
    allin1    the All-In-One networks, in an environment of their own
    given     an annotation of the user

A structure is a DataFrame with columns start, end (seconds), label (one of `labels.FLAGS`),
backend and confidence (0 to 1; the backends say of what; 0 where a gap was filled), and covers
the song without gaps or overlaps.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.songs.alignment import is_instrumental, lead_lines
from rasen.songs.structure import functions, given, novelty
from rasen.songs.structure.labels import SUNG, Section

BACKENDS = ("novelty", "allin1", "given")


@dataclass(frozen=True)
class StructureSettings:
    """How sections are found; `songs.structure` of the config.

    model: folder of the checkpoints, of the backend `allin1` alone
    """

    backend: Literal["novelty", "allin1", "given"]
    model: str | None = None

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise RasenError(
                f"songs.structure.backend: '{self.backend}' is not one of {', '.join(BACKENDS)}"
            )
        if self.backend == "allin1" and not self.model:
            raise RasenError(
                "songs.structure.model: the backend allin1 needs one; give the folder of its "
                "checkpoints"
            )


def find_sections(
    backend: str,
    stems: Mapping[str, np.ndarray],
    rate: int,
    alignment: Mapping[str, Any] | None = None,
    annotation: Path | str | None = None,
    model: Any = None,
) -> pd.DataFrame:
    """The structure of one song.

    stems: {"vocals", "accompaniment"} or Demucs' four, float [channels, time] each
    alignment: of its lyrics (`songs.alignment`), where there is one
    annotation: a file (`given`);  model: of `allin1.open_model`
    """
    if alignment is not None and is_instrumental(alignment):
        lyrics = {**alignment, "lyrics": "given"}  # the backends label it like any song
        return _unsung(find_sections(backend, stems, rate, lyrics, annotation, model))
    vocals = stems["vocals"].mean(axis=0)
    seconds = len(vocals) / rate
    if backend == "given":
        if annotation is None:
            raise ValueError("the backend `given` needs an annotation")
        return _as_table(given.read_annotation(annotation, seconds), backend)
    if backend == "allin1":
        from rasen.songs.structure import allin1

        sections, beats = allin1.predict_sections(model, stems, rate)
        table = _as_table(given.fill_gaps(sections, seconds), backend)
        table.attrs.update(beats)
        return table
    mix = sum(stem.mean(axis=0) for stem in stems.values())
    boundaries, letters, confidence = novelty.segment(mix, rate)
    lines = lead_lines(alignment) if alignment else []
    moved = functions.move_off_lines(boundaries, lines)
    # A section that lyrics cut off, or moved, keeps the letter that most of it had.
    middles = (moved[:-1] + moved[1:]) / 2
    old = np.clip(np.searchsorted(boundaries, middles, "right") - 1, 0, len(letters) - 1)
    power = functions.frame_power(mix, rate)
    voiced = functions.voiced_frames(functions.frame_power(vocals, rate), power)
    flags = functions.label_sections(moved, [letters[i] for i in old], power, voiced, lines)
    rows = zip(
        moved[:-1].tolist(), moved[1:].tolist(), flags, confidence[old].tolist(), strict=True
    )
    return _as_table(functions.merge_unsung([Section(*row) for row in rows]), backend)


def _unsung(table):
    """The structure of an instrumental: what a backend took for verse, chorus or bridge is inst."""
    rows = table[["start", "end", "label", "confidence"]].itertuples(index=False, name=None)
    sections = [Section(*row) for row in rows]
    unsung = [s._replace(flag="inst") if s.flag in SUNG else s for s in sections]
    found = _as_table(functions.merge_unsung(unsung), table["backend"].iloc[0])
    found.attrs.update(table.attrs)
    return found


def _as_table(sections: Iterable[Section], backend: str) -> pd.DataFrame:
    table = pd.DataFrame(sections, columns=["start", "end", "label", "confidence"])
    table.insert(3, "backend", backend)
    return table


def allin1_json(sections: pd.DataFrame, path: Path | str, **more: Any) -> dict[str, Any]:
    """The structure of the recording `path` as All-In-One writes it; `more`: bpm, beats, ..."""
    rows = sections[["start", "end", "label"]].to_dict("records")
    return {"path": str(path), **sections.attrs, **more, "segments": rows}
