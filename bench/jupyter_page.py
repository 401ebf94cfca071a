"""What somebody before JupyterLab waits for: a run's receipt, the badge after a save, a page that answers.

A real Lab in a real browser, a project of 10,000 files, a stage that floods its log. Run:
python bench/jupyter_page.py. Prints rows of JSON, medians in milliseconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/services"))

from lab_notebook import notebook
from lab_server import Bench, served_lab
from web_browser import start_browser

from lockgate.hub.worktree.setup import set_up

FILES, LINES, SAMPLES = 10_000, 200_000, 7
PIPELINE = """\
[stages.quick]
run = "cp n.ipynb seen"
needs = ["n.ipynb"]
makes = ["seen"]

[stages.flood]
run = "seq {lines} && cp i flooded"
needs = ["i"]
makes = ["flooded"]
"""
#: Milliseconds from the press until a frame shows the new receipt.
PRESS = """\
() => new Promise(done => {
  const told = () => [...document.querySelectorAll('[role=alert]')].map(each => each.textContent);
  const before = new Set(told());
  const begun = performance.now();
  const watch = new MutationObserver(() => {
    if (told().some(text => text.includes('is queued') && !before.has(text))) {
      watch.disconnect();
      requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
    }
  });
  watch.observe(document.body, { childList: true, subtree: true, characterData: true });
  document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden) .lg-run-main').click();
})"""
#: Milliseconds from the answer to the save until the answer that the badge shows; null: not there yet.
SETTLED = """\
begun => {
  const all = performance.getEntriesByType('resource')
    .filter(each => each.startTime >= begun && each.responseEnd > 0);
  const known = all.find(each => each.name.includes('/lockgate/standing'));
  const saves = all.filter(each => /\\/api\\/contents\\/.*ipynb(\\?|$)/.test(each.name));
  const save = known && saves.filter(each => each.responseEnd <= known.startTime).pop();
  return save ? known.responseEnd - save.responseEnd : null;
}"""
#: As somebody leaves a page who thinks before the next press: a second without an answer of the server.
AT_REST = """\
() => {
  const ends = performance.getEntriesByType('resource').map(each => each.responseEnd);
  return performance.now() - Math.max(0, ...ends) > 1000;
}"""
WATCH_FREEZES = """\
() => {
  window.longest = 0;
  new PerformanceObserver(list => {
    for (const each of list.getEntries()) window.longest = Math.max(window.longest, each.duration);
  }).observe({ type: 'longtask' });
}"""
OWN_BYTES = """\
() => performance.getEntriesByType('resource')
  .filter(each => each.name.includes('@lockgate'))
  .reduce((sum, each) => sum + each.decodedBodySize, 0)"""


def make_project(root: Path) -> None:
    for number in range(FILES):
        place = root / f"data/{number // 100}/{number}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{number}\n")
    (root / "lockgate.toml").write_text(PIPELINE.format(lines=LINES))
    (root / "i").write_text("0\n")
    (root / "n.ipynb").write_text(notebook("x = 1"))
    set_up(root)
    git = ["git", "-c", "user.email=m@example.org", "-c", "user.name=m"]
    subprocess.run(["git", "config", "user.email", "m@example.org"], cwd=root, check=True)
    subprocess.run([*git, "add", "--all"], cwd=root, check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "first"], cwd=root, check=True)
    words = [str(Path(sys.executable).with_name("lockgate")), "run"]
    subprocess.run(words, cwd=root, check=True, stdout=subprocess.DEVNULL)


def receipts(bench: Bench) -> list[float]:
    times = []
    for _ in range(SAMPLES + 1):
        bench.type_into_cell("\nx += 1")
        bench.page.wait_for_function(AT_REST)
        times.append(float(bench.page.evaluate(PRESS)))
        bench.wait_for_state("known")
    return times[1:]


def badges(bench: Bench) -> list[float]:
    times = []
    for _ in range(SAMPLES + 1):
        bench.type_into_cell("\nx += 1")
        bench.page.wait_for_function(AT_REST)
        begun = bench.page.evaluate("performance.clearResourceTimings(), performance.now()")
        bench.page.keyboard.press("Control+s")
        times.append(float(bench.page.wait_for_function(SETTLED, arg=begun).json_value()))
        bench.wait_for_state("would-run")
    return times[1:]


def longest_freeze(bench: Bench, root: Path) -> float:
    """Watch the flood run in the panel, live, to its end; what the run shows too."""
    page = bench.page
    page.keyboard.press("Control+s")
    (root / "i").write_text("1\n")
    page.locator(".lm-TabBar-tab[data-id='lockgate-runs']").click()
    page.evaluate(WATCH_FREEZES)
    page.evaluate(PRESS)
    runs = page.locator("#lockgate-runs")
    runs.get_by_role("list", name="In the queue").get_by_role("button").first.click()
    runs.get_by_role("button", name="flood", exact=True).click()
    runs.locator(".lg-run-head .lg-state[data-state='succeeded']").wait_for(timeout=120_000)
    page.wait_for_function(f"document.querySelector('.lg-log-text')?.textContent.includes('\\n{LINES}\\n')")
    return float(page.evaluate("window.longest"))


def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        home, root = Path(name, "home"), Path(name, "work/p")
        home.mkdir()
        root.mkdir(parents=True)
        os.environ |= {"LOCKGATE_HUB": str(Path(name, "hub")), "LOCKGATE_LINGER_S": "5"}
        os.environ.setdefault("UV_CACHE_DIR", str(Path.home() / ".cache/uv"))
        make_project(root)
        for browser in start_browser():
            with (
                served_lab(root.parent, home, dict(os.environ), is_shared=False) as lab,
                lab.open(browser, "p/n.ipynb") as bench,
            ):
                # Without a save of its own Lab has the kernel's language to write into the notebook
                bench.wait_for_state("would-run")
                size_kb = float(bench.page.evaluate(OWN_BYTES)) / 1000
                figures = (
                    (f"Lab: Run pressed, receipt seen ({FILES:,} files)", median(receipts(bench)), 500, "ms"),
                    (f"Lab: badge right after a save ({FILES:,} files)", median(badges(bench)), 200, "ms"),
                    (f"Lab: longest freeze, {LINES:,} lines watched", longest_freeze(bench, root), 100, "ms"),
                    ("Lab: the extension at the start, in kB", size_kb, 100, "kB"),
                )
    for what, ours, bar, unit in figures:
        row = [what, "—", None, ours, None, f"≤ {bar} {unit}", ours <= bar]
        sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
