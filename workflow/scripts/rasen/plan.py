"""Which files a config asks for: patterns filled in for every model, point, layer and set."""

from rasen import places


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
