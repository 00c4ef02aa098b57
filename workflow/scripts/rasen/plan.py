"""Which files a config asks for: patterns filled in for every model, point, layer and set."""

import json

from rasen import places

READS_RESULTS = ("fit", "gather", "plot", "match", "write", "train_sae", "index", "export_songs")


def walked(config, points, pattern, key):
    """`pattern` at every point of every model, for the sets that the model has as `key`."""
    return [
        pattern.format(model=row.model, point=row.point, stimuli=name)
        for row in points.drop_duplicates(["model", "point"]).itertuples()
        for name in places.sets(config["models"][row.model], key)
    ]


def sae_points(config, points, model):
    """The points of a model at which SAEs are trained, in order."""
    visited = list(points.loc[points["model"] == model, "point"].unique())
    wanted = visited if config["sae"]["points"] == "all" else config["sae"]["points"]
    return [point for point in wanted if config["models"][model]["sae"] and point in visited]


def of_saes(config, points, pattern, key="sae"):
    """`pattern` for every layer at every point of the models that have `key` beside SAEs."""
    return [
        pattern.format(model=name, point=point, layer=f"{layer:02d}")
        for name, model in config["models"].items()
        if model[key]
        for layer in config["sae"]["layers"]
        for point in sae_points(config, points, name)
    ]


def matched(config, points, pattern):
    """`pattern` for every layer of the models that have SAEs at two points or more."""
    return [
        pattern.format(model=name, layer=f"{layer:02d}")
        for name in config["models"]
        if len(sae_points(config, points, name)) > 1
        for layer in config["sae"]["layers"]
    ]


def hand_labels(config, stem):
    """Sheets to be labelled by hand (.tsv), one a text model, for its first layer of SAEs; and
    what filled ones say (.parquet)."""
    found = []
    for name, model in config["models"].items():
        if model["sae"] and config["stimuli"][model["sae"]]["kind"] == "text":
            file = stem.format(model=name, layer=f"{config['sae']['layers'][0]:02d}")
            found += [f"{file}.tsv", *[f"{file}.parquet"] * (name in config["sae"]["hand"])]
    return found


def of_songs(batches, *folders):
    """The file of every batch of songs in "shards", or the ledger in the folder of each stage."""
    return [
        f"results/shards/{batch}.h5"
        if folder == "shards"
        else f"results/batches/{folder}/{batch}.parquet"
        for folder in folders
        for batch in batches
    ]


def song_settings(songs, part, *keys):
    """A part of the songs' settings (or some keys of it) as JSON, models as their folders."""
    chosen = {key: songs[part][key] for key in keys or songs[part]}
    for place, _ in places.SONG_MODELS:
        key = place.removeprefix(f"{part}.")
        if key in chosen:
            named = chosen[key]
            if isinstance(named, dict):
                chosen[key] = {word: places.folder(weights) for word, weights in named.items()}
            else:
                chosen[key] = places.folder(named)
    return json.dumps(chosen, sort_keys=True)


def reading(jobs):
    """Names of models and stimulus sets whose weights and sheets some jobs will read, "songs" for
    those of the songs. Jobs that read results alone need none: the rest may be elsewhere."""
    jobs = [job for job in jobs if not job.rule.name.startswith(READS_RESULTS)]
    wildcards = {key: value for job in jobs for key, value in job.wildcards.items()}
    names = {value for job in jobs for value in job.wildcards}
    return names | ({"songs"} if "batch" in wildcards else set())
