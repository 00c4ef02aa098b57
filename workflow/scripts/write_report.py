"""Write Snakemake's report on all results, with the captions beneath the figures."""

import subprocess
import sys
from pathlib import Path

from rasen import command
from rasen.errors import RasenError
from rasen.io.atomic import write_text

SNAKEFILE = Path(__file__).resolve().parents[2] / "Snakefile"
# Snakemake shows a caption only to those who ask for it: here it stands beneath its figure. The
# page has `results`, {path: {data_uri, caption, ...}}, and shows one of them in an <img>.
CAPTIONS = """<style>
figcaption { max-width: 50rem; padding: 0.5rem 0; font-size: 0.9rem; line-height: 1.4; }
</style>
<script>
function showCaptions() {
    for (const text of document.querySelectorAll("figcaption"))
        if (text.previousElementSibling?.tagName !== "IMG") text.remove();
    for (const image of document.querySelectorAll("img")) {
        const source = image.getAttribute("src");
        const shown = Object.values(results).find((result) => result.data_uri === source);
        let text = image.nextElementSibling;
        if (!shown?.caption || text?.dataset.of === shown.name + shown.size) continue;
        text?.remove();
        text = document.createElement("figcaption");
        text.dataset.of = shown.name + shown.size;
        text.innerHTML = shown.caption;
        image.after(text);
    }
}
new MutationObserver(showCaptions).observe(
    document.body, {childList: true, subtree: true, attributes: true, attributeFilter: ["src"]}
);
</script>
"""


def write_report(config: Path, report: Path):
    """Run Snakemake once more, on the config as used, to write one page with all figures."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", SNAKEFILE, "--configfile", config,
         "--nolock", "--report", report],
    )  # fmt: skip
    if done.returncode:
        raise RasenError(f"{report}: Snakemake could not write it; its reason stands above")
    write_text(report, with_captions(report.read_text(encoding="utf-8")))


def with_captions(page: str) -> str:
    """The page with captions beneath its figures."""
    before, end, after = page.rpartition("</body>")
    return f"{before}{CAPTIONS}{end}{after}"


if __name__ == "__main__":
    command.run(write_report)
