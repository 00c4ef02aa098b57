"""Songs: from recordings and lyrics to a training set, stage by stage.

    corpus, reasons         the sheet of songs, split into batches; why songs are rejected
    layout                  where the files lie
    ledger                  one stage over a batch of songs, resumable, with the outcome of each
    recording, audio_measures  any audio file as samples; level, silence, fingerprint
    stems                   vocals and accompaniment (Demucs)
    lyrics, align, alignment  the known lyrics aligned to the vocals (WhisperX), and as a file
    structure               verse, chorus, bridge, intro, inst, outro
    phonemes                lyrics with structure flags as phoneme ids
    sample, codebook        sketch tokens: a codebook trained on a sample of the corpus
    shards, duplicates, index  the training set as files and tables
    dataset, export         for training: windows of songs; the same as tar files
    demo                    songs and small models to try it with

The networks are in `rasen.networks`: MuQ and the VAE, and `frames`, the frame rate that sketch and
latents share. A stage opens its models once and processes songs one by one; a song that cannot be
used raises a `SongError`, which `ledger` records while the others go on.
"""
