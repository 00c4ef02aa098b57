# Scores: songs of any system against their lyrics, references and prompts, and a sheet for listeners.
#   needs    scores.sheets, the models named under `songs`
#   makes    results/tables/scores.parquet    results/tables/scores.md    results/listening/
# {scored} is a sheet of the config, `real` (its references) or `vae` (these, encoded and decoded). A
# rule may make a sheet: name its output in `scores.sheets`.

SCORED = [
    name
    for name in (*SCORES["sheets"], *scoring.REFERENCES)
    if name != "vae" or SCORES["vae"]
]
METRICS = SCORES["metrics"]
HEARS = "per" in METRICS or "ser" in METRICS


rule list_scored:
    """The rows of all sheets and of their references; wrong ones are left out, with the reason."""
    input:
        sheets=list(SCORES["sheets"].values()),
    output:
        rows=expand(
            "results/scores/rows/{name}.parquet", name=[*SCORES["sheets"], "real"]
        ),
        left_out="results/scores/left_out.parquet",
    log:
        "logs/list_scored.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        needs="scores",
        sheets=json.dumps(SCORES["sheets"]),
        same_song=SCORES["reference"] == "song",
        code=code("list_scored.py"),
    shell:
        "rasen core list_scored.py --sheets {params.sheets:q} --same-song {params.same_song}"
        " --rows results/scores/rows --left-out {output.left_out} > {log} 2>&1"


rule decode_references:
    """The references encoded and decoded by the VAE, as songs of a system of their own."""
    input:
        scored_files("audio"),
        references="results/scores/rows/real.parquet",
        models=song_model_files("latents"),
    output:
        decoded="results/scores/rows/vae.parquet",
    log:
        "logs/decode_references.log",
    benchmark:
        "results/benchmarks/decode_references.tsv"
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
        code=code("decode_references.py", "songs"),
    shell:
        "rasen songs decode_references.py --references {input.references}"
        " --songs results/scores/songs --model {params.model:q} --device {resources.device}"
        " --code {params.code} --decoded {output.decoded} > {log} 2>&1"


rule read_scored:
    """Read every recording once: whether it is usable, and how long."""
    input:
        scored_files("audio"),
        rows="results/scores/rows/{scored}.parquet",
    output:
        ledger="results/scores/read/{scored}.parquet",
    log:
        "logs/read_scored/{scored}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=song_memory(1000),
        runtime=growing(30),
    params:
        needs="scores",
        settings=json.dumps(
            {key: SONGS[key] for key in ("shortest", "longest")}, sort_keys=True
        ),
        code=code("read_scored.py"),
    shell:
        "rasen core read_scored.py --rows {input.rows} --songs results/scores/songs"
        " --settings {params.settings:q} --code {params.code} --ledger {output.ledger}"
        " > {log} 2>&1"


rule separate_scored:
    """Vocals and accompaniment of every song, by Demucs."""
    input:
        recordings="results/scores/read/{scored}.parquet",
        models=song_model_files("separate"),
    output:
        ledger="results/scores/stems/{scored}.parquet",
    log:
        "logs/separate_scored/{scored}.log",
    benchmark:
        "results/benchmarks/separate_scored/{scored}.tsv"
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
        "rasen songs separate_stems.py --recordings {input.recordings} --songs results/scores/songs"
        " --settings {params.settings:q} --device {resources.device} --code {params.code}"
        " --ledger {output.ledger} > {log} 2>&1"


rule transcribe_scored:
    """The words that Whisper hears in the voice, without the lyrics, as phonemes; and the lyrics'."""
    input:
        scored_files("lyrics"),
        recordings="results/scores/read/{scored}.parquet",
        stems="results/scores/stems/{scored}.parquet",
        models=song_model_files("align"),
        files=SONGS["phonemes"]["dictionary"] or [],
    output:
        ledger="results/scores/transcribe/{scored}.parquet",
    log:
        "logs/transcribe_scored/{scored}.log",
    benchmark:
        "results/benchmarks/transcribe_scored/{scored}.tsv"
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
        settings=scoring.hearing_settings(config),
        code=code("transcribe_scored.py", "songs"),
    shell:
        "rasen songs transcribe_scored.py --recordings {input.recordings}"
        " --stem-ledger {input.stems} --songs results/scores/songs --settings {params.settings:q}"
        " --device {resources.device} --threads {threads} --at-once {resources.batch}"
        " --code {params.code} --ledger {output.ledger} > {log} 2>&1"


rule section_scored:
    """The sections of every song by its sound alone: lyrics that name theirs must not help."""
    input:
        recordings="results/scores/read/{scored}.parquet",
        stems="results/scores/stems/{scored}.parquet",
        models=song_model_files("structure"),
    output:
        ledger="results/scores/sections/{scored}.parquet",
    log:
        "logs/section_scored/{scored}.log",
    benchmark:
        "results/benchmarks/section_scored/{scored}.tsv"
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
        settings=scoring.structure_settings(config),
        code=code("section_scored.py", STRUCTURE_ENV),
    shell:
        "rasen {params.env} section_scored.py --recordings {input.recordings}"
        " --stem-ledger {input.stems} --songs results/scores/songs --settings {params.settings:q}"
        " --device {resources.device} --code {params.code} --ledger {output.ledger} > {log} 2>&1"


rule embed_scored:
    """Every song as rows of MuQ, for FAD, and as one vector of MuQ-MuLan, for MCC."""
    input:
        recordings="results/scores/read/{scored}.parquet",
        models=song_model_files("sketch") + scoring.score_model_files(config),
    output:
        ledger="results/scores/embedded/{scored}.parquet",
    log:
        "logs/embed_scored/{scored}.log",
    benchmark:
        "results/benchmarks/embed_scored/{scored}.tsv"
    conda:
        "../envs/songs.yaml"
    threads: SONGS["threads"]
    resources:
        mem_mb=song_memory(SONGS["memory"]),
        runtime=growing(SONGS["runtime"]),
        gpu=gpus,
        device=SONGS["device"],
    params:
        needs="songs scores",
        settings=scoring.embedding_settings(config),
        code=code("embed_scored.py", "songs"),
    shell:
        "rasen songs embed_scored.py --recordings {input.recordings} --songs results/scores/songs"
        " --settings {params.settings:q} --device {resources.device} --code {params.code}"
        " --ledger {output.ledger} > {log} 2>&1"


rule gather_scores:
    """All scores as one table, a page beside the paper's rows, and what could not be scored."""
    input:
        lambda wildcards: expand(
            "results/scores/{stage}/{scored}.parquet",
            stage=["read"]
            + ["stems"] * HEARS
            + ["transcribe"] * ("per" in METRICS)
            + ["sections"] * ("ser" in METRICS)
            + ["embedded"] * ("fad" in METRICS or "mcc" in METRICS),
            scored=SCORED,
        ),
        [presence.score_files(config, name, "lyrics") for name in SCORES["sheets"]],
        left_out="results/scores/left_out.parquet",
        listening=SCORES["listening"],
        key="results/scores/listening_key.tsv" if SCORES["listening"] else [],
    output:
        table="results/tables/scores.parquet",
        page="results/tables/scores.md",
        left_out="results/tables/scores_left_out.parquet",
    log:
        "logs/gather_scores.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        sheets=json.dumps(SCORED),
        listening=json.dumps(SCORES["listening"]),
        settings=scoring.gather_settings(config),
        seed=config["seed"],
        code=code("gather_scores.py"),
    shell:
        "rasen core gather_scores.py --sheets {params.sheets:q} --stages results/scores"
        " --songs results/scores/songs --settings {params.settings:q} --seed {params.seed}"
        " --listening {params.listening:q} --key results/scores/listening_key.tsv"
        " --table {output.table} --page {output.page} --left-out {output.left_out} > {log} 2>&1"


rule write_listening:
    """Every clip under a name that tells nothing, a shuffled sheet to fill in, and apart the key."""
    input:
        ledgers=expand("results/scores/read/{scored}.parquet", scored=SCORED),
    output:
        folder=directory("results/listening"),
        key="results/scores/listening_key.tsv",
    log:
        "logs/write_listening.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=song_memory(1000),
        runtime=growing(60),
    params:
        needs="scores",
        seed=config["seed"],
        code=code("write_listening.py"),
    shell:
        "rasen core write_listening.py --ledgers {input.ledgers} --seed {params.seed}"
        " --folder {output.folder} --key {output.key} > {log} 2>&1"


rule scores:
    """The table of scores, a page beside the paper's, and a sheet for listeners."""
    input:
        rules.gather_scores.output,
        "results/listening",
        "results/README.md",
