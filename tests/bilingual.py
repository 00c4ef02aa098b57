"""A tiny bilingual language model: corpus, tokenizer, training run with its checkpoints.

The corpus is made from templates over a planted dictionary. Every meaning has a word in English
letters and one in kana; some have a second word, a synonym. Meanings belong to topics, and a
sentence keeps to one topic, in the word order of its language:

    the ADJECTIVE NOUN VERB the NOUN .         ADJECTIVE NOUN は NOUN を VERB 。

A line holds sentences of one language, or sentences followed by their translations.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rasen.families import open_family
from rasen.measure.interpolate import initial_tensors
from rasen.study.recipe import Initialisation
from rasen.weights.network_tensors import load_into

TOPICS, NOUNS, VERBS, ADJECTIVES = 8, 12, 4, 4  # topics, and words of each kind per topic
SYNONYMS = 0.3  # of the meanings have a second word in either language
WINDOW, BATCH, RATE = 40, 16, 3e-3
INITIAL = Initialisation()
LATIN = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
KANA = list(
    "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワ"
)


class Corpus(NamedTuple):
    lines: list  # of words with spaces between, as a tokenizer wants them
    meanings: dict  # {word: name of its meaning}, the planted dictionary


def corpus(lines=2000, translated=0.3, seed=0):
    """A Corpus; `translated`: share of lines in which a translation follows."""
    rng = np.random.default_rng(seed)
    words, meanings = _dictionary(rng)
    lines_of_words = []
    for _ in range(lines):
        topic = rng.integers(TOPICS)
        clauses = [_clause(topic, rng) for _ in range(4)]
        first = rng.choice(["en", "ja"])
        if rng.random() < translated:
            second = {"en": "ja", "ja": "en"}[first]
            spoken = [
                (clauses[0], first),
                (clauses[0], second),
                (clauses[1], first),
                (clauses[1], second),
            ]
        else:
            spoken = [(clause, first) for clause in clauses]
        sentences = [_sentence(*clause, words, rng) for clause in spoken]
        lines_of_words.append(" ".join(sentences))
    return Corpus(lines_of_words, meanings)


def _dictionary(rng):
    """{(meaning, language): its words}, and {word: meaning}."""
    words, meanings = {}, {}
    kinds = [("noun", NOUNS), ("verb", VERBS), ("adjective", ADJECTIVES)]
    for topic in range(TOPICS):
        for kind, count in kinds:
            for number in range(count):
                meaning = (topic, kind, number)
                for language, syllables in (("en", LATIN), ("ja", KANA)):
                    synonyms = []
                    while len(synonyms) < 1 + (rng.random() < SYNONYMS):
                        word = "".join(rng.choice(syllables, 3))
                        if word not in meanings:
                            meanings[word] = f"{kind} {topic}.{number}"
                            synonyms.append(word)
                    words[meaning, language] = synonyms
    return words, meanings


def _clause(topic, rng):
    """Meanings of adjective, noun, verb, noun."""
    first, second = rng.choice(NOUNS, 2, replace=False)
    adjective, verb = rng.integers(ADJECTIVES), rng.integers(VERBS)
    return [
        (topic, "adjective", adjective),
        (topic, "noun", first),
        (topic, "verb", verb),
        (topic, "noun", second),
    ]


def _sentence(clause, language, words, rng):
    adjective, noun, verb, other = (rng.choice(words[meaning, language]) for meaning in clause)
    if language == "en":
        return f"the {adjective} {noun} {verb} the {other} ."
    return f"{adjective} {noun} は {other} を {verb} 。"


def make(folder, lines, steps=300, keep=(10, 100), width=64, depth=3):
    """Train on `lines` from the point `untrained` (INITIAL); write the model and step folders."""
    folder = Path(folder)
    tokenizer = _tokenizer(lines)
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=depth,
        num_attention_heads=4,
        max_position_embeddings=WINDOW,
        bos_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=True,
    )
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(folder)
    network = LlamaForCausalLM(config)
    family = open_family("causal_lm", folder, {"window": WINDOW})
    load_into(network, initial_tensors(family, INITIAL))
    tokens = torch.tensor(_windows(tokenizer, lines))
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for step in range(1, steps + 1):
        batch = tokens[torch.randint(len(tokens), (BATCH,), generator=generator)]
        loss = network(input_ids=batch, labels=batch.masked_fill(batch == 1, -100)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step in keep:
            network.save_pretrained(folder / "checkpoints" / f"step-{step:06d}")
    network.save_pretrained(folder)
    return losses


def _tokenizer(lines):
    """One token per word; </s> pads."""
    known = sorted({word for line in lines for word in line.split()})
    vocabulary = {word: number for number, word in enumerate(["<s>", "</s>", "<unk>", *known])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def _windows(tokenizer, lines):
    """Tokens [line, WINDOW], each line from <s>, padded with </s>."""
    windows = [[0, *tokenizer(line)["input_ids"]][:WINDOW] for line in lines]
    return [tokens + [1] * (WINDOW - len(tokens)) for tokens in windows]
