"""The training set of songs."""
# ruff: noqa: E501 (one line a column)

from rasen.dictionary.table import table

MEASURES = """peak: greatest magnitude of a sample; 1 is full scale
clipping, silence: shares of clipped samples, and of stretches of a tenth of a second below -60 dB
match_ratio: share of the lyrics' words that were found in the recording
score: mean score of the words (0 to 1)
tempo [beats per minute]: an estimate, may be the half or double
loudness [LUFS]: by ITU-R BS.1770"""
TIMES = "start, end [s]: in the recording"

TABLES = (
    table("songs", "The training set, one row per song. `songs.md` beside it is its card: hours, licences, sections, filters, weights, and what is not known.", f"""
song
artist, language, license: of the sheet
seconds [s]: length of the recording
inventory: hash of the list of phonemes
vocabulary: how many ids its phonemes have
checksum: of all that the shard holds of it
offset, frames [frames of 1/25 s]: where it begins in the shard, and its length
shard: the file `shards/{{shard}}.h5`
{MEASURES}
lyrics: `given`, or `asr` where Whisper wrote them; `none` of an instrumental
way: how the lines were found: by `lrc` times, in Whisper's words (`recognised`), among the `turns` of the voice; `none` of an instrumental
music_key: an estimate, such as `A minor`
codebook, vae: hashes of what made its sketch and latents
split: `train`, `valid` or `test`; all songs of an artist are in one
"""),
    table("quarantine", "One row per rejected song and stage that rejects it.", f"""
song
stage: which stage rejects it
reason, detail: the reason in one word, and the facts
meaning, cure: what the reason means, and what to do
seconds [s]: length of the recording
{MEASURES}
"""),
    table("sections", "The sections of all songs, rejected ones too, one row per section.", f"""
song
{TIMES}
label: verse, chorus, bridge, intro, inst, outro and the like, as the backend says
backend: what found it
confidence: of the backend (0 to 1); empty where it gives none
"""),
    table("lines", "The lyrics of the training set, one row per line.", f"""
song
line: its number in the lyrics, from 0
text: the line
paragraph: number of its paragraph
section: flag of its section: verse, chorus, bridge, intro, inst, outro
backing: sung by backing vocals (in parentheses)
overlaps: sung while another kept line is
kept, reason: whether it is used, and why it is not
{TIMES}
score: mean score of its words
match: share of its words that were transcribed
surprise [standard deviations]: by which a line that was found without a transcript fits the sound better than other text does
"""),
    table("words", "The words of the kept lines, one row per word.", f"""
song
line, index: number of the line, and of the word in it
word: the word
{TIMES}
score: how well it fits the sound (0 to 1)
source: `lyrics`, or `recovered` where the transcript has a word that the lyrics lack
"""),
    table("recordings", "Every recording of the sheet, also rejected ones, one row each.", """
song
outcome: `ok`, or `out` where it is rejected
reason, detail: why
seconds [s]: length
rate [Hz]: samples per second
channels: how many
peak: greatest magnitude of a sample; 1 is full scale
clipping, silence: shares of clipped samples, and of stretches of a tenth of a second below -60 dB
key: hash of the recording, by which a later run sees that it changed
audio, lyrics, language, artist, structure, vocals, accompaniment, license: the sheet's columns
"""),
)  # fmt: skip
