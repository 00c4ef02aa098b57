"""The octave of a model that has one, and of one that has none."""

import controls
import pytest


@pytest.mark.parametrize("interval", [12, 11])
def test_a_model_earns_the_octave_that_its_music_needs(interval, tmp_path):
    """Notes answered octaves away need the pitch class; answered 11 semitones away, they do not."""
    table = controls.control(interval, 0, tmp_path / "nano").set_index("layer")
    trained = table.loc[1:]  # the embedding says what the codec hears
    if interval == 12:
        assert (trained["verdict"] == "octave").all()
        assert trained["octave_p"].max() < 1e-3
        assert (trained["held_out_octave"] > 1.5 / 12).all()
        assert trained["fourier_period"].between(11.5, 12.5).all()
    else:
        assert not (table["verdict"] == "octave").any()
        assert trained["octave_p"].min() > 0.05
        assert trained["fourier_period"].between(10.5, 11.5).all()
        assert (trained["folding"] < trained["folding_rival"]).all()
