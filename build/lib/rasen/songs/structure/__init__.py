"""Which part of a song is verse, chorus, bridge, intro, instrumental, outro.

    novelty   boundaries and letters by ear alone; functions by voice and lyrics
    allin1    the All-In-One networks, in an environment of their own
    given     what the user says

A structure is a DataFrame with columns start, end (seconds), label (one of `labels.FLAGS`),
backend and confidence (0 to 1; the backends say of what; 0 where a gap was filled), and covers
the song without gaps or overlaps.
"""

import numpy as np
import pandas as pd

from rasen.songs.structure import functions, given, novelty

BACKENDS = ("novelty", "allin1", "given")


def tag(backend, stems, rate, alignment=None, annotation=None, model=None):
    """The structure of one song.

    stems: {"vocals", "accompaniment"} or Demucs' four, float [channels, time] each. alignment: of
    its lyrics, where there is one. annotation: a file, of `given`; model: of `allin1.open_model`.
    """
    vocals = stems["vocals"].mean(axis=0)
    seconds = len(vocals) / rate
    if backend == "given":
        return _table(given.read_annotation(annotation, seconds), backend)
    if backend == "allin1":
        from rasen.songs.structure import allin1

        rows, beats = allin1.segments(model, stems, rate)
        table = _table(given.cover(rows, seconds), backend)
        table.attrs.update(beats)
        return table
    mix = sum(stem.mean(axis=0) for stem in stems.values())
    boundaries, letters, sure = novelty.segments(mix, rate)
    lines = [line for line in (alignment or {}).get("lines", ()) if line["kept"]]
    moved = functions.between_lines(boundaries, lines)
    # A section that lyrics cut off, or moved, keeps the letter that most of it had.
    middles = (moved[:-1] + moved[1:]) / 2
    old = np.clip(np.searchsorted(boundaries, middles, "right") - 1, 0, len(letters) - 1)
    power = functions.loudness(mix, rate)
    voice = functions.voiced(functions.loudness(vocals, rate), power)
    flags = functions.name(moved, [letters[i] for i in old], power, voice, lines)
    rows = zip(moved[:-1].tolist(), moved[1:].tolist(), flags, sure[old].tolist(), strict=True)
    return _table(functions.join(rows), backend)


def _table(rows, backend):
    table = pd.DataFrame(rows, columns=["start", "end", "label", "confidence"])
    table.insert(3, "backend", backend)
    return table


def to_json(segments, path, **more):
    """The structure of the recording `path` as All-In-One writes it; `more`: bpm, beats, ..."""
    rows = segments[["start", "end", "label"]].to_dict("records")
    return {"path": str(path), **segments.attrs, **more, "segments": rows}
