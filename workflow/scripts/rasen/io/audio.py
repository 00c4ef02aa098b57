"""Sound files: read as mono float32 at the rate that a model reads (damaged ones are refused), and
written to be listened to."""

from io import BytesIO
from pathlib import Path

import numpy as np

from rasen.errors import RasenError
from rasen.io.atomic import whole_file

ROUNDED = 0.01  # seconds by which a sheet's end may exceed that of the file
CURE = "replace it, or take its row out of the sheet"


def read_mono(
    path: Path | str,
    rate: int,
    seconds: float | None = None,
    crop: float = 0.0,
    start: float | None = None,
) -> np.ndarray:
    """Mono samples [time] float32 of an audio file at `rate`, at most `seconds` of it.

    crop: of what is more than that, the share in front of the part that is read
    start: where exactly it begins, in seconds; then the file must hold all of it
    """
    import soundfile

    path = Path(path)
    if not path.is_file():
        raise RasenError(f"{path}: no such file; correct the path in the sheet")
    if path.stat().st_size == 0:
        raise RasenError(f"{path}: the file is empty (0 bytes); {CURE}")
    try:
        with soundfile.SoundFile(path) as file:
            frames = -1 if seconds is None else round(seconds * file.samplerate)
            if start is not None:
                length, end = file.frames / file.samplerate, start + (seconds or 0)
                if max(start, end - ROUNDED) > length:
                    raise RasenError(
                        f"{path}: is {length:g} s long, but the clip is at {start:g} to {end:g} s;"
                        " correct start and end in the sheet, or the path"
                    )
                file.seek(min(file.frames, round(start * file.samplerate)))
            elif crop and frames > 0:
                file.seek(round(crop * max(0, file.frames - frames)))
            sound = file.read(frames, dtype="float32", always_2d=True)
            native_rate = file.samplerate
    except soundfile.SoundFileError as error:
        raise RasenError(
            f"{path}: cannot be read as audio ({error}); convert it to WAV or FLAC"
        ) from None
    if len(sound) == 0:
        raise RasenError(f"{path}: holds no samples; {CURE}")
    sound = sound.mean(axis=1)
    if not np.isfinite(sound).all():
        raise RasenError(f"{path}: holds samples that are not numbers (NaN or infinite); {CURE}")
    if not sound.any():
        raise RasenError(f"{path}: is silent (every sample is zero, in mono); {CURE}")
    return resample(sound, native_rate, rate)


def write_flac(path: Path | str, sound: np.ndarray, rate: int) -> None:
    """Samples [time] or [time, channels] as FLAC with 16 bits, made quieter where they exceed 1."""
    import soundfile

    peak = max(1.0, float(np.abs(sound).max(initial=0)))
    with whole_file(path) as partial:
        soundfile.write(partial, sound / peak, rate, "PCM_16", format="FLAC")


def mp3_bytes(sound: np.ndarray, rate: int) -> bytes:
    """Samples [time] as an MP3 that is decoded to as many samples, each at its place.

    An encoder delays the sound (by 1105 samples). With a variable bit rate the first frame tells
    decoders how much to take off again, browsers too; with a constant one of 24 kHz that frame
    is too short for it, and nobody does.
    """
    import soundfile

    file = BytesIO()
    soundfile.write(
        file, sound, rate, "MPEG_LAYER_III", format="MP3", bitrate_mode="VARIABLE",
        compression_level=0.5,
    )  # fmt: skip
    return file.getvalue()


def resample(sound: np.ndarray, native_rate: int, rate: int) -> np.ndarray:
    """Band-limited change of sample rate along the last axis, float32."""
    if native_rate == rate:
        return np.asarray(sound, dtype=np.float32)
    from scipy.signal import resample_poly

    common = np.gcd(int(native_rate), int(rate))
    up, down = rate // common, native_rate // common
    return resample_poly(sound, up, down, axis=-1).astype(np.float32)
