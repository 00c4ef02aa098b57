# Songs that SongBloom makes: lyrics and references in, recordings out.
#   needs    songbloom.generate, results/songbloom/{run}/weights, the VAE of songs.latents
#   makes    results/songbloom/{run}/songs/step-{step}/, results/tables/generated.parquet


wildcard_constraints:
    step=r"\d+",


rule prepare_requests:
    """Lyrics as phonemes, references as latents; wrong rows are left out, with the reason."""
    input:
        presence.files_of_sheets([GENERATE["sheet"]], "lyrics", "reference"),
        sheet=GENERATE["sheet"],
        models=song_model_files("latents"),
        files=[SONGS["phonemes"][key] or [] for key in ("dictionary", "vocabulary")],
    output:
        requests="results/songbloom/requests.h5",
        left_out="results/tables/generated_left_out.parquet",
    log:
        "logs/prepare_requests.log",
    benchmark:
        "results/benchmarks/prepare_requests.tsv"
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
        settings=song_settings("phonemes"),
        model=lambda wildcards: json.loads(song_settings("latents", "model"))["model"],
        prompts=generation.prompts(config),
        code=code("prepare_requests.py", "songs"),
    shell:
        "rasen songs prepare_requests.py --sheet {input.sheet:q} --settings {params.settings:q}"
        " --model {params.model:q} --prompts {params.prompts:q} --device {resources.device}"
        " --requests {output.requests} --left-out {output.left_out} > {log} 2>&1"


rule generate_songs:
    """Sketch and latents of every song and seed, by the weights of a kept step."""
    input:
        weights="results/songbloom/{run}/weights",
        requests="results/songbloom/requests.h5",
    output:
        songs="results/songbloom/{run}/songs/step-{step}/songs.h5",
        table="results/songbloom/{run}/songs/step-{step}/generated.parquet",
    log:
        "logs/generate_songs/{run}/step-{step}.log",
    benchmark:
        "results/benchmarks/generate_songs/{run}/step-{step}.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(GENERATE["memory"]),
        runtime=growing(GENERATE["runtime"]),
        gpu=on_gpu(GENERATE["device"]),
        device=GENERATE["device"],
        batch=GENERATE["batch"],
    params:
        step=lambda wildcards: int(wildcards.step),
        settings=settings("songbloom", "generate", "settings"),
        seconds=GENERATE["seconds"],
        seeds=json.dumps(GENERATE["seeds"]),
        prompt=lambda wildcards: RUNS[wildcards.run]["data"]["prompt"],
        seconds_per_flag=lambda wildcards: RUNS[wildcards.run]["data"][
            "seconds_per_flag"
        ],
        code=code("generate_songs.py"),
    shell:
        "rasen core generate_songs.py --run {wildcards.run} --step {params.step}"
        " --weights {input.weights}/step-{wildcards.step} --requests {input.requests}"
        " --settings {params.settings:q} --seconds {params.seconds} --seeds {params.seeds:q}"
        " --prompt {params.prompt} --seconds-per-flag {params.seconds_per_flag}"
        " --at-once {resources.batch} --device {resources.device} --songs {output.songs}"
        " --table {output.table} > {log} 2>&1"


rule decode_songs:
    """Every song as FLAC, beside the sheet; `scores.sheets` can name the sheet as it is."""
    input:
        songs="results/songbloom/{run}/songs/step-{step}/songs.h5",
        models=song_model_files("latents"),
    output:
        sheet="results/songbloom/{run}/songs/step-{step}/sheet.tsv",
    log:
        "logs/decode_songs/{run}/step-{step}.log",
    benchmark:
        "results/benchmarks/decode_songs/{run}/step-{step}.tsv"
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
        model=lambda wildcards: json.loads(song_settings("latents", "model"))["model"],
        code=code("decode_songs.py", "songs"),
    shell:
        "rasen songs decode_songs.py --songs {input.songs} --model {params.model:q}"
        " --device {resources.device} --sheet {output.sheet} > {log} 2>&1"


rule gather_generated:
    """The songs of all runs, steps and seeds in one table."""
    input:
        rows=generation.per_generated(
            config, "results/songbloom/{run}/songs/step-{step}/generated.parquet"
        ),
    output:
        table="results/tables/generated.parquet",
    log:
        "logs/gather_generated.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("gather_generated.py"),
    shell:
        "rasen core gather_generated.py --rows {input.rows} --table {output.table} > {log} 2>&1"


rule generated:
    """Every song that is asked for, its sheets for `scores`, and the table of all."""
    input:
        GENERATED,
        "results/README.md",
