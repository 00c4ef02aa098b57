"""Songs that are asked for: ids by hand, the prompt, and rows that are left out."""

import json

import numpy as np
import pytest
import soundfile
from prepare_requests import prepare_requests

from rasen.errors import RasenError
from rasen.io import hashes, parquet
from rasen.networks.oobleck import HOP, SAMPLE_RATE
from rasen.networks.vae import open_vae
from rasen.songbloom.lyrics import asked_phonemes, split_sections
from rasen.songbloom.requests import read_prompt, read_request_sheet, read_requests
from rasen.songs.demo.models import make_vae
from rasen.songs.phonemes import PhonemeSettings, window_tokens
from rasen.songs.phonemes.inventory import Inventory, built_in_inventory
from rasen.songs.reasons import SongError

BUILT_IN = built_in_inventory()


def tokens(text, seconds_per_flag=1.0, language="en"):
    """(tokens, ids) as `generate_songs` takes them."""
    spoken = asked_phonemes("x", text, language, BUILT_IN)
    end = spoken["sections"][-1]["end"]
    return window_tokens(spoken, 0, end, seconds_per_flag)


LYRICS = """[ti: x]
[Intro] [intro]

[Verse 1]
Oh, no
I (ooh ooh)
you.

[solo 7 s]

[chorus]
[outro]
"""
OH = ["OW1", ".", "N", "OW1", ".", "AY1", ".", "Y", "UW1"]


def test_lyrics_become_ids_as_training_has_them():
    """Flags, full stops between clauses and lines, commas between sections; no backing vocals."""
    before, after = ["[intro]"] * 2 + [",", "[verse]"], [",", "[chorus]", ",", "[outro]"]
    found, ids = tokens(LYRICS)
    assert found == [*before, *OH, ",", *["[inst]"] * 7, *after]
    # the inventory begins: nothing, verse, chorus, bridge, intro, inst, outro, "." and ","
    assert ids[:4] == [4, 4, 8, 1]
    assert ids[5] == 7
    assert ids[-12:] == [8, *[5] * 7, 8, 2, 8, 6]
    assert ids[4] == BUILT_IN.ids["OW1"]
    found, _ = tokens(LYRICS, seconds_per_flag=5)
    assert found == [*before, *OH, ",", "[inst]", *after]


def test_lyrics_in_one_row_are_the_same():
    row = "[intro] [intro] , [verse] Oh, no. I. you , [inst 7 s] , [chorus] , [outro]"
    assert tokens(row) == tokens(LYRICS)


def test_the_language_is_that_of_the_script():
    found, _ = tokens("[verse]\n月光照\n[outro]", language="")
    assert found == ["[verse]", "y", "ve4", "g", "uang1", "zh", "ao4", ",", "[outro]"]


def test_an_instrumental_has_flags_alone():
    assert tokens("[inst 3 s]")[0] == ["[inst]"] * 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no section is named; begin with a flag such as"),
        ("over the river", "no section is named"),
        ("words\n[verse]\nmore", "words before the first section"),
        ("[vers]\na\n[corus]\nb", r"\[corus\] is no section; did you mean 'chorus'?"),
    ],
)
def test_lyrics_without_flags_are_refused(text, told):
    with pytest.raises(SongError, match=told.replace("?", r"\?")):
        split_sections(text)


def test_languages_and_phonemes_that_have_no_ids_are_refused():
    with pytest.raises(SongError, match="language 'ko' has no phonemes"):
        asked_phonemes("x", "[verse]\n사랑", "ko", BUILT_IN)
    few = Inventory("few", {token: n for token, n in BUILT_IN.ids.items() if token != "OW1"})
    with pytest.raises(SongError, match=r"few has no ids for: OW1 \(2\)"):
        asked_phonemes("x", "[verse]\noh no you", "en", few)


def test_a_prompt_is_the_first_ten_seconds(tmp_path, rng):
    sound = rng.standard_normal((44100 * 12, 2)).astype(np.float32) * 0.1
    soundfile.write(tmp_path / "a.wav", sound, 44100)
    prompt = read_prompt(tmp_path / "a.wav")
    assert prompt.shape == (2, 10 * SAMPLE_RATE)
    mono = read_prompt(tmp_path / "a.wav", "mono")
    assert np.array_equal(mono[0], mono[1])
    assert np.allclose(mono[0], prompt.mean(axis=0), atol=1e-4)
    soundfile.write(tmp_path / "b.wav", sound[: 44100 // 2], 44100)
    assert read_prompt(tmp_path / "b.wav").shape == (2, 12 * HOP)  # half a second: whole frames


# --- the job


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae")
    make_vae(folder, seed=0)
    return folder


ROWS = {  # what is wrong with them, if anything
    "good": ("good.txt", "English", "long.wav", {}),
    "brief": ("good.txt", "", "brief.wav", {}),
    "mute": ("good.txt", "en", "silent.wav", {"silent": "silent.wav: every sample is zero"}),
    "late": ("good.txt", "en", "late.wav", {"silent": "its first 10 s are silent"}),
    "gone": ("none.txt", "en", "none.wav", {"lyrics_unreadable": "no such file",
                                            "missing": "none.wav: no such file"}),
    "damaged": ("good.txt", "en", "damaged.wav", {"unreadable": "cannot be decoded"}),
    "bare": ("bare.txt", "en", "long.wav", {"lyrics_unreadable": "bare.txt: no section"}),
    "klingon": ("good.txt", "tlh", "long.wav", {"row": "'tlh' has no phonemes"}),
    "GOOD": ("good.txt", "en", "long.wav", {"row": "occurs twice"}),
    "a/b": ("", "en", "", {"row": "names no lyrics"}),
}  # fmt: skip


def prepare(folder, vae, rows=ROWS, prompts=("stereo",)):
    rng = np.random.default_rng(0)
    sound = 0.1 * rng.standard_normal((12 * 44100, 2))
    for name, part in {
        "long": sound, "brief": sound[:88200], "silent": 0 * sound,
        "late": np.concatenate([0 * sound, sound]),
    }.items():  # fmt: skip
        soundfile.write(folder / f"{name}.wav", part, 44100)
    (folder / "damaged.wav").write_bytes(b"RIFF no")
    (folder / "good.txt").write_text("[verse]\noh no\n\n[outro 2 s]\n")
    (folder / "bare.txt").write_text("oh no\n")
    lines = ["song\tlyrics\tlanguage\treference"]
    lines += ["\t".join((name, *row[:3])) for name, row in rows.items()]
    (folder / "sheet.tsv").write_text("\n".join(lines) + "\n")
    out = folder / "out.h5", folder / "left_out.parquet"
    settings = PhonemeSettings(dictionary=None, vocabulary=None)
    prepare_requests(folder / "sheet.tsv", settings, vae, list(prompts), "cpu", *out)
    return read_requests(out[0]), parquet.read_table(out[1])


def test_wrong_rows_are_left_out_with_every_reason_and_the_others_go_on(tmp_path, vae, capsys):
    made, out = prepare(tmp_path, vae)
    assert made.songs["song"].tolist() == ["good", "brief"]
    assert made.songs["language"].tolist() == ["en", ""]
    assert made.songs["frames"].tolist() == [250, 50]
    assert "brief: a prompt of 2 s only" in capsys.readouterr().out
    assert (made.inventory, made.vae) == ("rasen-1", hashes.hash_folder(vae))
    found = {(row.song, row.reason): row.detail for row in out.itertuples()}
    wanted = {(name, reason): told for name, row in ROWS.items() for reason, told in row[3].items()}
    assert set(found) == set(wanted)
    for key, told in wanted.items():
        assert told in found[key] or key[0] == "a/b", (key, found[key])
    assert len(out[out["song"] == "a/b"]) == 3  # its name, no lyrics, no reference
    spoken = json.loads(made.songs["phonemes"][0])
    tokens, _ = window_tokens(spoken, 0, spoken["sections"][-1]["end"])
    assert tokens == ["[verse]", "OW1", "N", "OW1", ",", "[outro]", "[outro]"]


def test_prompts_are_the_means_of_the_vae(tmp_path, vae):
    rows = {name: ROWS[name] for name in ("good", "brief")}
    made, _ = prepare(tmp_path, vae, rows, ("mono", "stereo"))
    for mix, latents in made.prompts.items():
        mean, _ = open_vae(vae).encode(read_prompt(tmp_path / "brief.wav", mix))
        assert np.array_equal(latents[1, :50], mean)
        assert not latents[1, 50:].any()
    assert not np.allclose(made.prompts["mono"], made.prompts["stereo"])


def test_a_sheet_of_which_nothing_can_be_sung_is_refused(tmp_path, vae):
    rows = {name: ROWS[name] for name in ("gone", "mute")}
    with pytest.raises(RasenError, match="no song can be made") as error:
        prepare(tmp_path, vae, rows)
    assert len(str(error.value).splitlines()) == 4
    (tmp_path / "sheet.tsv").write_text("song\tlyric\n a\tb\n")
    with pytest.raises(RasenError, match="has no column lyrics, reference"):
        read_request_sheet(tmp_path / "sheet.tsv")
