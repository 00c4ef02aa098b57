"""The config against its schema: every mistake at once, each with its place and its cure."""

from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path

import pandas as pd
import yaml
from jsonschema import Draft202012Validator, validators

from rasen import points
from rasen.errors import RasenError, one_error

GRID = ("kind", "expansion", "k", "lr", "normalise", "l1", "aux", "batch", "epochs")  # of SAEs


def load(config, schema_file):
    """The config, checked in itself and against the schema, with its defaults."""
    with open(schema_file, encoding="utf-8") as file:
        config = check(config, yaml.safe_load(file))
    problems = [*_loose_ends(config), *_about_sae(config)]
    if error := one_error(problems, heading="the configuration has mistakes:"):
        raise error
    return config


def refuse_templates(files):
    """Raise when a config file is a template of Snakemake's, which runs the code that it holds.

    The environment that Rasen makes has no template engine (envs/yte.py); another Snakemake has.
    """
    for path in map(Path, files):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError):  # Snakemake says what is wrong with it
            continue
        if isinstance(content, dict) and "__use_yte__" in content:
            raise RasenError(
                f"{path}: says `__use_yte__`: such a file runs code when it is read; take that "
                "line and the expressions (`?...`) out and write plain values"
            )


def table_of_points(config):
    """Every (model, route, point, position) that the config asks for."""
    parts = []
    for name, model in config["models"].items():
        routes = deepcopy(config["routes"])
        if not model["gradient"]:  # no data, no gradient
            routes["gradient"]["positions"] = []
        parts.append(points.along(name, routes, model["checkpoints"], model["controls"]))
    return pd.concat(parts, ignore_index=True)


def _loose_ends(config):
    """Names that the models use and nobody defines."""
    known = list(config["stimuli"])
    for name, model in config["models"].items():
        uses = [(f"activations.{i}", s) for i, s in enumerate(model["activations"])]
        uses += [
            (key, model[key]) for key in ("gradient", "perplexity", "helix", "sae") if model[key]
        ]
        for key, stimuli in uses:
            if stimuli not in known:
                near = get_close_matches(stimuli, known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
                place = f"config/config.yaml: models.{name}.{key}"
                yield f"{place}: no stimulus set '{stimuli}'; {hint}"
        yield from _about_helix(name, model, config)


def _about_helix(name, model, config):
    """What stands in the way of the helix of one model."""
    stimuli, period = model["helix"], config["helix"]["period"]
    if stimuli is None:
        return
    place = f"config/config.yaml: models.{name}.helix"
    if stimuli not in model["activations"]:
        yield f"{place}: '{stimuli}' is dumped nowhere; add it to models.{name}.activations"
    if config["activations"]["pool"] == "all":
        yield (
            f"{place}: wants one vector a note, but activations.pool is 'all'; set it to mean or "
            "last, or set this to null"
        )
    if isinstance(period, list) and period[0] > period[1]:
        yield f"config/config.yaml: helix.period: {period} runs backwards; write {period[::-1]}"


def _about_sae(config):
    """Points of SAEs that no model with SAEs visits."""
    wanted = config["sae"]["points"]
    with_sae = {name: model for name, model in config["models"].items() if model["sae"]}
    if wanted == "all" or not with_sae:
        return
    visited = table_of_points(config | {"models": with_sae})["point"].unique()
    for point in wanted:
        if point not in visited:
            near = get_close_matches(point, visited, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(visited)}"
            yield f"config/config.yaml: sae.points: no route visits '{point}'; {hint}"


def check(config, schema, origin="config/config.yaml"):
    """A copy of `config` with defaults filled in; raises with every mistake listed."""
    config = deepcopy(config)
    if error := one_error(f"{origin}: {line}" for line in _unquoted(config)):
        raise error
    errors = sorted(Draft202012Validator(schema).iter_errors(config), key=lambda e: str(e.path))
    problems = [f"{origin}: {line}" for error in errors for line in _explain(error)]
    if error := one_error(problems, heading="the configuration has mistakes:"):
        raise error
    _WithDefaults(schema).validate(config)
    return config


def _unquoted(part, place=""):
    """Keys that YAML read as numbers or dates."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part):
        if isinstance(part, dict) and not isinstance(key, str):
            yield f"{place}{key}: a name must be a word; put it in quotes"
        if isinstance(value, dict | list):
            yield from _unquoted(value, f"{place}{key}.")


def _explain(error):
    """One jsonschema error as plain lines."""
    place = ".".join(str(step) for step in error.absolute_path)
    at = f"{place}." if place else ""
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        patterns = "".join(error.schema.get("patternProperties", {}))
        for key in error.instance:
            if key not in known and not patterns:
                near = get_close_matches(str(key), known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
                yield f"{at}{key}: unknown setting; {hint}"
            elif key not in known:
                yield f"{at}{key}: a name must match {patterns}"
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                what = error.schema["properties"].get(key, {}).get("description", "")
                yield f"{at}{key}: is missing ({what})"
    elif error.validator == "enum":
        near = get_close_matches(str(error.instance), [str(v) for v in error.validator_value], n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        choices = ", ".join(str(value) for value in error.validator_value)
        yield f"{place}: '{error.instance}' is not one of {choices}{hint}"
    elif inner := [each for each in error.context or [] if each.relative_path]:
        yield from _explain(max(inner, key=lambda each: len(each.relative_path)))
    else:
        what = error.schema.get("description", "")
        yield f"{place}: {error.message}" + (f" ({what})" if what else "")


def _fill(properties_validator):
    """A `properties` keyword that first writes the defaults of the missing keys."""

    def properties(validator, properties, instance, schema):
        if isinstance(instance, dict):
            for key, rule in properties.items():
                if "default" in rule:
                    instance.setdefault(key, deepcopy(rule["default"]))
        yield from properties_validator(validator, properties, instance, schema)

    return properties


_WithDefaults = validators.extend(
    Draft202012Validator, {"properties": _fill(Draft202012Validator.VALIDATORS["properties"])}
)
