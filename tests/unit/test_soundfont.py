"""Notes from a SoundFont; the font is written here: one sine, looped, over all keys."""

import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rasen import stimuli
from rasen.errors import RasenError

RATE = 16000
PERIOD = 64  # samples of one period, recorded at 44100 Hz: 689 Hz, near F5


def chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def listed(name, *chunks):
    return chunk(b"LIST", name + b"".join(chunks))


def sine_font(path, program=5):
    """A SoundFont 2 file with one preset of one instrument of one looped sample."""
    wave = 20000 * np.sin(2 * np.pi * np.arange(64 * PERIOD) / PERIOD)
    samples = wave.astype("<i2").tobytes() + bytes(2 * 46)
    name = b"sine".ljust(20, b"\0")
    end = b"EOP".ljust(20, b"\0")
    zone = struct.pack("<HH", 0, 0)
    header = name + struct.pack(
        "<IIIIIBbHH", 0, 64 * PERIOD, PERIOD, 63 * PERIOD, 44100, 77, 0, 0, 1
    )
    generators = struct.pack("<HH", 54, 1) + struct.pack("<HH", 53, 0) + bytes(4)
    hydra = listed(
        b"pdta",
        chunk(b"phdr", name + struct.pack("<HHHIII", program, 0, 0, 0, 0, 0)
              + end + struct.pack("<HHHIII", 0, 0, 1, 0, 0, 0)),
        chunk(b"pbag", zone + struct.pack("<HH", 1, 0)),
        chunk(b"pmod", bytes(10)),
        chunk(b"pgen", struct.pack("<HH", 41, 0) + bytes(4)),
        chunk(b"inst", name + struct.pack("<H", 0) + end + struct.pack("<H", 1)),
        chunk(b"ibag", zone + struct.pack("<HH", 2, 0)),
        chunk(b"imod", bytes(10)),
        chunk(b"igen", generators),
        chunk(b"shdr", header + end + bytes(26)),
    )  # fmt: skip
    info = listed(b"INFO", chunk(b"ifil", struct.pack("<HH", 2, 1)), chunk(b"INAM", b"test\0\0"))
    body = b"sfbk" + info + listed(b"sdta", chunk(b"smpl", samples)) + hydra
    path.write_bytes(chunk(b"RIFF", body))
    return path


def settings(path, **more):
    return {"kind": "notes", "lowest": 60, "keys": 5, "instruments": [5], "repeats": 4, "beats": 2,
            "tempo": 120, "soundfont": str(path)} | more  # fmt: skip


def test_notes_have_their_pitch_and_do_not_depend_on_order(tmp_path):
    font = sine_font(tmp_path / "sine.sf2")
    table = list(stimuli.clips(settings(font)).itertuples(index=False))
    sounds = [stimuli.render_sound(row, RATE) for row in table]
    again = [stimuli.render_sound(row, RATE) for row in reversed(table)][::-1]
    for row, sound, same in zip(table, sounds, again, strict=True):
        assert len(sound) == 4 * RATE
        assert np.array_equal(sound, same), row.clip
        heard = np.abs(np.fft.rfft(sound[:RATE])).argmax()
        recorded = 44100 / PERIOD * 2 ** ((row.pitch - 77) / 12)
        assert heard == pytest.approx(recorded, abs=2)


def test_notes_do_not_depend_on_others_that_are_rendered_meanwhile(tmp_path):
    font = sine_font(tmp_path / "sine.sf2")
    table = list(stimuli.clips(settings(font, keys=12, beats=0.2)).itertuples(index=False))
    alone = [stimuli.render_sound(row, RATE) for row in table]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(5):
            together = list(pool.map(lambda row: stimuli.render_sound(row, RATE), table))
            for one, other in zip(alone, together, strict=True):
                assert np.array_equal(one, other)


def test_chords_have_their_notes(tmp_path):
    font = str(sine_font(tmp_path / "sine.sf2"))
    table = stimuli.clips({"kind": "chords", "instruments": [5], "soundfont": font})
    chosen = table[(table["chord"] == "minor") & (table["root"] == 9) & (table["inversion"] == 1)]
    (row,) = chosen.itertuples(index=False)
    sound = stimuli.render_sound(row, RATE)
    assert len(sound) == 4 * RATE
    assert np.array_equal(sound, stimuli.render_sound(row, RATE))
    spectrum = np.abs(np.fft.rfft(sound[:RATE] * np.hanning(RATE)))
    peaks = np.flatnonzero((spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:])) + 1
    recorded = [44100 / PERIOD * 2 ** ((pitch - 77) / 12) for pitch in (60, 64, 69)]
    strongest = sorted(peaks[np.argsort(spectrum[peaks])[-3:]])
    np.testing.assert_allclose(strongest, recorded, atol=2)


def test_clicks_are_struck_as_syntheory_does(tmp_path):
    font = str(sine_font(tmp_path / "sine.sf2", program=115))
    table = stimuli.clips({"kind": "tempos", "size": "small", "soundfont": font})
    row = next(table[table["instrument"] == "woodblock_light"].itertuples(index=False))
    sound = stimuli.render_sound(row, RATE)
    assert len(sound) == 4 * RATE
    begin = (np.ceil(row.offset / row.seconds_each) * row.seconds_each) - row.offset
    beat = round(row.offset / row.seconds_each + 0.5) % 4
    part = sound[round(begin * RATE) : round((begin + row.seconds_each) * RATE)]
    heard = np.abs(np.fft.rfft(part, RATE)).argmax()
    pitch = 48 if beat else 52
    assert heard == pytest.approx(44100 / PERIOD * 2 ** ((pitch - 77) / 12), abs=2)
    other = table[table["instrument"] == "taiko"].iloc[0]
    with pytest.raises(RasenError, match="has no program 116"):
        stimuli.render_sound(other, RATE)


def test_all_means_syntheorys_programs(tmp_path):
    assert len(stimuli.clips(settings(tmp_path / "x.sf2", instruments="all"))) == 92 * 5


def test_missing_fonts_and_programs_are_named(tmp_path):
    row = next(stimuli.clips(settings(tmp_path / "x.sf2")).itertuples(index=False))
    with pytest.raises(RasenError, match=r"x\.sf2: no such SoundFont"):
        stimuli.render_sound(row, RATE)
    font = sine_font(tmp_path / "sine.sf2", program=7)
    row = next(stimuli.clips(settings(font)).itertuples(index=False))
    with pytest.raises(RasenError, match="no program 5"):
        stimuli.render_sound(row, RATE)
    (tmp_path / "bad.sf2").write_bytes(b"junk")
    row = next(stimuli.clips(settings(tmp_path / "bad.sf2")).itertuples(index=False))
    with pytest.raises(RasenError, match="not a SoundFont"):
        stimuli.render_sound(row, RATE)
