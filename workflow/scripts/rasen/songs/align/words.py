"""What the models say of the vocals: stretches with a voice, their text, words with times."""

from dataclasses import dataclass

SAMPLE_RATE = 16000  # samples per second of the vocals, for every model here
FRAME = 320  # samples of a frame of the aligners (wav2vec2)

Span = tuple[float, float]  # (start, end) in seconds


@dataclass(frozen=True)
class Word:
    """A word with its times in seconds and its score: mean probability of its letters."""

    text: str
    start: float
    end: float
    score: float


@dataclass(frozen=True)
class Chunk:
    """A stretch of vocals for Whisper, in seconds, and the segments with a voice inside."""

    start: float
    end: float
    segments: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Transcript:
    """The text that Whisper gives a stretch of vocals, and the mean log probability of it."""

    start: float
    end: float
    text: str
    log_probability: float
