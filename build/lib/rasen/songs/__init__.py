"""Songs: from recordings and lyrics to a training set, stage by stage.

    corpus, reasons       the sheet of songs, dealt into batches; why songs fall out
    ledger                one stage over a batch: what each song came to
    recording, listening  any audio file as samples; level, silence, fingerprint
    stems                 vocals and accompaniment (Demucs)
    lyrics, align         the known lyrics, found in the vocals (WhisperX)
    structure             verse, chorus, bridge, intro, inst, outro
    phonemes              lyrics with structure flags as phoneme ids
    frames                the clock of what follows: 25 a second, in patches of 16
    muq, codebook, sample sketch tokens: MuQ embeddings, one codebook from a sample of the corpus
    vae, oobleck          acoustic latents of the stable-audio VAE; its checkpoint formats
    shards, duplicates, index  the training set as files and tables
    dataset, export       what training reads; the same as tar files
    demo                  songs and small models to try it with

A stage opens its model once and takes songs one by one; a song that cannot go on raises a
`SongError`, which `ledger` writes down while the others go on.
"""
