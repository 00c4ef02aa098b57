"""Tag the clips of a stimulus set with CLAP."""

from pathlib import Path

from rasen import command, stimuli
from rasen.device import pick_device
from rasen.io import parquet
from rasen.sae.features.clap import ClapSettings, clap_tags, sampling_rate


def tag_stimuli(clips: Path, settings: ClapSettings, device: str, tags: Path) -> None:
    """Write one row per clip: of each column the value whose description fits best."""
    rate = sampling_rate(settings.weights)
    rows = parquet.read_table(clips).itertuples(index=False)
    sounds = (stimuli.render_sound(row, rate) for row in rows)
    table = clap_tags(
        settings.weights, sounds, settings.prompts, settings.margin, device=pick_device(device)
    )
    parquet.write_table(table.add_prefix("clap_"), tags)


if __name__ == "__main__":
    command.run(tag_stimuli, out_of_memory="set `sae.label.clap.device: cpu`")
