"""The settings of the alignment."""

from collections.abc import Mapping
from dataclasses import dataclass

from rasen.errors import RasenError, raise_all

SHARES = ("onset", "offset", "certain", "line_match", "line_score", "recognised", "song_match")


@dataclass(frozen=True)
class AlignSettings:
    """How lyrics are aligned; the section `songs.align` of the config, whose schema has defaults.

    whisper, aligners: folders of the models, one aligner per language; whisper None: not used
    beam: beams of Whisper;  chunk: seconds, the longest stretch that it transcribes at once
    onset, offset: probabilities of a voice at which a segment begins and ends
    voiced: seconds of voice below which a song has no vocals
    certain: probability of another language from which a song is rejected
    line_match: least share of a line's words in the transcript;  line_score: their least mean score
    surprise: standard deviations by which a line must fit its place better than other text does,
    where it is found without a transcript, and the median line of a song
    recognised: share of the words below which a way to find them is followed by another one
    song_match: least share of all words that must be found
    """

    whisper: str | None
    aligners: Mapping[str, str]
    beam: int
    onset: float
    offset: float
    chunk: float
    voiced: float
    certain: float
    line_match: float
    line_score: float
    surprise: float
    recognised: float
    song_match: float

    def __post_init__(self) -> None:
        raise_all(
            f"songs.align.{name}: {value} is not a probability; give a number from 0 to 1"
            for name in SHARES
            if not 0 <= (value := getattr(self, name)) <= 1
        )
        if not 1 <= self.chunk <= 30:
            raise RasenError(f"songs.align.chunk: {self.chunk} s; Whisper takes 1 to 30 seconds")
        if self.beam < 1:
            raise RasenError(f"songs.align.beam: {self.beam}; give 1 or more")
        if not self.aligners:
            raise RasenError("songs.align.aligners: names no model; give one for each language")
