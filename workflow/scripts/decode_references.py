"""Encode and decode every reference by the VAE: the floor of systems that write through it."""

from pathlib import Path

import soundfile

from rasen import command
from rasen.device import pick_device
from rasen.io import hashes, parquet
from rasen.networks.frames import pad_to_frames
from rasen.networks.oobleck import SAMPLE_RATE
from rasen.networks.vae import open_vae
from rasen.songs import recording, scored
from rasen.songs.ledger import BatchRunner

DECODED = "decoded.flac"


def decode_references(
    references: Path, songs: Path, model: Path, device: str, code: str, decoded: Path
) -> None:
    """Write decoded.flac of each reference, and the table of these songs as a system of its own."""

    def work(vae, song, folder):
        sound, rate = recording.read_recording(song.audio)
        sound = recording.to_stereo(sound, rate, SAMPLE_RATE)
        mean, _ = vae.encode(pad_to_frames(sound, SAMPLE_RATE))
        again = vae.decode(mean)[:, : sound.shape[1]].clip(-1, 1)
        soundfile.write(folder / DECODED, again.T, SAMPLE_RATE, "PCM_24")

    rows = parquet.read_table(references)
    rows["system"] = scored.DECODED
    rows["song"] = [scored.row_id(scored.DECODED, name) for name in rows["name"]]
    rows["key"] = rows["audio"].map(hashes.hash_if_present)
    version = {"weights": hashes.hash_folder(model)}
    runner = BatchRunner("decode_references", songs, code, version)
    outcomes = runner.run(rows, work, lambda: open_vae(model, pick_device(device)))
    rows = rows[rows["song"].isin(outcomes[outcomes["outcome"] == "ok"]["song"])]
    # What cannot be read is told of the reference itself.
    rows["audio"] = [str(songs / song / DECODED) for song in rows["song"]]
    parquet.write_table(rows.drop(columns="key"), decoded)


if __name__ == "__main__":
    command.run(decode_references, out_of_memory="set a lower `songs.longest`")
