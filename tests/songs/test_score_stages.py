"""What is asked for and heard of songs that are scored; MuQ-MuLan against the package's own."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from decode_references import decode_references
from embed_scored import embed_scored
from gather_scores import GatherSettings, gather_scores
from list_scored import list_scored
from read_scored import read_scored
from safetensors.torch import save_file
from schema_defaults import default_settings

from rasen.errors import RasenError
from rasen.io import parquet
from rasen.networks.frames import pad_to_frames
from rasen.networks.mulan import open_mulan
from rasen.networks.muq import open_muq
from rasen.networks.torchaudio_guard import import_torchaudio, import_without_init
from rasen.networks.vae import open_vae
from rasen.scores.phonemes import per
from rasen.songs import recording, scored
from rasen.songs.align.settings import AlignSettings
from rasen.songs.align.transcriber import Transcriber
from rasen.songs.align.words import SAMPLE_RATE
from rasen.songs.demo.compose import RATE, fixture_song
from rasen.songs.demo.models import make_muq, make_vae
from rasen.songs.reasons import SongError
from rasen.songs.recording import RecordingLimits

torch.set_num_threads(1)
SONGS = Path(__file__).parents[2] / "resources/songs"

# --- words


@pytest.fixture(scope="module")
def transcriber():
    models = {"en": str(SONGS / "models/aligner")}
    settings = default_settings(
        AlignSettings, "align", whisper=str(SONGS / "models/whisper"), aligners=models, beam=1
    )
    return Transcriber(
        settings.whisper, onset=settings.onset, offset=settings.offset, chunk=settings.chunk,
        beam=1,
    )  # fmt: skip


def heard(transcriber, sound, language):
    texts = scored.hear(transcriber, recording.to_mono(sound, RATE, SAMPLE_RATE), language)
    return scored.phonemes_of(texts, language, None)


@pytest.mark.parametrize(("song", "language"), [("tsuki", "ja"), ("yue", "zh")])
def test_phonemes_that_are_sung_are_heard(transcriber, song, language):
    """The fixtures' Whisper knows these vocals; with tones for Chinese."""
    _, vocals, _ = fixture_song(SONGS, song, 0)
    lines = scored.read_words(SONGS / f"lyrics/{song}.txt")
    assert scored.lyrics_language(lines, "") == language
    reference = scored.phonemes_of([line.text for line in lines], language, None)
    rate = per([reference], [heard(transcriber, vocals, language)])
    assert rate.value < 0.25
    half = heard(transcriber, vocals[:, : vocals.shape[1] // 2], language)
    assert per([reference], [half]).value > rate.value + 0.2


def test_nothing_is_heard_where_nobody_sings(transcriber, rng):
    """What a separation leaves of an instrumental: next to nothing."""
    rest = 1e-4 * rng.standard_normal((2, 20 * RATE))
    assert heard(transcriber, rest, "en") == []
    assert heard(transcriber, 0 * rest, "en") == []


def test_marks_and_backing_vocals_are_no_phonemes(tmp_path):
    file = tmp_path / "song.txt"
    file.write_text("[verse]\nhello, you (ooh ooh)\n\n(la la)\n")
    lines = scored.read_words(file)
    assert [line.text for line in lines] == ["hello, you"]
    assert scored.phonemes_of(["hello, you"], "en", None) == ["HH", "AH0", "L", "OW1", "Y", "UW1"]
    file.write_text("[verse]\n(la la)\n")
    with pytest.raises(SongError, match="holds no words"):
        scored.read_words(file)


# --- sections that lyrics ask for


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[Verse 1]\nla\n\n[Chorus]\nla\n", [("verse", None), ("chorus", None)]),
        (
            "[intro] [intro] , [verse] la.la , [inst] [inst] [inst] , [chorus] la",
            [("intro", 2), ("verse", None), ("inst", 3), ("chorus", None)],
        ),
        ("[inst]\n\n[inst]\n", [("inst", None)] * 1 + [("inst", None)]),
        ("[verse]\nla\n[verse]\nla\n", [("verse", None), ("verse", None)]),
        ("[00:12.30]la\n[ar: someone]\nla [laughs]\n", []),
    ],
)
def test_sections_that_lyrics_ask_for(text, expected):
    assert scored.asked_sections(text, 1) == expected


def test_flags_last_as_long_as_the_model_says():
    assert scored.asked_sections("[inst] [inst]", 5) == [("inst", 10)]


# --- sheets


def write(path, rows):
    path.write_text("\n".join("\t".join(row) for row in (scored.COLUMNS, *rows)) + "\n")


def test_broken_rows_are_told_and_the_others_go_on(tmp_path):
    sheet = tmp_path / "sheet.tsv"
    rows = [
        ("Our system 2", "a", "a.wav", "a.txt", "zh-CN", "real.wav", "slow"),
        ("Our system 2", "A", "b.wav", "", "", "", ""),
        ("", "b", "b.wav", "", "", "", ""),
        ("x", "b/c", "", "", "xx", "", ""),
        ("real", "d", "d.wav", "", "", "", ""),
    ]
    write(sheet, rows)
    good, out = scored.read_score_sheet(sheet)
    assert good["id"].tolist() == ["Our-system-2--a"]
    assert good["audio"].tolist() == [str(tmp_path / "a.wav")]
    assert good["language"].tolist() == ["zh"]
    assert len(out) == 4
    details = out["detail"].tolist()
    assert "line 3: the song 'A' of 'Our system 2' occurs twice" in details[0]
    assert "'' is no name of a system" in details[1]
    for part in ("song 'b/c'", "names no audio", "'xx' has no phonemes"):
        assert part in details[2]
    assert "'real' is kept for references" in details[3]


def test_a_sheet_without_its_columns_is_refused(tmp_path):
    (tmp_path / "sheet.tsv").write_text("system\tsong\nx\ta\n")
    with pytest.raises(RasenError, match="no column audio"):
        scored.read_score_sheet(tmp_path / "sheet.tsv")


def test_references_are_songs_of_a_system_of_their_own():
    columns = ["system", "song", "audio", "lyrics", "language", "reference", "text", "id"]
    rows = pd.DataFrame(
        [
            ("x", "a", "xa", "a.txt", "en", "ra", "t", "x--a"),
            ("y", "a", "ya", "a.txt", "en", "ra", "t", "y--a"),
            ("z", "a", "za", "a.txt", "en", "rz", "t", "z--a"),
            ("x", "b", "xb", "", "", "", "", "x--b"),
        ],
        columns=columns,
    )
    real, out = scored.reference_rows(rows, same_song=True)
    assert real[["system", "id", "audio", "lyrics", "text"]].values.tolist() == [
        ["real", "real--a", "ra", "a.txt", ""]
    ]
    assert out["detail"].tolist() == ["rz: another reference of this song is taken: ra"]
    styles, _ = scored.reference_rows(rows, same_song=False)
    assert styles["lyrics"].tolist() == [""]


def test_means_of_states():
    states = np.arange(12.0)[:, None]
    assert scored.mean_rows(states, 5).ravel().tolist() == [2, 7]  # a rest of 2 is left out
    assert scored.mean_rows(states, 3).ravel().tolist() == [1, 4, 7, 10]
    assert scored.mean_rows(states, 100).ravel().tolist() == [5.5]


# --- the floor


def test_references_go_through_the_vae_and_missing_ones_do_not(tmp_path, rng):
    make_vae(tmp_path / "vae", 0)
    sound = 0.1 * rng.standard_normal((2, 50_000))
    soundfile.write(tmp_path / "real.wav", sound.T, 48000, "FLOAT")
    rows = pd.DataFrame(
        {
            "system": "real", "name": ["a", "b"], "song": ["real--a", "real--b"],
            "audio": [str(tmp_path / "real.wav"), str(tmp_path / "none.wav")], "lyrics": "x.txt",
        }
    )  # fmt: skip
    parquet.write_table(rows, tmp_path / "real.parquet")
    decode_references(
        tmp_path / "real.parquet", tmp_path / "songs", tmp_path / "vae", "cpu", "0",
        tmp_path / "vae.parquet",
    )  # fmt: skip
    decoded = parquet.read_table(tmp_path / "vae.parquet")
    assert decoded[["system", "name", "lyrics"]].values.tolist() == [
        ["real through the VAE", "a", "x.txt"]
    ]
    found, rate = soundfile.read(decoded["audio"][0])
    vae = open_vae(tmp_path / "vae")
    mean, _ = vae.encode(pad_to_frames(np.float32(sound), 48000))
    expected = vae.decode(mean)[:, :50_000].clip(-1, 1)
    assert rate == 48000
    np.testing.assert_allclose(found.T, expected, atol=1e-4)


# --- MuQ-MuLan

CONFIG = {
    "mulan": {"sr": 24000, "clip_secs": 2, "dim_latent": 16},
    "audio_model": {"name": "someone/MuQ-tiny", "model_dim": 32, "use_layer_idx": 2},
    "text_model": {"name": "xlm-roberta-base", "model_dim": 24},
    "audio_transformer": {"dim": 20, "tf_depth": 2, "heads": 2, "dim_head": 8},
    "text_transformer": {"dim": 12, "tf_depth": 1, "heads": 2, "dim_head": 8},
}


@pytest.fixture(scope="module")
def towers(tmp_path_factory):
    """Folders (MuLan, MuQ, XLM-R) of a tiny model, and the package's own MuLanModel of it."""
    import_torchaudio()
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

    folder = tmp_path_factory.mktemp("mulan")
    make_muq(folder / "muq", 1)
    words = ["<s>", "<pad>", "</s>", "<unk>", "a", "slow", "song", "with", "piano", "loud"]
    plain = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="<unk>", pad_token="<pad>", bos_token="<s>",
        eos_token="</s>",
    )  # fmt: skip
    tokenizer.save_pretrained(folder / "text")
    XLMRobertaConfig(
        vocab_size=len(words), hidden_size=24, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64,
    ).save_pretrained(folder / "text")  # fmt: skip

    for name in ("muq", "muq.muq_mulan", "muq.muq_mulan.modules", "muq.muq_mulan.models"):
        import_without_init(name)
    clip = types.ModuleType("x_clip.tokenizer")  # which is not installed, and not used here
    clip.tokenizer = types.SimpleNamespace(vocab_size=1)
    sys.modules.update({"x_clip": types.ModuleType("x_clip"), "x_clip.tokenizer": clip})
    from muq.muq_mulan.models.audio import AudioSpectrogramTransformerPretrained as Audio
    from muq.muq_mulan.models.mulan import MuLanModel
    from muq.muq_mulan.models.text import TextTransformerPretrained as Text

    muq = open_muq(folder / "muq")

    class States(torch.nn.Module):
        """In the place of MuQ, whose own forward does not run (rasen.networks.muq)."""

        def __init__(self):
            super().__init__()
            self.model = muq.net

        def forward(self, sound, output_hidden_states):
            states = [muq.hidden(sound, layer) for layer in range(muq.layers + 1)]
            return types.SimpleNamespace(hidden_states=states)

    class OwnAudio(Audio):
        def _init_pretrained_model(self, name):
            self.model = States()

    class OwnText(Text):
        def _init_pretrained_model(self):
            return XLMRobertaModel(XLMRobertaConfig.from_pretrained(folder / "text"))

        def _init_tokenizer(self):
            return tokenizer

    with torch.random.fork_rng():
        torch.manual_seed(3)
        parts = dict(CONFIG)
        audio = OwnAudio(
            model_name=CONFIG["audio_model"]["name"], model_dim=32, use_layer_idx=2,
            frozen_pretrained=False, **parts["audio_transformer"],
        )  # fmt: skip
        text = OwnText(
            model_name="xlm-roberta-base", model_dim=24, frozen_pretrained=False,
            **parts["text_transformer"],
        )  # fmt: skip
        own = MuLanModel(audio, text, rank_contrast=True, dim_latent=16).eval()
    tensors = {f"mulan.{name}": t.clone().contiguous() for name, t in own.state_dict().items()}
    (folder / "mulan").mkdir()
    save_file(tensors, folder / "mulan/model.safetensors")
    (folder / "mulan/config.json").write_text(json.dumps(CONFIG))
    return [folder / name for name in ("mulan", "muq", "text")], own


def own_audio(own, sound, clip=48000):
    """The package's way with a song (muq_mulan.py, `extract_audio_latents`), spelled out."""
    clips = [sound[i : i + clip] for i in range(0, len(sound), clip)]
    clips[-1] = np.concatenate([clips[-1], sound[: clip - len(clips[-1])]])
    latents = [own.get_audio_latents(torch.from_numpy(part)[None])[0] for part in clips]
    return torch.stack(latents).mean(0)


@torch.inference_mode()
def test_vectors_are_those_of_the_package(towers, rng):
    folders, own = towers
    mulan = open_mulan(*folders)
    for seconds in (1.3, 2, 5):
        sound = rng.standard_normal(round(24000 * seconds)).astype(np.float32) / 10
        vector = mulan.embed_audio(sound)
        np.testing.assert_allclose(vector, own_audio(own, sound), atol=1e-5)
    for text in ("a slow song with piano", "loud"):
        expected = own.get_text_latents(raw_texts=[text])[0]
        np.testing.assert_allclose(mulan.embed_text(text), expected, atol=1e-5)
    assert np.abs(mulan.embed_text("loud") - mulan.embed_text("slow")).max() > 1e-3


def test_folders_that_are_no_mulan_are_refused(towers, tmp_path):
    (mulan, muq, text), _ = towers
    with pytest.raises(RasenError, match="cannot be read"):
        open_mulan(tmp_path, muq, text)
    with pytest.raises(RasenError, match="not a MuQ-MuLan"):
        open_mulan(muq, muq, text)
    with pytest.raises(RasenError, match="no XLM-R"):
        open_mulan(mulan, muq, tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    save_file({"mulan.text.proj.weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(RasenError, match="does not fit"):
        open_mulan(tmp_path, muq, text)
    qwen = CONFIG | {"text_model": {"name": "Qwen/Qwen-7B"}}
    (tmp_path / "config.json").write_text(json.dumps(qwen))
    with pytest.raises(RasenError, match="XLM-R alone"):
        open_mulan(tmp_path, muq, text)


def test_agreement_with_prompts_goes_from_a_sheet_to_the_table(towers, tmp_path, rng):
    """The scripts of the rules one after another: MCC to audio and to text, FAD without Whisper."""
    (mulan, muq, text), _ = towers
    names = ("a", "b", "real")
    for name in names:
        sound = 0.1 * rng.standard_normal((40 * 24000, 1))
        soundfile.write(tmp_path / f"{name}.wav", sound, 24000, "FLOAT")
    rows = [
        ("x", "one", "real.wav", "", "", "real.wav", "a slow song"),  # the reference itself
        ("x", "two", "b.wav", "", "", "real.wav", ""),
        ("y", "one", "a.wav", "", "", "gone.wav", "loud piano"),
        ("y", "three", "a.wav", "", "", "gone.wav", ""),
    ]
    write(tmp_path / "sheet.tsv", rows)
    stages, songs = tmp_path / "stages", tmp_path / "songs"
    sheets = {"own": str(tmp_path / "sheet.tsv")}
    list_scored(sheets, True, stages / "rows", stages / "left_out.parquet")
    settings = scored.EmbeddingSettings(str(muq), 2, 30.0, 1.0, str(mulan), str(muq), str(text))
    for name in ("own", "real"):
        read = stages / f"read/{name}.parquet"
        read_scored(stages / f"rows/{name}.parquet", songs, RecordingLimits(1, 60), "0", read)
        embedded = stages / f"embedded/{name}.parquet"
        embed_scored(read, songs, settings, "cpu", "0", embedded)
    assert np.load(songs / "x--two/embedding.npy").shape == (40, 32)
    outputs = [tmp_path / name for name in ("scores.parquet", "scores.md", "out.parquet")]
    gather_scores(
        ["own", "real"], stages, songs,
        GatherSettings(("fad", "mcc"), 1.0, False, 100, "MuQ", "MuLan"), 0, [], tmp_path, *outputs,
    )  # fmt: skip
    table = parquet.read_table(outputs[0]).set_index(["system", "metric", "song"])
    assert table.loc[("x", "mcc_audio", "one"), "value"] == pytest.approx(1)
    other = open_mulan(mulan, muq, text)
    vectors = [
        other.embed_audio(np.float32(soundfile.read(tmp_path / f"{name}.wav")[0]))
        for name in ("b", "real")
    ]
    cosine = vectors[0] @ vectors[1] / np.prod(np.linalg.norm(vectors, axis=1))
    assert table.loc[("x", "mcc_audio", "two"), "value"] == pytest.approx(cosine, abs=1e-5)
    assert table.loc[("x", "mcc_audio", ""), "value"] == pytest.approx((1 + cosine) / 2, abs=1e-5)
    assert table.loc[("x", "mcc_text", ""), "n"] == 1
    assert {"fad", "mcc_text"} <= set(table.loc["y"].index.get_level_values("metric"))
    out = parquet.read_table(outputs[2])
    told = {(row.system, row.song, row.metric, row.reason) for row in out.itertuples()}
    assert ("real", "three", "", "missing") in told
    assert ("x", "two", "mcc_text", "no_text") in told
    assert ("y", "three", "mcc_audio", "no_reference") in told
    assert "MCC audio" in outputs[1].read_text()
