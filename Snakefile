# Rasen: interpolate a music model through weight space and watch its representation form.
#
#   {model}    an entry of `models` in config/config.yaml
#   {point}    one set of weights: untrained, trained, linear-0.900, gradient-0.250, step-000500
#   {stimuli}  an entry of `stimuli`
#
#   resources/models/                              checkpoints, made or downloaded here
#   results/stimuli/{stimuli}.parquet              one row per clip
#   results/notes/{rendered,recorded}/{stimuli}.parquet   notes to be heard, when requested
#   results/weights/{model}/{checkpoint}.json      hashes of checkpoints that were checked
#   results/weights/{model}/{checkpoint}.tsv       of every file, to notice when one changes
#   results/weights/songs/{place}.{json,tsv}       the same of the models of songs and scores
#   results/inputs/{model}/{stimuli}.h5            stimuli as the model reads them (tokens)
#   results/inputs/{model}/{stimuli}.quarantine.parquet   clips that are left out, and why
#   results/gradient/{model}/{point}.parquet       loss before and after each gradient step
#   results/activations/{model}/{point}/{stimuli}.h5   every layer's output
#   results/perplexity/{model}/{point}.parquet     loss of every clip
#   results/perplexity/{model}/guessers.parquet    and of guessers without context
#   results/helix/{model}/{point}.parquet          the helix of every layer and instrument
#   results/helix/{model}/{point}.notes.parquet    their notes in its axes
#   results/frames/{model}/{point}/{stimuli}.h5    some layers' output, every frame
#   results/sae/{model}/{point}/layer-{layer}/     sparse autoencoders and the labels of their features
#   results/probes/{model}/{point}/{stimuli}.parquet   what probes read from every layer
#   results/finetuned/{model}/{point}/{stimuli}.parquet   what is read after training upper layers
#   results/similarity/{model}/{point}.parquet     how alike layers are
#   results/songs/{song}/                          a song's stems, words, sections, tokens, latents
#   results/batches/{stage}/{batch}.parquet        the outcome of each song of a batch
#   results/shards/{batch}.h5                      songs as training reads them
#   results/songbloom/{run}/start.json             hashes of the checkpoint that a run goes on from
#   results/songbloom/{run}/weights/step-{step}/   weights along a training run of SongBloom
#   results/songbloom/{run}/tensorboard/           its losses, also while it runs
#   results/songbloom/{run}/songs/step-{step}/  songs that these make, and the sheet to score them by
#   results/scores/{stage}/{scored}.parquet        songs of a sheet that are scored, stage by stage
#   results/tables/{gradient,perplexity,helix,sae,...}.parquet   one tidy table per analysis
#   results/figures/                               figures
#   results/explorer/index.html                    a page to look and listen, when requested
#   results/share.zip                              an archive to share, when requested
#   results/export/{model}/{point}/                a point as a checkpoint folder, when requested


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/routes.smk"
include: "rules/models.smk"
include: "rules/nano.smk"
include: "rules/stimuli.smk"
include: "rules/gradient.smk"
include: "rules/activations.smk"
include: "rules/perplexity.smk"
include: "rules/helix.smk"
include: "rules/sae.smk"
include: "rules/similarity.smk"
include: "rules/lens.smk"
include: "rules/probes.smk"
include: "rules/share.smk"
include: "rules/explorer.smk"
include: "rules/prepare.smk"


if SONGS:

    include: "rules/songs.smk"
    include: "rules/shards.smk"
    include: "rules/windows.smk"
    include: "rules/demo_songs.smk"
    include: "rules/songbloom.smk"

    if GENERATE:

        include: "rules/generation.smk"


if SCORES:

    include: "rules/scores.smk"


rule all:
    """Every analysis of models that the config requests (`songs` and `share` are requested by name)."""
    default_target: True
    input:
        per_point("results/activations/{model}/{point}/{stimuli}.json", "activations"),
        rules.gradient.input,
        rules.perplexity.input,
        rules.helix.input,
        rules.sae.input,
        rules.probes.input,
        "results/tables/points.parquet" if MODELS else [],
        "results/README.md",


onstart:
    plan = planned.write_plan(
        config,
        [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk"), *SHEETS],
        CODES,
        BEGUN,
        os.environ,
    )
    atexit.register(plan.unlink, missing_ok=True)
    names = presence.needed_names(workflow.dag.needrun_jobs())
    problems = presence.missing_files(config, names)
    problems += presence.wrong_splits(config, names)
    try:
        problems += changed_weights(
            workflow.dag.needrun_jobs(),
            # by its name: who repeats everything did not say that the weights were exchanged
            forced=lambda job: workflow.dag.reason(job).forced
            and not workflow.dag_settings.forceall,
            folder=partial(point_files.folder_of_certificate, config),
        )
    except RasenError as error:
        problems.append(str(error))
    problems += nodes.refused_nodes(
        config["songbloom"]["runs"],
        workflow.dag.needrun_jobs(),
        workflow.executor_plugin.name,
    )
    if workflow.executor_plugin.name == "slurm" and not shutil.which("sbatch"):
        problems.append("SLURM: no sbatch here; use a login node, or no profile")
    if workflow.executor_plugin.name == "cluster-generic":
        problems += cluster_jobs.unusable_command(
            workflow.executor_settings.submit_cmd
        )
    if problems:
        raise WorkflowError("\n".join(problems))
    if any(
        job.rule.name == "separate_stems" for job in workflow.dag.needrun_jobs()
    ):
        print(
            disk.needed_disk(
                [path for rows in BATCHES.values() for path in rows["audio"]], SONGS
            )
        )


onsuccess:
    for line in presence.clips_left_out(config):
        print(line)
