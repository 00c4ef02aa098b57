# make demo    install, run the embedded model through everything, write the report
# make demo-songbloom   SongBloom in small: songs, training, singing, scores, helix (examples/songbloom)
# make open ARCHIVE=share.zip FOLDER=studies/theirs   check and unpack an archive of `snakemake share`
# make test    install, lint (types too), run every test
# make bench   print each speed and memory ratio beside its target
# make bench-gpu   what only a GPU can tell, as a table in benchmarks/ (under 30 minutes)
# make gallery   copy the demo's figures to docs/gallery
# make pins    compile envs/*.in to envs/*.txt again, and the hashes of all pins
# PYTHON names the interpreter to make environments with (3.11 or newer).

PYTHON ?= python3
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
export PYTHON OMP_NUM_THREADS ?= 1
BIN = .venv/bin

.PHONY: demo gallery demo-songbloom open test test-units test-workflow test-slurm test-songs lint bench bench-gpu pins install install-test

demo: install
	$(BIN)/snakemake --cores $(CORES) all results/report/report.html explorer
	@echo "Done. Open results/explorer/index.html; results/README.md says what lies where."

demo-songbloom: install
	$(BIN)/snakemake --cores $(CORES) --directory examples/songbloom all songs songbloom scores
	$(BIN)/snakemake --cores $(CORES) --directory examples/songbloom explorer
	@echo "Done. Open examples/songbloom/results/explorer/index.html; README.md in results says what lies where."

gallery: install
	$(BIN)/python docs/gallery/make.py results/figures

open: install
	$(BIN)/python workflow/scripts/open_archive.py --archive "$(ARCHIVE)" --folder "$(FOLDER)"
	@echo "What snakemake --directory $(FOLDER) would run:"
	@$(BIN)/snakemake --directory "$(FOLDER)" --dry-run --quiet rules

test: install-test lint
	@$(MAKE) --jobs 2 --keep-going --output-sync=target test-workflow test-slurm test-units test-songs

# two at a time, the longest first; each shows what it says when it has ended
test-units:
	$(BIN)/pytest -q tests --ignore tests/songs --ignore tests/workflow --ignore tests/slurm

test-workflow:
	$(BIN)/pytest -q tests/workflow

test-slurm:
	$(BIN)/pytest -q tests/slurm

test-songs:
	$$(workflow/install songs songs-test) -m pytest -q tests/songs

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/snakemake --lint

bench: install-test
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/starts.py
	$(BIN)/python benchmarks/helix.py
	$(BIN)/python benchmarks/explorer.py
	$(BIN)/python benchmarks/encoders.py
	$(BIN)/python benchmarks/songbloom.py
	$(BIN)/python benchmarks/songbloom_memory.py
	$$(workflow/install saelens) benchmarks/sae.py
	$$(workflow/install songs) benchmarks/probes.py
	$(BIN)/python benchmarks/songs.py
	$$(workflow/install songs) benchmarks/song_networks.py

bench-gpu: install
	$(BIN)/python benchmarks/gpu.py

install:
	@workflow/install core > /dev/null

install-test:
	@workflow/install core test > /dev/null

# Pins carry no index address and no local version (+cpu), so that CPU and CUDA builds of torch
# alike satisfy them.
COMPILE = $(BIN)/pip-compile --quiet --strip-extras --allow-unsafe --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file
pins: install-test
	for env in core test; do \
		$(COMPILE) envs/$$env.txt envs/$$env.in || exit 1; \
		sed -i -e 's/+cpu$$//' -e '/^pyaudio==/d' -e '/^pip==/d' -e '/^yte==/d' -e '/^--/d' -e '/^#/d' envs/$$env.txt; \
	done
	$(BIN)/python envs/hashes.py
