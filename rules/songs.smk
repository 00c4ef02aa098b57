# Songs: from a folder of recordings and lyrics to a training set, so many songs a job.
#   needs    songs.sheet, the models named under `songs`
#   makes    results/tables/{songs,quarantine,lines,words}.parquet    results/shards/{batch}.h5
#            results/songs/{song}/...    results/batches/{stage}/{batch}.parquet (what each came to)

STRUCTURE_ENV = "allin1" if SONGS["structure"]["backend"] == "allin1" else "core"
STRUCTURE_KEYS = ["backend"] + ["model"] * (STRUCTURE_ENV == "allin1")
ALIGN_KEYS = [
    key for key in SONGS["align"] if key != "batch"
]  # which changes no result


rule measure_recordings:
    """Read every recording once: what it is, how it sounds, whether it can be used."""
    input:
        lambda wildcards: places.recordings(BATCHES[wildcards.batch]["audio"]),
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
        rows=lambda wildcards: BATCHES[wildcards.batch].to_json(orient="records"),
        sheet=SONGS["sheet"],
        size=SONGS["batch"],
        settings=json.dumps({key: SONGS[key] for key in ("shortest", "longest")}),
        code=code("measure_recordings.py"),
    shell:
        "rasen core measure_recordings.py --sheet {params.sheet:q} --batch {wildcards.batch}"
        " --size {params.size} --settings {params.settings:q} --songs results/songs"
        " --code {params.code} --ledger {output.ledger} > {log} 2>&1"


rule separate_stems:
    """Vocals and accompaniment (the mix without the vocals), by Demucs."""
    input:
        recordings="results/batches/measure_recordings/{batch}.parquet",
        models=song_models("separate"),
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
        settings=song_settings("separate"),
        code=code("separate_stems.py", "songs"),
    shell:
        "rasen songs separate_stems.py --recordings {input.recordings} --songs results/songs"
        " --settings {params.settings:q} --device {resources.device} --code {params.code}"
        " --ledger {output.ledger} > {log} 2>&1"


rule align_lyrics:
    """The known lyrics found in the vocals: words with times and scores; what is not sung is left out."""
    input:
        lambda wildcards: places.recordings(BATCHES[wildcards.batch]["lyrics"]),
        recordings="results/batches/measure_recordings/{batch}.parquet",
        stems="results/batches/separate_stems/{batch}.parquet",
        models=song_models("align"),
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
        settings=song_settings("align", *ALIGN_KEYS),
        code=code("align_lyrics.py", "songs"),
    shell:
        "rasen songs align_lyrics.py --recordings {input.recordings} --stem-ledger {input.stems}"
        " --songs results/songs --settings {params.settings:q} --device {resources.device}"
        " --threads {threads} --at-once {resources.batch} --code {params.code} --ledger {output.ledger} > {log} 2>&1"


rule tag_structure:
    """Verse, chorus, bridge, intro, inst, outro."""
    input:
        lambda wildcards: places.recordings(BATCHES[wildcards.batch]["structure"]),
        recordings="results/batches/measure_recordings/{batch}.parquet",
        stems="results/batches/separate_stems/{batch}.parquet",
        lyrics="results/batches/align_lyrics/{batch}.parquet",
        models=song_models("structure"),
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
        runtime=growing(SONGS["runtime"]),
        gpu=gpus if STRUCTURE_ENV == "allin1" else 0,
        device=SONGS["device"],
    params:
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
        ledgers=of_songs("measure_recordings"),
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
        batches=len(BATCHES),
        code=code("gather_recordings.py"),
    shell:
        "rasen core gather_recordings.py --batches {params.batches} --results results"
        " --recordings {output.recordings} > {log} 2>&1"


rule train_codebook:
    """The codes of the sketch, from a sample of the corpus as it is when this first runs.

    Neither a corpus that grows nor new code trains them again (no `code` below): tokens must not
    change their meaning under a model in training.
    """
    input:
        recordings=ancient("results/tables/recordings.parquet"),
        models=song_models("sketch"),
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
        settings=song_settings("sketch"),
        seed=config["seed"],
    shell:
        "rasen songs train_codebook.py --recordings {input.recordings} --seed {params.seed}"
        " --settings {params.settings:q} --device {resources.device}"
        " --codebook {output.codebook} --report {output.report} > {log} 2>&1"


rule encode_sketch:
    """Sketch tokens, 25 a second: MuQ embeddings, each as its nearest code."""
    input:
        recordings="results/batches/measure_recordings/{batch}.parquet",
        codebook=SONGS["sketch"]["codebook"] or rules.train_codebook.output.codebook,
        models=song_models("sketch"),
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
    params:
        settings=song_settings("sketch", "model", "layer", "window"),
        code=code("encode_sketch.py", "songs"),
    shell:
        "rasen songs encode_sketch.py --recordings {input.recordings} --codebook {input.codebook:q}"
        " --songs results/songs --settings {params.settings:q} --device {resources.device}"
        " --code {params.code} --ledger {output.ledger} > {log} 2>&1"


rule encode_latents:
    """Acoustic latents, 25 a second, in step with the sketch: the VAE's means and scales."""
    input:
        recordings="results/batches/measure_recordings/{batch}.parquet",
        models=song_models("latents"),
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
    params:
        settings=song_settings("latents"),
        code=code("encode_latents.py", "songs"),
    shell:
        "rasen songs encode_latents.py --recordings {input.recordings} --songs results/songs"
        " --settings {params.settings:q} --device {resources.device} --code {params.code}"
        " --ledger {output.ledger} > {log} 2>&1"


rule write_shard:
    """The songs of a batch that came through every stage, in one file."""
    input:
        ledgers=expand(
            "results/batches/{stage}/{{batch}}.parquet",
            stage=[stage for stage in corpus.STAGES if stage != "separate_stems"],
        ),
    output:
        shard="results/shards/{batch}.h5",
    log:
        "logs/write_shard/{batch}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        code=code("write_shard.py"),
    shell:
        "rasen core write_shard.py --ledger {input.ledgers} --songs results/songs"
        " --code {params.code} --shard {output.shard} > {log} 2>&1"


rule index_songs:
    """The training set as a table, the quarantine with a reason for every song that fell out."""
    input:
        ledgers=of_songs(*corpus.STAGES),
        shards=of_songs("shards"),
    output:
        songs="results/tables/songs.parquet",
        quarantine="results/tables/quarantine.parquet",
        lines="results/tables/lines.parquet",
        words="results/tables/words.parquet",
    log:
        "logs/index_songs.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        settings=json.dumps({key: SONGS[key] for key in ("filters", "splits")}),
        seed=config["seed"],
        batches=len(BATCHES),
        code=code("index_songs.py"),
    shell:
        "rasen core index_songs.py --batches {params.batches} --results results"
        " --settings {params.settings:q} --seed {params.seed} --index {output.songs}"
        " --quarantine {output.quarantine} --lines {output.lines} --words {output.words}"
        " > {log} 2>&1"


rule plot_songs:
    """What became of the songs, and how well their lyrics were found."""
    input:
        songs="results/tables/songs.parquet",
        quarantine="results/tables/quarantine.parquet",
    output:
        figure=report(
            "results/figures/songs.svg",
            caption="../workflow/report/songs.rst",
            category="Songs",
        ),
    log:
        "logs/plot_songs.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        filters=json.dumps(SONGS["filters"]),
        code=code("plot_songs.py"),
    shell:
        "rasen core plot_songs.py --songs {input.songs} --quarantine {input.quarantine}"
        " --filters {params.filters:q} --figure {output.figure} > {log} 2>&1"


rule export_songs:
    """A shard as tar files in the WebDataset layout, for object stores; asked for by its name."""
    input:
        songs="results/tables/songs.parquet",
        shard="results/shards/{batch}.h5",
    output:
        folder=directory("results/export/songs/{batch}"),
    log:
        "logs/export_songs/{batch}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        code=code("export_songs.py"),
    shell:
        "rasen core export_songs.py --songs {input.songs} --shard {input.shard}"
        " --folder {output.folder} > {log} 2>&1"


rule songs:
    """The training set, its quarantine and a picture of both."""
    input:
        "results/tables/songs.parquet",
        "results/figures/songs.svg",
