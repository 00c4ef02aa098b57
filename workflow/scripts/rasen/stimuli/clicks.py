"""SynTheory's concepts of rhythm: tempos and time signatures, played by a metronome.

Every clip is 4 s of a longer track, from a place that is drawn by the seed and the clip's name, so
bars do not begin with the clip. The column `instrument` is the sound of the metronome.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

import numpy as np
import pandas as pd

from rasen.seeds import generator
from rasen.stimuli import percussion, soundfont
from rasen.stimuli.instruments import peak_at_one
from rasen.stimuli.melodies import add
from rasen.stimuli.percussion import CLICKS
from rasen.stimuli.synth import Stroke

SECONDS = 4
LEAD = percussion.LONGEST + percussion.DECAY  # what sounds before a clip is heard in it
TEMPOS = range(50, 211)
EXTREMES = 0.15  # of the range of tempos, at either end
TEMPO_TRACK, SIGNATURE_TRACK = 20, 30  # seconds
SIGNATURES = ("2/2", "2/4", "3/4", "3/8", "4/4", "6/8", "9/8", "12/8")
WHOLE_NOTE = 2.0  # seconds, at 120 quarter notes per minute


@dataclass(frozen=True)
class ClickSettings:
    """A set of tempos or time signatures.

    size: "full": SynTheory's; "small": the same with fewer crops, and every fourth tempo
    soundfont: path of a .sf2 file; None: built-in sounds
    seed: of the places where clips are cut out of the track
    """

    size: Literal["full", "small"] = "full"
    soundfont: str | None = None
    seed: int = 0


def tempo_clips(settings: ClickSettings) -> pd.DataFrame:
    """One row per tempo, sound and crop: clicks in 4/4.

    extrapolation: "train" in the middle 70 % of the tempos, "test" at both ends
    """
    full = settings.size == "full"
    outside = EXTREMES * (TEMPOS[-1] - TEMPOS[0])
    return pd.DataFrame(
        _row("tempos", settings, f"{sound}-{tempo}-{crop}", TEMPO_TRACK)
        | {
            "instrument": sound,
            "tempo": tempo,
            "extrapolation": "train"
            if outside <= tempo - TEMPOS[0] and outside <= TEMPOS[-1] - tempo
            else "test",
            "beats": 4,
            "seconds_each": 60 / tempo,
            "reverb": 0,
        }
        for sound in CLICKS
        for tempo in (TEMPOS if full else TEMPOS[::4])
        for crop in range(5 if full else 2)
    )


def signature_clips(settings: ClickSettings) -> pd.DataFrame:
    """One row per time signature, level of reverberation, sound and crop."""
    rows = []
    for sound in CLICKS:
        for signature in SIGNATURES:
            beats, unit = map(int, signature.split("/"))
            for reverb in range(len(percussion.REVERB)):
                for crop in range(10 if settings.size == "full" else 3):
                    clip = f"{sound}-{beats}-{unit}-reverb{reverb}-{crop}"
                    rows.append(
                        _row("time_signatures", settings, clip, SIGNATURE_TRACK)
                        | {
                            "instrument": sound,
                            "time_signature": signature,
                            "beats": beats,
                            "seconds_each": WHOLE_NOTE / unit,
                            "reverb": reverb,
                        }
                    )
    return pd.DataFrame(rows)


def _row(kind, settings, clip, track):
    """What rows of both kinds have; offset: where in the track the clip begins, in seconds."""
    offset = generator(settings.seed, kind, clip).uniform(0, track - SECONDS)
    return {"clip": clip, "kind": kind, "offset": offset, "soundfont": settings.soundfont or ""}


def click_sound(row: Any, rate: int) -> np.ndarray:
    """The sound of one row of either table, its peak at 1 [time]."""
    sound = CLICKS[row.instrument]
    first = max(0, ceil((row.offset - LEAD) / row.seconds_each))
    last = ceil((row.offset + SECONDS) / row.seconds_each)
    starts = np.round(np.arange(first, last + 1) * row.seconds_each * rate).astype(int)
    accents = [beat % row.beats == 0 for beat in range(first, last)]
    if row.soundfont:
        strokes = [
            Stroke((sound.accent if accent else sound.beat,), samples / rate,
                   percussion.velocity(accent))
            for accent, samples in zip(accents, np.diff(starts), strict=True)
        ]  # fmt: skip
        played = soundfont.play(row.soundfont, sound.program, strokes, rate, sound.drums)
    else:
        played = np.zeros(starts[-1] - starts[0], dtype=np.float32)
        for accent, start in zip(accents, starts - starts[0], strict=False):
            add(played, start, percussion.click(row.instrument, accent, rate))
    begin = round(row.offset * rate) - starts[0]
    wet = percussion.reverberant(played, row.reverb, rate)
    return peak_at_one(wet[begin : begin + SECONDS * rate], row.instrument)
