"""Write the clips in which features are most active as audio, with a playlist per feature."""

from pathlib import Path

from rasen import command, stimuli
from rasen.io import parquet
from rasen.io.atomic import write_text
from rasen.io.audio import write_flac

RATE = 32_000  # ASSUME: of what is listened to; what a model hears may be sampled otherwise


def export_top_clips(top: Path, clips: Path, folder: Path) -> None:
    """Each clip once, as FLAC; `feature-00012.m3u8` plays those of feature 12, the first first."""
    table = parquet.read_table(clips)
    listed = parquet.read_table(top)
    folder.mkdir(parents=True)
    for clip in sorted(listed["clip"].unique()):
        row = next(table.iloc[[clip]].itertuples(index=False))
        write_flac(folder / f"{clip:06d}.flac", stimuli.render_sound(row, RATE), RATE)
    for feature, rows in listed.sort_values("rank").groupby("feature"):
        lines = ["#EXTM3U"]
        for clip, mean in zip(rows["clip"], rows["mean"], strict=True):
            lines += [f"#EXTINF:-1,{table['clip'][clip]} ({mean:.3g})", f"{clip:06d}.flac"]
        write_text(folder / f"feature-{feature:05d}.m3u8", "\n".join(lines) + "\n")


if __name__ == "__main__":
    command.run(export_top_clips)
