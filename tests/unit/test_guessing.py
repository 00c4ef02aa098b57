"""Guessers without context: their loss is that of the same targets, and honest."""

import numpy as np
import pytest
import torch

from rasen.measure.guessing import guessed_losses, unigram_losses
from rasen.measure.perplexity import clip_losses


def test_a_uniform_guesser_is_the_model_without_weights(family, at, codes):
    """The same targets, and as many tokens to choose from: heads of zeros give its very loss."""
    network = at("trained")
    for head in network.lm_heads:
        head.weight.data.zero_()
    model = clip_losses(family, network, codes, "cpu", 3)
    guessed = guessed_losses(family, codes, batch=2)
    uniform = guessed.query("guesser == 'uniform'").reset_index(drop=True)
    for column in ("clip", "group", "targets"):
        assert uniform[column].tolist() == model[column].tolist()
    np.testing.assert_allclose(uniform["loss"], model["loss"], rtol=1e-5)
    unigram = guessed.query("guesser == 'unigram'")
    assert unigram["targets"].tolist() == uniform["targets"].tolist()
    assert np.isfinite(unigram["loss"]).all()


def test_tokens_of_a_text_are_those_that_its_loss_asks_for(language):
    texts = ("a tune in C major", "one more")
    tokens = [torch.from_numpy(language.encode(text, "cpu")["tokens"]) for text in texts]
    padded = torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True)
    batch = {"tokens": padded, "lengths": torch.tensor([len(each) for each in tokens])}
    wanted = language.wanted(batch)
    for row, own in zip(wanted[:, 0], tokens, strict=True):
        assert row[row >= 0].tolist() == own[1:].tolist()
    assert wanted.max() < language.cardinality


def test_unigrams_are_those_of_the_other_clips():
    """By hand: of three tokens, two of them different, among five possible ones."""
    own, others = np.array([0, 0, 3]), np.array([0, 0, 1])
    losses = unigram_losses([own, others], 5)
    seen, unseen = (2 + 2 / 5) / 5, (2 / 5) / 5
    assert losses[0] == pytest.approx(-2 * np.log(seen) - np.log(unseen))
    probabilities = [seen, (1 + 2 / 5) / 5, *[unseen] * 3]
    assert sum(probabilities) == pytest.approx(1)


def test_a_clip_does_not_tell_of_itself(rng):
    """Each clip has tokens of its own: their frequencies would promise much, and help nobody."""
    clips = [np.full(50, clip) for clip in range(20)]
    losses = unigram_losses(clips, 20)
    assert (losses > 50 * np.log(20)).all()  # worse than uniform, whose entropy is log 20
    shares = np.array([0.5, 0.3, 0.1, 0.1])
    alike = [rng.choice(4, 2000, p=shares) for _ in range(5)]
    entropy = -(shares * np.log(shares)).sum()
    assert unigram_losses(alike, 4).sum() / 10_000 == pytest.approx(entropy, rel=0.02)


def test_one_clip_alone_or_an_empty_one_is_guessed_uniformly():
    assert unigram_losses([np.array([1, 1])], 8) == pytest.approx(2 * np.log(8))
    assert unigram_losses([np.array([1]), np.array([], int)], 8) == pytest.approx([np.log(8), 0])
