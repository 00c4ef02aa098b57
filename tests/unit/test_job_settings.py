"""Settings of jobs: read from the JSON of a command line, wrong values refused with the cure."""

import pytest

from rasen.errors import RasenError
from rasen.io.json_dataclass import from_json
from rasen.measure.summary import PerplexitySettings
from rasen.nano.make import NanoSettings


def test_settings_come_from_the_configs_json():
    assert from_json(NanoSettings, '{"seed": 3, "steps": 40}') == NanoSettings(seed=3, steps=40)
    assert from_json(PerplexitySettings, '{"bootstrap": 500}') == PerplexitySettings(500)


@pytest.mark.parametrize(
    ("settings", "text", "message"),
    [
        (NanoSettings, '{"steps": 0}', "nano.steps: 0; give 1 or more"),
        (NanoSettings, '{"step": 5}', "no field 'step'; did you mean 'steps'?"),
        (PerplexitySettings, '{"bootstrap": 0}', "perplexity.bootstrap: 0; give 1 or more"),
    ],
)
def test_wrong_settings_are_refused(settings, text, message):
    with pytest.raises(RasenError, match=message.replace("?", r"\?")):
        from_json(settings, text)
