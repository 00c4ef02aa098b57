"""Speech from espeak-ng with the exact onset of every word.

espeak-ng (the library and its voices) must be installed: `apt install espeak-ng`.
"""

import ctypes
import ctypes.util
from functools import cache

import numpy as np

RATE = 22050
RETRIEVAL, UTF8, WORD = 1, 1, 1  # AUDIO_OUTPUT_RETRIEVAL, espeakCHARS_UTF8, espeakEVENT_WORD
SPEED, PITCH, RANGE = 1, 3, 4  # espeak_PARAMETER


class Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
)


@cache
def library():
    espeak = ctypes.CDLL(ctypes.util.find_library("espeak-ng"))
    rate = espeak.espeak_Initialize(RETRIEVAL, 500, None, 0)
    assert rate == RATE, rate
    return espeak


def speak(text, voice, speed=150, pitch=50, span=50):
    """Speak a text: sound float32 [time] at 22.05 kHz and its words as (position, sample).

    `position` counts characters of the text from 0; `speed` is in words a minute, `pitch` and
    `span` (how far the pitch moves) go from 0 to 99.
    """
    espeak, blocks, words = library(), [], []

    def receive(samples, count, events):
        if samples and count:
            blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type:
            if events[index].type == WORD:
                words.append((events[index].text_position - 1, events[index].sample))
            index += 1
        return 0

    callback = CALLBACK(receive)
    espeak.espeak_SetSynthCallback(callback)
    if espeak.espeak_SetVoiceByName(voice.encode()):
        raise ValueError(f"espeak-ng has no voice {voice}")
    for name, value in ((SPEED, speed), (PITCH, pitch), (RANGE, span)):
        espeak.espeak_SetParameter(name, int(value), 0)
    data = text.encode() + b"\0"
    espeak.espeak_Synth(data, len(data), 0, 1, 0, UTF8, None, None)
    espeak.espeak_Synchronize()
    return np.concatenate(blocks).astype(np.float32) / 32768, words
