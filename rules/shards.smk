# Shards: the training set as files and tables, and the quarantine of rejected songs with reasons.
#   needs    results/batches/{stage}/{batch}.parquet, results/songs/{song}/...
#   makes    results/shards/{batch}.h5    results/tables/{songs,quarantine,lines,words,sections}.parquet, songs.md


rule write_shard:
    """The songs of a batch that passed every stage, in one file."""
    input:
        ledgers=expand(
            "results/batches/{stage}/{{batch}}.parquet",
            stage=[stage for stage in layout.STAGES if stage != "separate_stems"],
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
        mono=SONGS["latents"]["mono"],
        code=code("write_shard.py"),
    shell:
        "rasen core write_shard.py --ledger {input.ledgers} --songs results/songs"
        " --mono {params.mono} --code {params.code} --shard {output.shard} > {log} 2>&1"


rule index_songs:
    """The training set as a table, and the quarantine: every rejected song with its reason."""
    input:
        ledgers=[
            file
            for stage in layout.STAGES
            for file in per_batch(f"results/batches/{stage}/{{batch}}.parquet")
        ],
        shards=per_batch("results/shards/{batch}.h5"),
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
        settings=json.dumps(
            {key: SONGS[key] for key in ("filters", "splits")}, sort_keys=True
        ),
        seed=config["seed"],
        batches=len(BATCHES),
        code=code("index_songs.py"),
    shell:
        "rasen core index_songs.py --batches {params.batches} --results results"
        " --settings {params.settings:q} --seed {params.seed} --index {output.songs}"
        " --quarantine {output.quarantine} --lines {output.lines} --words {output.words}"
        " > {log} 2>&1"


rule thin_stems:
    """The stems recompressed or deleted, as `songs.stems` says, when there is an index.

    A new index alone thins nothing again (`ancient`).
    """
    input:
        index=ancient("results/tables/songs.parquet"),
        stems="results/batches/separate_stems/{batch}.parquet",
        structure="results/batches/tag_structure/{batch}.parquet",
    output:
        ledger="results/batches/thin_stems/{batch}.parquet",
    log:
        "logs/thin_stems/{batch}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=song_memory(1000),
        runtime=growing(60),
    params:
        policy=SONGS["stems"],
        code=code("thin_stems.py"),
    shell:
        "rasen core thin_stems.py --stem-ledger {input.stems} --structure-ledger {input.structure}"
        " --songs results/songs --policy {params.policy} --ledger {output.ledger} > {log} 2>&1"


rule gather_sections:
    """The sections of all songs in one table."""
    input:
        ledgers=per_batch("results/batches/tag_structure/{batch}.parquet"),
    output:
        sections="results/tables/sections.parquet",
    log:
        "logs/gather_sections.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        batches=len(BATCHES),
        code=code("gather_sections.py"),
    shell:
        "rasen core gather_sections.py --batches {params.batches} --results results"
        " --sections {output.sections} > {log} 2>&1"


rule measure_peaks:
    """The waveforms of a batch's recordings and of the stems that are kept, to be drawn."""
    input:
        recordings="results/batches/measure_recordings/{batch}.parquet",
        stems="results/batches/separate_stems/{batch}.parquet",
        thinned=(
            "results/batches/thin_stems/{batch}.parquet"
            if SONGS["stems"] != "keep"
            else []
        ),
    output:
        peaks="results/batches/measure_peaks/{batch}.parquet",
    log:
        "logs/measure_peaks/{batch}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=song_memory(1000),
        runtime=growing(30),
    params:
        needs="songs",
        code=code("measure_peaks.py"),
    shell:
        "rasen core measure_peaks.py --recordings {input.recordings} --songs results/songs"
        " --peaks {output.peaks} > {log} 2>&1"


rule plot_songs:
    """The outcomes of the songs, and how well their lyrics were found."""
    input:
        songs="results/tables/songs.parquet",
        quarantine="results/tables/quarantine.parquet",
    output:
        figure=report(
            "results/figures/songs.svg",
            caption="../workflow/report/songs.rst",
            category="Songs",
            labels={"figure": "What became of the songs"},
        ),
    log:
        "logs/plot_songs.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        filters=json.dumps(SONGS["filters"], sort_keys=True),
        code=code("plot_songs.py"),
    shell:
        "rasen core plot_songs.py --songs {input.songs} --quarantine {input.quarantine}"
        " --filters {params.filters:q} --figure {output.figure} > {log} 2>&1"


rule write_songs_card:
    """The card of the data set: hours, licences, sections, filters, weights, what is not known."""
    input:
        songs="results/tables/songs.parquet",
        quarantine="results/tables/quarantine.parquet",
        structure=per_batch("results/batches/tag_structure/{batch}.parquet"),
    output:
        page="results/tables/songs.md",
    log:
        "logs/write_songs_card.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        filters=json.dumps(SONGS["filters"], sort_keys=True),
        weights=json.dumps(song_models.weights_for_the_card(config)),
        batches=len(BATCHES),
        code=code("write_songs_card.py"),
    shell:
        "rasen core write_songs_card.py --songs {input.songs} --quarantine {input.quarantine}"
        " --batches {params.batches} --results results --filters {params.filters:q}"
        " --weights {params.weights:q} --page {output.page} > {log} 2>&1"


rule export_songs:
    """A shard as tar files in the WebDataset layout, for object stores; requested by file name."""
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
    """The training set, its quarantine, a card and a picture of both."""
    input:
        rules.index_songs.output,
        "results/tables/recordings.parquet",
        "results/tables/songs.md",
        "results/figures/songs.svg",
        rules.gather_sections.output,
        per_batch(rules.measure_peaks.output.peaks),
        (
            per_batch("results/batches/thin_stems/{batch}.parquet")
            if SONGS["stems"] != "keep"
            else []
        ),


rule songs_status:
    """Where the corpus stands, printed and drawn (results/figures/songs_status.svg); while it runs, too."""
    log:
        "logs/songs_status.log",
    localrule: True
    conda:
        "../envs/core.yaml"
    params:
        songs=sum(map(len, BATCHES.values())),
        batch=SONGS["batch"],
    shell:
        "rasen core songs_status.py --results results --songs {params.songs}"
        " --batch {params.batch} --figure results/figures/songs_status.svg 2>&1 | tee {log}"
