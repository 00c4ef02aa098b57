"""Any recording as samples: by libsndfile where it can decode it, else by ffmpeg."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from rasen.errors import RasenError
from rasen.io.audio import resample
from rasen.songs.reasons import SongError

STEREO = 2
UNSIZED = 0x7FFFF000  # from here on (and 0) a RIFF header was written before its sound


@dataclass(frozen=True)
class RecordingLimits:
    """Seconds that a recording may last; `songs.shortest` and `songs.longest` of the config."""

    shortest: float
    longest: float

    def __post_init__(self) -> None:
        if not 0 < self.shortest <= self.longest:
            raise RasenError(
                f"songs.shortest is {self.shortest:g} and songs.longest {self.longest:g} seconds: "
                "no song lies between them; correct one of the two"
            )

    def check(self, seconds: float) -> None:
        """Reject a song of another length."""
        if seconds < self.shortest:
            raise SongError("too_short", f"{seconds:.2f} s, songs.shortest is {self.shortest:g}")
        if seconds > self.longest:
            raise SongError("too_long", f"{seconds:.0f} s, songs.longest is {self.longest:g}")


def header_seconds(path: Path | str) -> float | None:
    """Length by the file's header, or None where only decoding shows it."""
    try:
        info = soundfile.info(path)
    except soundfile.SoundFileError:
        return None
    return info.frames / info.samplerate


def read_recording(path: Path | str, most: float | None = None) -> tuple[np.ndarray, int]:
    """(sound float32 [channels, time], rate) of a whole recording.

    most: seconds after which decoding by ffmpeg ends (other formats have their length in the
    header)
    """
    path = Path(path)
    if not path.is_file():
        raise SongError("missing", f"{path}: no such file")
    try:
        with soundfile.SoundFile(path):
            pass
    except soundfile.SoundFileError as error:
        sound, rate = _decode_by_ffmpeg(path, error, most)
    else:
        _refuse_cut_wav(path)
        sound, rate = _decode(path, path)
    if not sound.size:
        raise SongError("unreadable", f"{path}: holds no samples")
    if not np.isfinite(sound).all():
        raise SongError("not_finite", f"{path}: holds samples that are not numbers")
    if not sound.any():
        raise SongError("silent", f"{path}: every sample is zero")
    return sound, rate


def reread_recording(path: Path | str) -> tuple[np.ndarray, int]:
    """`read_recording` in a later stage: a file that has disappeared stops the job."""
    if not Path(path).is_file():
        raise RasenError(
            f"{path}: existed when it was measured and does not now; is its disk mounted?"
        )
    return read_recording(path)


def _decode(file, path):
    """(sound, rate) of what libsndfile reads; `path` is what messages name."""
    with soundfile.SoundFile(file) as opened:
        expected, rate = opened.frames, opened.samplerate
        try:
            sound = opened.read(dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise SongError("unreadable", f"{path}: cut short or damaged ({error})") from None
    if len(sound) < expected - rate:  # an mp3's header may be off by some frames
        raise SongError(
            "unreadable",
            f"{path}: cut short after {len(sound) / rate:.1f} of {expected / rate:.1f} seconds",
        )
    return np.ascontiguousarray(sound.T), rate


def _refuse_cut_wav(path):
    """libsndfile reads a WAV file that was cut short as if it were complete."""
    with open(path, "rb") as file:
        head = file.read(8)
    if head[:4] == b"RIFF":
        content, size = int.from_bytes(head[4:], "little"), path.stat().st_size
        if 0 < content < UNSIZED and content + 8 > size + 1:  # a pad byte may be left out
            raise SongError("unreadable", f"{path}: cut short after {size} of {content + 8} bytes")


def _decode_by_ffmpeg(path, error, most):
    """(sound, rate) of what libsndfile cannot open (m4a, wma, video files); `error` is its own."""
    if not shutil.which("ffmpeg"):
        if path.suffix[1:].upper() in soundfile.available_formats():
            raise SongError("unreadable", f"{path}: cannot be decoded ({error})")
        raise SongError("no_ffmpeg", f"{path}: a format that needs ffmpeg ({error})")
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "decoded.wav"
        command = ["ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", path, "-vn"]
        command += ["-t", str(most)] if most else []
        process = subprocess.run(
            [*command, "-c:a", "pcm_f32le", wav], capture_output=True, text=True, check=False
        )
        if process.returncode or not wav.is_file():
            reason = (process.stderr.strip().splitlines() or ["no reason given"])[-1]
            if "No space left" in reason:
                raise OSError(f"{folder}: no space left to decode {path}")
            reason = re.sub(r" @ 0x[0-9a-f]+", "", reason)  # an address, different in every run
            raise SongError("unreadable", f"{path}: cannot be decoded ({reason})")
        return _decode(wav, path)


def to_stereo(sound: np.ndarray, rate: int, target: int) -> np.ndarray:
    """sound [channels, time] as [2, time] at the rate `target`: mono doubled, more channels mixed
    down."""
    if len(sound) != STEREO:
        sound = np.repeat(sound.mean(axis=0, keepdims=True), STEREO, axis=0)
    return resample(sound, rate, target)


def to_mono(sound: np.ndarray, rate: int, target: int) -> np.ndarray:
    """sound [channels, time] as [time] at the rate `target`."""
    return resample(sound.mean(axis=0), rate, target)
