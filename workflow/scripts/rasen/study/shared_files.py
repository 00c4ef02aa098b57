"""Which files of `results/` an archive may hold: an allow-list, for packing and opening alike.

What is on no list (a memo, a key, a recording) never travels; what tells lyrics, or can be decoded
to sound again, travels only when it is asked for by its name. The notes that the workflow renders
itself do travel.
"""

import re
from functools import cache

DATABASE = "results/.provenance.sqlite"

TABLES = (
    "points", "gradient", "perplexity", "guessers", "helix", "helix_differences", "helix_slopes",
    "helix_peaks", "helix_notes", "helix_curves", "sae", "features", "feature_flow",
    "feature_seeds", "feature_coverage", "probes", "similarity", "lens", "songs", "quarantine",
    "recordings", "sections", "training", "generated", "generated_left_out", "scores",
    "scores_left_out",
)  # fmt: skip
FIGURES = ("helix", "perplexity", "sae", "probes", "lens", "training")

ALWAYS = (  # tables, figures, and the records by which nothing is computed again
    DATABASE,
    "results/README.md",
    "results/config.yaml",
    "results/report/report.html",
    "results/explorer/**/*.{html,css,js,txt}",
    "results/explorer/.snakemake_timestamp",
    f"results/tables/{{{','.join(TABLES)}}}.parquet",
    "results/tables/{songs,scores}.md",
    f"results/figures/{{{','.join(FIGURES)}}}/**/*.svg",
    f"results/figures/{{{','.join(FIGURES)}}}/**/.snakemake_timestamp",
    "results/figures/{songs,songs_status}.svg",
    "results/benchmarks/**/*.tsv",
    "results/stimuli/*.parquet",
    "results/notes/rendered/*.parquet",
    "results/clap/*.parquet",
    "results/weights/*/*.json",
    "results/inputs/*/*.parquet",
    "results/{activations,frames,means}/**/*.json",
    "results/{gradient,perplexity,helix,lens,similarity,finetuned}/**/*.parquet",
    "results/probes/**/*.{parquet,draws.h5}",
    "results/sae/**/*.{parquet,json,tsv}",
    "results/batches/*/*.parquet",
    "results/sketch/codebook.{json,safetensors}",
    "results/songs/*/.*.json",
    "results/songs/*/structure.{json,tsv}",
    "results/songs/*/fingerprint.npy",
    "results/songbloom/*/{start.json,training.parquet}",
    "results/songbloom/*/tensorboard/*",
    "results/songbloom/*/songs/*/{generated.parquet,sheet.tsv}",
    "results/scores/{rows,read,stems,sections,embedded}/*.parquet",
    "results/scores/left_out.parquet",
    "results/scores/listening_key.tsv",
)
ASKED = {  # `share.with` of the config
    "activations": ("results/{activations,frames,means,spectra}/**/*.h5",),
    "saes": ("results/sae/**/*.{h5,safetensors}",),
    "tokens": ("results/inputs/*/*.h5",),
    "latents": (
        "results/songs/*/latents*.npy",
        "results/songs/*/sketch.npy",
        "results/shards/*.h5",
        "results/songbloom/requests.h5",
        "results/songbloom/*/songs/*/songs.h5",
    ),
    "lyrics": (
        "results/tables/{words,lines}.parquet",
        "results/songs/*/{alignment,phonemes}.json",
        "results/explorer/data/song_lyrics/*.js",
        "results/scores/transcribe/*.parquet",
    ),
    "generated": ("results/songbloom/*/songs/*/*.flac",),
}
KEPT = {  # never packed: their owners' to share, or not finished
    "weights": (
        "results/export/**/*",
        "results/gradient/**/*.safetensors",
        "results/songbloom/*/{weights,state}/**/*",
        "results/weights/*/*.tsv",  # paths and dates of this machine
        "results/songbloom/*/start.tsv",
    ),
    "recordings": (
        "results/songs/*/{vocals,accompaniment}.*",
        "results/scores/songs/**/*",
        "results/listening/**/*",
        "results/media/**/*",
        "results/explorer/media/**/*",
        "results/notes/recorded/*",
        "results/explorer/data/recorded_sounds/*",
        "results/sae/**/*.{wav,flac}",
    ),
    "unfinished": ("results/inputs/*/*.parts/*", "results/**/*.partial"),
}


def group_of(name: str) -> str | None:
    """How a file travels: "" always, else a name of ASKED or KEPT; None is not the workflow's."""
    for groups in (KEPT, ASKED, {"": ALWAYS}):
        for group, patterns in groups.items():
            if any(_pattern(pattern).fullmatch(name) for pattern in patterns):
                return group
    return None


def is_odd(name: str) -> bool:
    """Whether a name has characters that some systems do not have, or that are not shown."""
    return any(
        ord(letter) < 32 or letter in "\x7f\\:" or "\ud800" <= letter < "\ue000" for letter in name
    )


@cache
def _pattern(text):
    """`**/` any folders or none, `*` within one name, {a,b} either."""
    parts = re.split(r"(\*\*/|\*|\{[^}]*\})", text)
    return re.compile("".join(map(_part, parts)), re.S)


def _part(part):
    if part == "**/":
        return r"(?:[^/]+/)*"
    if part == "*":
        return r"[^/]*"
    if part.startswith("{"):
        return "(?:" + "|".join(map(re.escape, part[1:-1].split(","))) + ")"
    return re.escape(part)
