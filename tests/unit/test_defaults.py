"""Defaults that the library and the config's schema both have are the same."""

from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from rasen.helix.settings import HelixSettings
from rasen.measure.activations import DumpSettings
from rasen.measure.features import LabelSettings
from rasen.measure.summary import PerplexitySettings
from rasen.nano.make import NanoSettings
from rasen.songbloom.generation import GenerateSettings
from rasen.songbloom.stimuli import WindowSettings
from rasen.stimuli.clicks import ClickSettings
from rasen.stimuli.concepts import ConceptSettings
from rasen.stimuli.melodies import MelodySettings
from rasen.stimuli.notes import NoteSettings
from rasen.stimuli.recordings import RecordingSettings
from rasen.stimuli.texts import TextSettings
from rasen.study.config import read_schema
from rasen.study.recipe import Initialisation

SCHEMA = read_schema(Path(__file__).parents[2] / "workflow/schemas/config.schema.yaml")
PLACES = {
    HelixSettings: ("properties", "helix"),
    DumpSettings: ("properties", "activations"),
    PerplexitySettings: ("properties", "perplexity"),
    NanoSettings: ("properties", "nano"),
    NoteSettings: ("$defs", "notes"),
    ConceptSettings: ("$defs", "concepts"),
    ClickSettings: ("$defs", "clicks"),
    MelodySettings: ("$defs", "melodies"),
    RecordingSettings: ("$defs", "audio"),
    TextSettings: ("$defs", "text"),
    WindowSettings: ("$defs", "windows"),
    Initialisation: ("$defs", "start"),
    GenerateSettings: ("$defs", "generation"),
}


@pytest.mark.parametrize("kind", PLACES, ids=lambda kind: kind.__name__)
def test_the_schema_knows_every_field_and_its_default(kind):
    part, name = PLACES[kind]
    properties = SCHEMA[part][name]["properties"]
    assert {field.name for field in fields(kind)} == set(properties) - {"kind"}
    for field in fields(kind):
        default = properties[field.name].get("default", MISSING)
        if field.default is not MISSING and default is not MISSING:
            assert field.default == default, field.name


def test_the_schema_has_the_defaults_of_labels():
    """Its other settings are files and models, which jobs get as paths."""
    properties = SCHEMA["properties"]["sae"]["properties"]["label"]["properties"]
    for field in fields(LabelSettings):
        default = properties[field.name]["default"]
        assert field.default == (tuple(default) if isinstance(default, list) else default)
