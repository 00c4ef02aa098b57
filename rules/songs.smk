# Songs: from recordings and lyrics to stems, words, sections, phonemes, tokens and latents, a batch
# of songs per job.
#   needs    songs.sheet, the models named under `songs`
#   makes    results/songs/{song}/...    results/batches/{stage}/{batch}.parquet (outcome of each song)

STRUCTURE_ENV = "allin1" if SONGS["structure"]["backend"] == "allin1" else "core"
STRUCTURE_KEYS = ["backend"] + ["model"] * (STRUCTURE_ENV == "allin1")
# `batch` changes no result; a codebook is trained in float32, whatever `precision` says.
ALIGN_KEYS, LATENT_KEYS, CODEBOOK_KEYS = [
    [key for key in SONGS[part] if key not in ("batch", *others)]
    for part, *others in (("align",), ("latents",), ("sketch", "precision"))
]


rule check_song_weights:
    """Verify a model of songs or scores by the config's checksums; record a hash of each file."""
    input:
        lambda wildcards: checkpoints.made_by_rule(
            SONG_WEIGHTS[wildcards.place].weights
        )
        or [],
    output:
        certificate="results/weights/songs/{place}.json",
        kept="results/weights/songs/{place}.tsv",
    log:
        "logs/check_song_weights/{place}.log",
    wildcard_constraints:
        place="|".join(map(re.escape, SONG_WEIGHTS)) or "none",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(30),
    params:
        needs=lambda wildcards: (
            "scores" if wildcards.place.startswith("mulan.") else "songs"
        ),
        folder=lambda wildcards: checkpoints.local_folder(
            SONG_WEIGHTS[wildcards.place].weights
        ),
        expected=lambda wildcards: json.dumps(
            SONG_WEIGHTS[wildcards.place].sha256, sort_keys=True
        ),
        own=lambda wildcards: own_hashes(
            [
                (
                    SONG_WEIGHTS[wildcards.place].weights,
                    SONG_WEIGHTS[wildcards.place].files,
                )
            ],
            f"results/weights/songs/{wildcards.place}.json",
        ),
        files=lambda wildcards: named_files(
            [
                (
                    SONG_WEIGHTS[wildcards.place].weights,
                    SONG_WEIGHTS[wildcards.place].files,
                )
            ]
        ),
        code=code("check_song_weights.py"),
    shell:
        "rasen core check_song_weights.py --folder {params.folder:q} --expected {params.expected:q}"
        " --own {params.own:q} --files {params.files:q} --certificate {output.certificate:q}"
        " --kept {output.kept:q} > {log:q} 2>&1"


rule measure_recordings:
    """Read every recording once: level, silence, fingerprint, and whether it is usable."""
    input:
        named_in_sheet("audio"),
    output:
        ledger="results/batches/measure_recordings/{batch}.parquet",
    log:
        "logs/measure_recordings/{batch}.log",
    benchmark:
        "results/benchmarks/measure_recordings/{batch}.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=song_memory(1000),
        runtime=growing(30),
    params:
        needs="songs",
        rows=lambda wildcards: BATCHES[wildcards.batch].to_json(orient="records"),
        sheet=SONGS["sheet"],
        size=SONGS["batch"],
        settings=json.dumps(
            {key: SONGS[key] for key in ("shortest", "longest")}, sort_keys=True
        ),
        code=code("measure_recordings.py"),
    shell:
        "rasen core measure_recordings.py --sheet {params.sheet:q} --batch {wildcards.batch}"
        " --size {params.size} --settings {params.settings:q} --songs results/songs"
        " --code {params.code} --ledger {output.ledger} > {log} 2>&1"


rule describe_music:
    """Tempo, key and loudness of every song: estimates, as columns of the index."""
    input:
        recordings="results/batches/measure_recordings/{batch}.parquet",
    output:
        ledger="results/batches/describe_music/{batch}.parquet",
    log:
        "logs/describe_music/{batch}.log",
    benchmark:
        "results/benchmarks/describe_music/{batch}.tsv"
    conda:
        "../envs/songs.yaml"
    resources:
        mem_mb=song_memory(1000),
        runtime=growing(60),
    params:
        needs="songs",
        code=code("describe_music.py", "songs"),
    shell:
        "rasen songs describe_music.py --recordings {input.recordings} --songs results/songs"
        " --code {params.code} --ledger {output.ledger} > {log} 2>&1"


rule separate_stems:
    """Vocals and accompaniment (the mix without the vocals): given, or by Demucs."""
    input:
        named_in_sheet("vocals", "accompaniment"),
        recordings="results/batches/measure_recordings/{batch}.parquet",
        models=song_model_files("separate"),
    output:
        ledger="results/batches/separate_stems/{batch}.parquet",
    log:
        "logs/separate_stems/{batch}.log",
    benchmark:
        "results/benchmarks/separate_stems/{batch}.tsv"
    conda:
        "../envs/songs.yaml"
    threads: SONGS["threads"]
    resources:
        mem_mb=song_memory(SONGS["memory"]),
        runtime=growing(SONGS["runtime"]),
        gpu=gpus,
        device=SONGS["device"],
    params:
        needs="songs",
        settings=song_settings("separate"),
        code=code("separate_stems.py", "songs"),
    shell:
        "rasen songs separate_stems.py --recordings {input.recordings} --songs results/songs"
        " --settings {params.settings:q} --device {resources.device} --code {params.code}"
        " --ledger {output.ledger} > {log} 2>&1"


rule align_lyrics:
    """The known lyrics aligned to the vocals: words with times and scores; unsung lines dropped."""
    input:
        named_in_sheet("lyrics"),
        recordings="results/batches/measure_recordings/{batch}.parquet",
        stems="results/batches/separate_stems/{batch}.parquet",
        models=lambda wildcards: song_models.song_model_files(
            align_config(wildcards), "align"
        ),
    output:
        ledger="results/batches/align_lyrics/{batch}.parquet",
    log:
        "logs/align_lyrics/{batch}.log",
    benchmark:
        "results/benchmarks/align_lyrics/{batch}.tsv"
    conda:
        "../envs/songs.yaml"
    threads: SONGS["threads"]
    resources:
        mem_mb=song_memory(SONGS["memory"]),
        runtime=growing(SONGS["runtime"]),
        gpu=gpus,
        device=SONGS["device"],
        batch=SONGS["align"]["batch"],
    params:
        needs="songs",
        settings=lambda wildcards: song_models.song_settings(
            align_config(wildcards)["songs"], "align", *ALIGN_KEYS
        ),
        code=code("align_lyrics.py", "songs"),
    shell:
        "rasen songs align_lyrics.py --recordings {input.recordings} --stem-ledger {input.stems}"
        " --songs results/songs --settings {params.settings:q} --device {resources.device}"
        " --threads {threads} --at-once {resources.batch} --code {params.code} --ledger {output.ledger} > {log} 2>&1"


rule tag_structure:
    """The sections of every song: verse, chorus, bridge, intro, inst, outro."""
    input:
        named_in_sheet("structure"),
        recordings="results/batches/measure_recordings/{batch}.parquet",
        stems="results/batches/separate_stems/{batch}.parquet",
        lyrics="results/batches/align_lyrics/{batch}.parquet",
        models=song_model_files("structure"),
    output:
        ledger="results/batches/tag_structure/{batch}.parquet",
    log:
        "logs/tag_structure/{batch}.log",
    benchmark:
        "results/benchmarks/tag_structure/{batch}.tsv"
    conda:
        f"../envs/{STRUCTURE_ENV}.yaml"
    threads: SONGS["threads"] if STRUCTURE_ENV == "allin1" else 1
    resources:
        mem_mb=song_memory(2000),
        runtime=growing(SONGS["runtime"] if STRUCTURE_ENV == "allin1" else 30),
        gpu=gpus if STRUCTURE_ENV == "allin1" else 0,
        device=SONGS["device"],
    params:
        needs="songs",
        env=STRUCTURE_ENV,
        settings=song_settings("structure", *STRUCTURE_KEYS),
        code=code("tag_structure.py", STRUCTURE_ENV),
    shell:
        "rasen {params.env} tag_structure.py --recordings {input.recordings} --stem-ledger {input.stems}"
        " --lyrics-ledger {input.lyrics} --songs results/songs --settings {params.settings:q}"
        " --device {resources.device} --code {params.code} --ledger {output.ledger} > {log} 2>&1"


rule write_phonemes:
    """The lyrics as phoneme ids, a structure flag before each section."""
    input:
        recordings="results/batches/measure_recordings/{batch}.parquet",
        lyrics="results/batches/align_lyrics/{batch}.parquet",
        structure="results/batches/tag_structure/{batch}.parquet",
        files=[SONGS["phonemes"][key] or [] for key in ("dictionary", "vocabulary")],
    output:
        ledger="results/batches/write_phonemes/{batch}.parquet",
    log:
        "logs/write_phonemes/{batch}.log",
    benchmark:
        "results/benchmarks/write_phonemes/{batch}.tsv"
    conda:
        "../envs/songs.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        settings=song_settings("phonemes"),
        code=code("write_phonemes.py", "songs"),
    shell:
        "rasen songs write_phonemes.py --recordings {input.recordings} --lyrics-ledger {input.lyrics}"
        " --structure-ledger {input.structure} --songs results/songs --settings {params.settings:q}"
        " --code {params.code} --ledger {output.ledger} > {log} 2>&1"


rule gather_recordings:
    """One table of all recordings of the corpus."""
    input:
        ledgers=per_batch("results/batches/measure_recordings/{batch}.parquet"),
        # for train_codebook, which may not get an input more than it ever had: it would run again
        models=song_model_files("sketch"),
    output:
        recordings="results/tables/recordings.parquet",
    log:
        "logs/gather_recordings.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        needs="songs",
        batches=len(BATCHES),
        code=code("gather_recordings.py"),
    shell:
        "rasen core gather_recordings.py --batches {params.batches} --results results"
        " --recordings {output.recordings} > {log} 2>&1"


rule train_codebook:
    """The codebook of the sketch, trained on a sample of the corpus as it is when this first runs.

    Neither new songs nor new code train it again (no `code` below): the tokens of a model that is
    being trained must keep their meaning.
    """
    input:
        recordings=ancient("results/tables/recordings.parquet"),
        models=song_models.song_model_folders(config, "sketch"),
    output:
        codebook="results/sketch/codebook.safetensors",
        report="results/sketch/codebook.json",
    log:
        "logs/train_codebook.log",
    benchmark:
        "results/benchmarks/train_codebook.tsv"
    conda:
        "../envs/songs.yaml"
    threads: SONGS["threads"]
    resources:
        mem_mb=song_memory(SONGS["memory"]),
        runtime=growing(SONGS["runtime"]),
        gpu=gpus,
        device=SONGS["device"],
    params:
        needs="songs",
        settings=song_settings("sketch", *CODEBOOK_KEYS),
        seed=config["seed"],
    shell:
        "rasen songs train_codebook.py --recordings {input.recordings} --seed {params.seed}"
        " --settings {params.settings:q} --device {resources.device}"
        " --codebook {output.codebook} --report {output.report} > {log} 2>&1"


rule encode_sketch:
    """Sketch tokens, 25 per second: MuQ embeddings, each as its nearest code."""
    input:
        recordings="results/batches/measure_recordings/{batch}.parquet",
        codebook=SONGS["sketch"]["codebook"] or rules.train_codebook.output.codebook,
        models=song_model_files("sketch"),
    output:
        ledger="results/batches/encode_sketch/{batch}.parquet",
    log:
        "logs/encode_sketch/{batch}.log",
    benchmark:
        "results/benchmarks/encode_sketch/{batch}.tsv"
    conda:
        "../envs/songs.yaml"
    threads: SONGS["threads"]
    resources:
        mem_mb=song_memory(SONGS["memory"]),
        runtime=growing(SONGS["runtime"]),
        gpu=gpus,
        device=SONGS["device"],
        batch=SONGS["sketch"]["batch"],
    params:
        needs="songs",
        settings=song_settings("sketch", "model", "layer", "window", "precision"),
        code=code("encode_sketch.py", "songs"),
    shell:
        "rasen songs encode_sketch.py --recordings {input.recordings} --codebook {input.codebook:q}"
        " --songs results/songs --settings {params.settings:q} --device {resources.device}"
        " --at-once {resources.batch} --code {params.code} --ledger {output.ledger} > {log} 2>&1"


rule encode_latents:
    """Acoustic latents, 25 per second, with the frames of the sketch: the VAE's means and scales."""
    input:
        recordings="results/batches/measure_recordings/{batch}.parquet",
        models=song_model_files("latents"),
    output:
        ledger="results/batches/encode_latents/{batch}.parquet",
    log:
        "logs/encode_latents/{batch}.log",
    benchmark:
        "results/benchmarks/encode_latents/{batch}.tsv"
    conda:
        "../envs/songs.yaml"
    threads: SONGS["threads"]
    resources:
        mem_mb=song_memory(SONGS["memory"]),
        runtime=growing(SONGS["runtime"]),
        gpu=gpus,
        device=SONGS["device"],
        batch=SONGS["latents"]["batch"],
    params:
        needs="songs",
        settings=song_settings("latents", *LATENT_KEYS),
        code=code("encode_latents.py", "songs"),
    shell:
        "rasen songs encode_latents.py --recordings {input.recordings} --songs results/songs"
        " --settings {params.settings:q} --device {resources.device}"
        " --at-once {resources.batch} --code {params.code}"
        " --ledger {output.ledger} > {log} 2>&1"
