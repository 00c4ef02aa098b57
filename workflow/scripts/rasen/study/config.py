"""The config against its schema: every mistake at once, each with its place and its cure."""

import re
from collections.abc import Mapping
from copy import deepcopy
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, validators

from rasen.errors import raise_all, short, suggestion
from rasen.study.consistency import PLACE, contradictions
from rasen.study.filled import fill_in
from rasen.study.registry import FAMILIES, foreign_options

SAE_GRID = (
    "kind",
    "expansion",
    "k",
    "lr",
    "normalise",
    "l1",
    "aux",
    "precision",
    "batch",
    "epochs",
)
EXPONENT = re.compile(r"[+-]?[0-9]{1,20}\.?[0-9]{0,20}[eE][+-]?[0-9]{1,4}")
LONGEST_NAME, LONGEST_PATH = 255, 1000  # bytes; systems know no more, or not much
SURROGATE = re.compile("[\ud800-\udfff\0]")  # no text in UTF-8 has such halves of characters
HEADING = "the configuration has mistakes:"


def load_config(config: Mapping[str, Any], schema_file: Path | str) -> dict[str, Any]:
    """The config with its defaults, checked against the schema and in itself."""
    checked = validate(_plain(_written_out(config)), read_schema(schema_file))
    fill_in(checked, PLACE)
    raise_all(contradictions(config, checked), heading=HEADING)
    for model in checked["models"].values():
        for option in foreign_options(model["family"]):
            del model[option]
    return checked


def _written_out(config):
    """A copy in which `gradient: NAME` stands as `{data: NAME}`, and `helix: NAME` as a list."""
    config = deepcopy(dict(config))
    models = config.get("models")
    for model in models.values() if isinstance(models, dict) else ():
        if isinstance(model, dict) and isinstance(model.get("gradient"), str):
            model["gradient"] = {"data": model["gradient"]}
        if isinstance(model, dict) and isinstance(model.get("helix"), str):
            model["helix"] = [model["helix"]]
    return config


def _plain(part):
    """Whole numbers as integers everywhere: 4 and 4.0 are one setting, and rerun nothing."""
    if isinstance(part, dict):
        return {key: _plain(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_plain(value) for value in part]
    return int(part) if isinstance(part, float) and part.is_integer() else part


def read_schema(path: Path | str) -> dict[str, Any]:
    """The schema of the config, with what the registry says of the families filled in."""
    schema = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    model = schema["$defs"]["model"]["properties"]
    model["family"]["enum"] = list(FAMILIES)
    for name, entry in FAMILIES.items():
        for option, about in entry.options.items():
            description = f"({name}) {about.schema['description']}"
            model.setdefault(option, dict(about.schema) | {"description": description})
    return schema


def validate(
    config: Mapping[str, Any], schema: Mapping[str, Any], origin: str = PLACE
) -> dict[str, Any]:
    """A copy of `config` with defaults filled in; raises with every mistake listed."""
    checked = deepcopy(dict(config))
    raise_all(f"{origin}: {line}" for line in [*_unquoted(checked), *_unusable(checked)])
    errors = sorted(
        Draft202012Validator(schema).iter_errors(checked), key=lambda error: str(error.path)
    )
    problems = [f"{origin}: {line}" for error in errors for line in _explain(error)]
    raise_all(problems, heading=HEADING)
    _WithDefaults(schema).validate(checked)
    return checked


def _unquoted(part, place=""):
    """Keys that YAML read as numbers or dates."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part):
        if isinstance(part, dict) and not isinstance(key, str):
            yield f"{place}{key}: a name must be a word; put it in quotes"
        if isinstance(value, dict | list):
            yield from _unquoted(value, f"{place}{key}.")


def _unusable(part, place=""):
    """Texts that no file can be named by, and numbers with which nothing can be computed."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part):
        at = f"{place}{short(key)}"
        if isinstance(value, dict | list):
            yield from _unusable(value, f"{at}.")
        elif isinstance(value, float) and not isfinite(value):
            yield f"{at}: {value} is no number to compute with; write a finite one"
        elif isinstance(value, str) and not _can_be_a_name(value):
            yield f"{at}: '{short(value)}' is too long, or has characters that no name has"


def _can_be_a_name(text):
    sizes = [len(part.encode("utf-8", "replace")) for part in text.split("/")]
    return max(sizes) <= LONGEST_NAME and sum(sizes) <= LONGEST_PATH and not SURROGATE.search(text)


def _explain(error):
    """One jsonschema error as plain lines."""
    place = short(".".join(str(step) for step in error.absolute_path))
    at = f"{place}." if place else ""
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        patterns = list(error.schema.get("patternProperties", {}))
        for key in error.instance:
            if key not in known and not patterns:
                yield f"{at}{short(key)}: unknown setting; {suggestion(str(key), known)}"
            elif key not in known and not any(re.search(each, key) for each in patterns):
                yield f"{at}{short(key)}: a name must match {' or '.join(patterns)}"
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                what = error.schema["properties"].get(key, {}).get("description", "")
                yield f"{at}{key}: is missing ({what})"
    elif error.validator == "enum":
        near = get_close_matches(str(error.instance), [str(v) for v in error.validator_value], n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        choices = ", ".join(str(value) for value in error.validator_value)
        yield f"{place}: '{short(error.instance)}' is not one of {choices}{hint}"
    elif number := _number_that_yaml_reads_as_text(error):
        yield f"{place}: '{short(error.instance)}' is text in YAML; write {number}"
    elif inner := [part for part in error.context or [] if part.relative_path or _of_keys(part)]:
        yield from _explain(max(inner, key=lambda part: len(part.relative_path)))
    else:
        what = error.schema.get("description", "")
        message = error.message.replace(repr(error.instance), short(repr(error.instance)))
        yield f"{place}: {message}" + (f" ({what})" if what else "")


def _number_that_yaml_reads_as_text(error):
    """How to write 1e-3, which YAML takes for a word; None for other mistakes."""
    kinds = [str(e.validator_value) for e in (error, *error.context) if e.validator == "type"]
    if not any(kind in text for kind in ("number", "integer") for text in kinds):
        return None
    if not isinstance(error.instance, str) or not EXPONENT.fullmatch(error.instance):
        return None
    mantissa, exponent = re.split("[eE]", error.instance)
    sign = "" if exponent[0] in "+-" else "+"
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{sign}{exponent}"


def _of_keys(error):
    """Whether a mistake is one of the keys of a mapping: unknown, or missing."""
    return isinstance(error.instance, dict) and error.validator in (
        "additionalProperties",
        "required",
    )


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
