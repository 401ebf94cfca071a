"""A result given away as a file works where its hub is not: export, import, run, verify the record."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from data_place import add_data
from e2e_place import Done, Place, WorkTree, run_program

from lockgate.activity import chain
from lockgate.activity.entry import Activity
from lockgate.activity.key import create_key
from lockgate.data.digest import md5_of
from lockgate.data.store import Store
from lockgate.git.objects import Repository
from lockgate.git.program import git
from lockgate.hub.giving.bundle import read_bundle, write_bundle

PIPELINE = """\
[project]
name = "tides"

[data]
result_limit = "1 kB"

[stages.grow]
run = "sh grow.sh {size}"
needs = ["grow.sh", "data/seed.txt"]
makes = ["build/large.bin", "build/parts"]
params = { size = 3000 }

[stages.count]
run = "wc -c < build/large.bin | tr -d ' ' > count.txt"
needs = ["build/large.bin"]
makes = ["count.txt"]
"""
GROW = """\
mkdir -p build/parts
for n in 1 2; do
  { cat data/seed.txt; head -c "$1" /dev/zero | tr '\\0' "$n"; } > build/parts/$n.txt
done
cat build/parts/*.txt > build/large.bin
"""
FILES = {
    "lockgate.toml": PIPELINE,
    "grow.sh": GROW,
    "data/seed.txt": "seed\n",
    "LICENSE": "You may.\n",
    "CITATION.cff": "cff-version: 1.2.0\ntitle: Tides of a day\nlicense: MIT\nauthors:\n  - name: A Member\n",
}


class Elsewhere:
    """Another machine: a home and a hub of its own, and nothing of the first."""

    def __init__(self, place: Place, name: str = "elsewhere") -> None:
        self.root = place.root / name
        self.root.mkdir()
        home = self.root / "home"
        home.mkdir()
        shutil.copy(Path(place.env["HOME"]) / ".gitconfig", home / ".gitconfig")
        self.hub = self.root / "hub"
        self.env = place.env | {"HOME": str(home), "LOCKGATE_HUB": str(self.hub)}
        for word in ("CONFIG", "DATA", "STATE", "CACHE"):
            self.env[f"XDG_{word}_HOME"] = str(home / word.lower())

    def lockgate(self, *words: str | Path, folder: Path | None = None, code: int | None = 0) -> Done:
        return run_program(["lockgate", *words], folder or self.root, self.env, code)


@pytest.fixture
def tree(place: Place) -> WorkTree:
    """A project with a dataset outside of git and one good run."""
    tree = place.project(FILES, name="tides")
    md5 = Store(place.hub / "store").put_bytes(b"1,2,3\n")
    tree.commit({"data/table.csv.dvc": f"outs:\n- md5: {md5}\n  size: 6\n  hash: md5\n  path: table.csv\n"})
    tree.push()
    tree.pull()
    return tree


def rewritten(file: Path, change: Callable[[dict[str, bytes], dict[str, Any]], None], name: str) -> Path:
    """Return a copy of a crate after a change of its entries and its list."""
    with zipfile.ZipFile(file) as before:
        entries = {info.filename: before.read(info) for info in before.infolist()}
    manifest = json.loads(entries["lockgate-crate.json"])
    change(entries, manifest)
    entries["lockgate-crate.json"] = json.dumps(manifest).encode()
    target = file.with_name(name)
    with zipfile.ZipFile(target, "w") as after:
        for path, content in entries.items():
            after.writestr(path, content)
    return target


def told(entries: dict[str, bytes], manifest: dict[str, Any], path: str) -> None:
    """Let the list say what an entry now is."""
    for each in manifest["files"]:
        if each["path"] == path:
            each["size_bytes"] = len(entries[path])
            each["sha256"] = hashlib.sha256(entries[path]).hexdigest()


TOTAL = """
[stages.total]
run = "cat data/table.csv taken/raw/*.csv | wc -l > total.txt"
needs = ["data/table.csv", "taken/raw"]
makes = ["total.txt"]
"""


def with_data(place: Place, tree: WorkTree) -> None:
    """Let a stage read data behind pointers, some of it imported from another project."""
    other = place.project(
        {"lockgate.toml": '[stages.s]\nrun = "date > s"\nneeds = []\nmakes = ["s"]\n'}, "weather"
    )
    other.write({"raw/one.csv": "1\n", "raw/sub ä/two.csv": "2\n"})
    add_data(other, "raw")
    other.commit()
    other.git("tag", "v1")
    other.lockgate("hub", "send")
    other.git("push", "--quiet", "-o", "skip", "hub", "main", "v1")
    tree.lockgate("data", "import", "hub://weather/raw@v1", "taken/raw")
    tree.write({"data/table.csv": "1,2,3\n"})
    add_data(tree, "data/table.csv")
    tree.commit({"lockgate.toml": tree.read("lockgate.toml") + TOTAL})
    tree.lockgate("hub", "send")
    tree.push()
    tree.pull()


def exported(tree: WorkTree, *words: str, name: str = "out.zip") -> Path:
    tree.lockgate("export", *words, "-o", str(tree.place.root / name))
    return tree.place.root / name


def forget_hub(place: Place) -> None:
    place.settle("tides")
    place.close()
    shutil.rmtree(place.hub)
    shutil.rmtree(place.root / "tides")


def test_a_run_given_away_is_known_elsewhere_and_made_again_alike(place: Place, tree: WorkTree) -> None:
    file = exported(tree, "latest")
    forget_hub(place)
    there = Elsewhere(place)
    said = there.lockgate("import", file, "tides").out
    assert "all signed by the hub's key SHA256:" in said
    project = there.root / "tides"
    assert (project / "count.txt").read_text() == "6010\n"
    assert (project / "build/large.bin").stat().st_size == 6010
    assert sorted(path.name for path in (project / "build/parts").iterdir()) == ["1.txt", "2.txt"]
    assert Store(there.hub / "store").check(md5_of(b"1,2,3\n"))
    assert json.loads(there.lockgate("runs", "--json", folder=project).out)[0]["state"] == "succeeded"
    there.lockgate("log", "--verify", folder=project)
    before = json.loads((project / "lockgate.lock").read_text().splitlines()[1])
    proved = there.lockgate("verify", before["run"], folder=project)
    assert "identical" in proved.said, proved.said
    ran = there.lockgate("run", folder=project)
    assert "cached" in ran.said, ran.said
    again = there.lockgate("run", "--force", "grow", folder=project)
    assert "count  cached" in again.said, again.said  # the same bytes were made
    assert (project / "build/large.bin").stat().st_size == 6010
    assert before["stage"] in ("count", "grow")


def test_the_clone_has_the_data_where_no_hub_is_left(place: Place, tree: WorkTree) -> None:
    with_data(place, tree)
    file = exported(tree, "tides")
    forget_hub(place)
    there = Elsewhere(place)
    there.lockgate("import", file, "tides")
    project = there.root / "tides"
    shutil.rmtree(there.hub)
    there.lockgate("data", "get", folder=project)
    assert (project / "data/table.csv").read_text() == "1,2,3\n"
    assert (project / "taken/raw/sub ä/two.csv").read_text() == "2\n"
    there.lockgate("data", "verify", folder=project)
    assert there.lockgate("data", "status", folder=project).out.startswith("the data is as its pointers say")


def test_a_store_that_a_stranger_placed_elsewhere_is_left_alone(place: Place, tree: WorkTree) -> None:
    aside = place.root / "aside"
    aside.mkdir()
    tree.commit({".dvc/config": f"[cache]\n    dir = {aside}\n"})
    tree.push()
    tree.pull()
    file = exported(tree, "latest")
    Elsewhere(place).lockgate("import", file, "tides")
    assert list(aside.iterdir()) == []


def test_a_project_given_away_brings_every_branch_and_goes_on(place: Place, tree: WorkTree) -> None:
    tree.git("checkout", "--quiet", "-b", "side")
    tree.commit({"data/seed.txt": "another\n"})
    tree.push("side")
    tree.git("tag", "v1", "main")
    tree.git("push", "--quiet", "hub", "v1")
    file = exported(tree, "tides")
    forget_hub(place)
    there = Elsewhere(place)
    there.lockgate("import", file)
    project = there.root / "tides"
    branches = run_program(
        ["git", "branch", "-r", "--format=%(refname:short)"], project, there.env
    ).out.split()
    assert {"hub/main", "hub/side"} <= set(branches)
    assert run_program(["git", "tag"], project, there.env).out == "v1\n"
    assert len(json.loads(there.lockgate("runs", "--json", folder=project).out)) == 2
    # What was imported can be given away again; the chain names both keys
    there.lockgate("export", "-o", "again.zip", folder=project)
    third = Elsewhere(place, "third")
    third.lockgate("import", project / "again.zip", "t")
    assert "project.imported" in third.lockgate("log", "--json", folder=third.root / "t").out


def test_a_file_that_is_there_and_an_unknown_run_are_refused(place: Place, tree: WorkTree) -> None:
    file = exported(tree, "latest")
    before = file.read_bytes()
    assert "export-exists" in tree.lockgate("export", "latest", "-o", str(file), code=2).err
    assert file.read_bytes() == before
    assert "run-unknown" in tree.lockgate("export", "NONESUCH", code=2).err
    assert "run-known" in tree.lockgate("import", str(file), "../copy", code=2).err
    there = Elsewhere(place)
    assert "crate-key" in there.lockgate("import", file, "--key", "SHA256:nobody", code=2).err
    (there.root / "tides").mkdir()
    (there.root / "tides" / "mine").write_text("mine")
    assert "folder-not-empty" in there.lockgate("import", file, code=2).err
    assert [path.name for path in (there.root / "tides").iterdir()] == ["mine"]


def test_pointers_leave_the_bytes_out_and_name_them(place: Place, tree: WorkTree) -> None:
    toml = tree.read("lockgate.toml").replace("[data]", '[data]\nremote = "s3://bucket/tides"')
    tree.commit({"lockgate.toml": toml})
    tree.push()
    said = tree.lockgate("export", "latest", "--pointers", "-o", "../out.zip").out
    assert "build/large.bin" in said
    with zipfile.ZipFile(place.root / "out.zip") as crate:
        names = crate.namelist()
        manifest = json.loads(crate.read("lockgate-crate.json"))
    assert "artifacts/count.txt" in names
    assert "artifacts/build/large.bin" not in names
    left = {each["name"]: each for each in manifest["left_out"]}
    assert left["data/table.csv"]["md5"] == md5_of(b"1,2,3\n")
    assert left["data/table.csv"]["size_bytes"] == 6
    assert left["build/large.bin"]["remote"] == "s3://bucket/tides"
    there = Elsewhere(place)
    assert "s3://bucket/tides" in there.lockgate("import", place.root / "out.zip").out
    # What is known is not run again, and what is nowhere can be made again
    assert "store-missing" in there.lockgate("run", folder=there.root / "tides", code=3).err
    there.lockgate("run", "--force", "grow", folder=there.root / "tides")
    assert (there.root / "tides" / "build/large.bin").stat().st_size == 6010


def _other_object(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
    entries["artifacts/build/large.bin"] = b"x" * 6010
    told(entries, manifest, "artifacts/build/large.bin")


def _traversal(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
    entries["../evil"] = b"evil"
    manifest["files"].append({"path": "../evil", "name": "e", "size_bytes": 4, "sha256": "0"})


def _unlisted(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
    entries["artifacts/extra"] = b"extra"


def _missing(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
    del entries["artifacts/build/large.bin"]


def _strange_digest(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["objects"][0]["md5"] = "../../../../evil"


def _flipped_bundle(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
    content = bytearray(entries["project.bundle"])
    content[-400] ^= 1
    entries["project.bundle"] = bytes(content)
    told(entries, manifest, "project.bundle")


def _flipped_unlisted(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
    entries["project.bundle"] = entries["project.bundle"][:-1] + b"x"


def _project_name(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["project"] = "../../evil"


def _other_key(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
    entries["hub.pub"] = (
        b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f nobody\n"
    )
    told(entries, manifest, "hub.pub")


HOSTILE = (
    _other_object,
    _traversal,
    _unlisted,
    _missing,
    _strange_digest,
    _flipped_bundle,
    _flipped_unlisted,
    _project_name,
    _other_key,
)


def test_hostile_files_are_refused_in_words_and_leave_nothing(place: Place, tree: WorkTree) -> None:
    file = exported(tree, "latest")
    there = Elsewhere(place)
    for change in HOSTILE:
        bad = rewritten(file, change, f"{change.__name__}.zip")
        done = there.lockgate("import", bad, "tides", code=2)
        assert "crate-damaged" in done.err, f"{change.__name__}: {done.err}"
        assert not (there.root / "tides").exists(), change.__name__
        assert not list((there.hub / "repositories").glob("*")), change.__name__
        assert not list(place.root.rglob("evil")), change.__name__
    forged = rewritten(file, _with_forged_entry(place), "forged.zip")
    assert "not signed by the hub's key" in there.lockgate("import", forged, "tides", code=2).err
    assert not (there.root / "tides").exists()
    there.lockgate("import", file, "tides")


def _with_forged_entry(place: Place) -> Callable[[dict[str, bytes], dict[str, Any]], None]:
    """Return a change that tells of one more thing, signed by somebody else."""

    def change(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        bare, bundle = place.root / "forged.git", place.root / "forged.bundle"
        bundle.write_bytes(entries["project.bundle"])
        bare.mkdir()
        read_bundle(bundle, bare)
        forged = Activity(kind="run.queued", at="2026-07-01T12:00:00Z", by="nobody", title="Trust me")
        tip = chain.append(Repository(bare), forged, create_key(place.root / "forger"), at_epoch_s=1)
        branch = git(bare, "rev-parse", f"refs/heads/{manifest['branch']}").decode().strip()
        bundle.unlink()
        write_bundle(bare, {chain.REF: tip, f"refs/heads/{manifest['branch']}": branch}, bundle)
        entries["project.bundle"] = bundle.read_bytes()
        manifest["chain"] = tip
        told(entries, manifest, "project.bundle")

    return change


def test_bombs_links_and_strange_zips_are_refused(place: Place, tree: WorkTree, tmp_path: Path) -> None:
    file = exported(tree, "latest")
    there = Elsewhere(place)
    packed, linked, cut = tmp_path / "packed.zip", tmp_path / "linked.zip", tmp_path / "cut.zip"
    with zipfile.ZipFile(file) as before:
        entries = {info.filename: before.read(info) for info in before.infolist()}
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as after:
        for path, content in entries.items():
            after.writestr(path, content)
        with after.open("artifacts/bomb", "w") as bomb:
            for _ in range(100):
                bomb.write(bytes(1 << 20))
    with zipfile.ZipFile(linked, "w") as after:
        for path, content in entries.items():
            info = zipfile.ZipInfo(path)
            info.external_attr = (0o120777 if path == "hub.pub" else 0o100644) << 16
            after.writestr(info, content)
    cut.write_bytes(file.read_bytes()[:-100])
    (tmp_path / "text.zip").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("ro-crate-metadata.json", "{}")
    for bad in (packed, linked, cut, tmp_path / "text.zip"):
        assert "crate-damaged" in there.lockgate("import", bad, "t", code=2).err, bad.name
    assert "crate-format" in there.lockgate("import", tmp_path / "other.zip", "t", code=2).err
    assert "crate-missing" in there.lockgate("import", tmp_path / "none.zip", "t", code=2).err
    assert not (there.root / "t").exists()


def test_an_import_killed_anywhere_is_gone_on_with(place: Place, tree: WorkTree) -> None:
    file = exported(tree, "latest")
    there = Elsewhere(place)
    words = ["lockgate", "import", str(file), "tides"]
    marks: tuple[Callable[[], bool], ...] = (
        lambda: any((there.hub / "repositories").glob(".*.importing")),
        lambda: (there.hub / "store" / "files").exists(),
        lambda: any((there.hub / "repositories").glob("*.git")),
        lambda: (there.root / ".tides.importing").exists(),
    )
    for is_reached in marks:
        process = subprocess.Popen(words, cwd=there.root, env=there.env, stdout=subprocess.DEVNULL)
        while process.poll() is None and not is_reached():
            pass
        process.kill()
        process.wait()
        assert not (there.root / "tides").exists() or (there.root / "tides" / "count.txt").exists()
    there.lockgate("import", file, "tides")
    assert (there.root / "tides" / "count.txt").read_text() == "6010\n"
    assert not list(there.root.glob(".*.importing"))
    assert "there already" in there.lockgate("import", file, "tides").out


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_reference_validators_find_nothing_wrong(place: Place, tree: WorkTree) -> None:
    unpacked, report = place.root / "unpacked", place.root / "report.json"
    with_data(place, tree)
    proved = json.loads(tree.lockgate("verify", "latest", "--json").out)
    with zipfile.ZipFile(exported(tree, "latest")) as crate:
        crate.extractall(unpacked)
    graph = json.loads((unpacked / "ro-crate-metadata.json").read_text())["@graph"]
    (told_,) = (each for each in graph if each["@id"] == f"#verification/{proved['by_run']}")
    assert told_["name"].endswith("made again and compared: identical")
    nodes = {each["@id"]: each for each in graph}
    action = next(each for each in graph if each.get("name", "").startswith("Stage total in run"))
    assert {"@id": "data/data/table.csv"} in action["object"]
    assert {"@id": "data/taken/raw/"} in action["object"]
    assert nodes["data/taken/raw/"]["isBasedOn"] == {"@id": "hub://weather/raw@v1"}
    assert len(nodes["hub://weather/raw@v1"]["version"]) == 40
    prov = json.loads((unpacked / "provenance.json").read_text())
    assert "hub://weather/raw@v1" in [each.get("lockgate:source") for each in prov["entity"].values()]
    script = Path(__file__).parents[1] / "services" / "crate_validator.sh"
    run_program([script, "check", unpacked, report], place.root, place.env)
    found = json.loads(report.read_text())
    assert found["validation_settings"]["profile_identifier"].startswith("provenance-run-crate")
    issues = [(each["severity"], each["message"]) for each in found["issues"]]
    assert not [each for each in issues if each[0] == "REQUIRED"]
    assert int(run_program([script, "prov", unpacked / "provenance.json"], place.root, place.env).out) > 20
