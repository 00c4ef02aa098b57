"""Songs that are asked for: their lyrics as phonemes, their references as latents."""

import json
from pathlib import Path

import pandas as pd

from rasen import command
from rasen.device import pick_device
from rasen.errors import raise_all
from rasen.io import hashes, parquet
from rasen.networks.frames import FRAME_RATE
from rasen.networks.vae import open_vae
from rasen.songbloom import requests as asked
from rasen.songbloom.lyrics import asked_phonemes
from rasen.songs.lyrics import read_text
from rasen.songs.phonemes import PhonemeSettings
from rasen.songs.phonemes.inventory import built_in_inventory, read_vocabulary
from rasen.songs.reasons import SongError


def prepare_requests(
    sheet: Path, settings: PhonemeSettings, model: Path, prompts: list, device: str,
    requests: Path, left_out: Path,
) -> None:  # fmt: skip
    """Write the requests, and the table of rows that are left out, with their reasons.

    model: folder of the VAE;  prompts: kinds of them that the runs learned from (stereo, mono)
    """
    symbols = read_vocabulary(settings.vocabulary) if settings.vocabulary else built_in_inventory()
    vae = open_vae(model, pick_device(device))

    def lyrics(row):
        text, dictionary = read_text(row.lyrics), settings.dictionary
        return asked_phonemes(row.song, text, row.language, symbols, dictionary)

    def latents(row):
        return [vae.encode(asked.read_prompt(row.reference, mix))[0] for mix in prompts]

    rows, out = asked.read_request_sheet(sheet)
    usable, wrong = [], list(out.itertuples(index=False, name=None))
    for row in rows.itertuples(index=False):
        made = []
        for part, source in ((lyrics, row.lyrics), (latents, row.reference)):
            try:
                made.append(part(row))
            except SongError as error:
                told = str(error) if source in str(error) else f"{source}: {error}"
                wrong.append((row.song, error.reason, told))
        if len(made) == 2:
            usable.append((row, *made))
    for song, _, told in wrong:
        print(f"left out: {song}: {told}")
    if not usable:
        raise_all([told for *_, told in wrong], heading=f"{sheet}: no song can be made:")
    songs = pd.DataFrame([row for row, _, _ in usable])
    songs["phonemes"] = [json.dumps(spoken, ensure_ascii=False) for _, spoken, _ in usable]
    songs["frames"] = [len(heard[0]) for *_, heard in usable]
    for row in songs[songs["frames"] < asked.PROMPT_SECONDS * FRAME_RATE].itertuples():
        print(f"{row.song}: a prompt of {row.frames / FRAME_RATE:g} s only: {row.reference}")
    padded = {
        mix: asked.pad_prompts([heard[number] for *_, heard in usable])
        for number, mix in enumerate(prompts)
    }
    made_by = {"inventory": symbols.name, "vae": hashes.hash_folder(model)}
    asked.write_requests(requests, asked.Requests(songs, padded, **made_by))
    parquet.write_table(pd.DataFrame(wrong, columns=list(asked.LEFT_OUT), dtype=str), left_out)


if __name__ == "__main__":
    command.run(prepare_requests, out_of_memory="set `songs.device: cpu`")
