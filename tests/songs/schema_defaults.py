"""Default settings of the song stages, as the schema of the config has them."""

from pathlib import Path

import yaml

from rasen.io.json_dataclass import from_dict

SCHEMA = Path(__file__).parents[2] / "workflow/schemas/config.schema.yaml"
LEFT_OUT = ("batch", "precision")  # no results depend on them, or not on those of these stages


def default_settings(kind, part, **changes):
    """The dataclass `kind` of a section of `songs`, with the schema's defaults and `changes`.

    Reads the schema by itself: rasen.study.config needs jsonschema, which the songs' environment
    lacks.
    """
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    properties = schema["properties"]["songs"]["properties"][part]["properties"]
    defaults = {
        name: about["default"] for name, about in properties.items() if name not in LEFT_OUT
    }
    return from_dict(kind, defaults | changes)
