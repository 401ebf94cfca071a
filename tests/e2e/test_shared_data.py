"""Data of one project used by another: imported at a version, run, told of when there is something newer."""

from __future__ import annotations

import json
import os
import re
import shutil

import pytest
from data_place import add_data, forget, hub_store, store_of
from dvc_program import Dvc, dvc_program
from e2e_place import Place, WorkTree

from lockgate.hub.datasets.dataset_page import look_up
from lockgate.hub.directory import open_hub
from lockgate.hub.members.book import open_book
from lockgate.hub.members.values import Member
from lockgate.hub.supplying.holdings import Holdings

STAGE = '[stages.s]\nrun = "cat x/* > o"\nneeds = ["x"]\nmakes = ["o"]\n'


def weather(place: Place) -> WorkTree:
    """A project with data behind pointers, data in git, and a stage, tagged v1."""
    tree = place.project(
        {"lockgate.toml": '[stages.s]\nrun = "cat in > o"\nneeds = ["in"]\nmakes = ["o"]\n', "in": "i\n"},
        "weather",
    )
    tree.write({"big.csv": "a,b\n1,2\n", "raw/one.csv": "1\n", "raw/sub/ä b.csv": "2\n", "small.csv": "s\n"})
    tree.write({"mixed/in-git.txt": "g\n", "mixed/stored.txt": "st\n"})
    for path in ("big.csv", "raw", "mixed/stored.txt"):
        add_data(tree, path)
    tree.commit()
    tree.git("tag", "v1")
    tree.lockgate("hub", "send")
    tree.git("push", "-q", "-o", "skip", "hub", "main", "v1")
    return tree


def flights(place: Place) -> WorkTree:
    return place.project({"lockgate.toml": STAGE, "x/own": "own\n"}, "flights")


def move_on(source: WorkTree) -> None:
    source.write({"big.csv": "a,b\n3,4\n"})
    add_data(source, "big.csv")
    source.commit()
    source.lockgate("hub", "send")
    source.git("push", "-q", "-o", "skip", "hub", "main")


def test_data_of_another_project_is_pinned_run_and_brought_up_to_date(place: Place) -> None:
    source, tree = weather(place), flights(place)
    said = tree.lockgate("data", "import", "hub://weather/big.csv@v1", "x/w.csv").out
    assert "x/w.csv: 8 bytes of hub://weather/big.csv@v1" in said
    assert tree.read("x/w.csv") == "a,b\n1,2\n"
    pointer = tree.read("x/w.csv.dvc")
    assert f"rev_lock: {source.head()}" in pointer and "rev: v1" in pointer
    assert str(place.repository("weather")) in pointer
    tree.commit()
    tree.push()
    tree.pull()
    assert tree.read("o") == "own\na,b\n1,2\n"
    assert tree.lockgate("data", "status").out == "the data is as its pointers say\n"

    move_on(source)
    said = tree.lockgate("data", "status").out
    assert "x/w.csv: a newer version is there" in said
    assert "lockgate data import --update x/w.csv --version main" in said
    assert "nothing new" in tree.lockgate("data", "import", "--update", "x/w.csv").out
    tree.lockgate("data", "import", "--update", "x/w.csv", "--version", "main")
    assert tree.read("x/w.csv") == "a,b\n3,4\n"
    assert "a newer version" not in tree.lockgate("data", "status").out
    tree.commit()
    said = tree.push().err
    changed = r"data changed: x/w\.csv e5ebd4c02c → [0-9a-f]{10} \(hub://weather/big\.csv@main\)"
    assert re.search(changed, said), said


def test_folders_files_in_git_and_what_stages_made_come_too(place: Place) -> None:
    source, tree = weather(place), flights(place)
    wanted = {
        "raw": {"one.csv": "1\n", "sub/ä b.csv": "2\n"},
        "raw/sub": {"ä b.csv": "2\n"},
        "mixed": {"in-git.txt": "g\n", "stored.txt": "st\n"},
    }
    for number, (path, files) in enumerate(wanted.items()):
        tree.lockgate("data", "import", f"hub://weather/{path}", f"in/{number}")
        top = tree.path / "in" / str(number)
        got = {
            each.relative_to(top).as_posix(): each.read_text() for each in top.rglob("*") if each.is_file()
        }
        assert got.items() >= files.items() and len(got) - len(files) <= 2, path
    for path, text in {"small.csv": "s\n", "raw/one.csv": "1\n"}.items():
        tree.lockgate("data", "import", f"hub://weather/{path}")
        assert tree.read(path.rpartition("/")[2]) == text
    tree.commit()
    # A colleague's clone with nothing in its store has it all from the hub
    tree.git("push", "-q", "-o", "skip", "hub", "main")
    other = place.clone("other", "other@example.org", "flights")
    other.lockgate("data", "get")
    assert other.read("in/0/sub/ä b.csv") == "2\n" and other.read("small.csv") == "s\n"

    source.push("main:main", "HEAD:refs/heads/again")
    run = place.runs("weather")[-1].request.id
    tree.lockgate("data", "import", f"hub://weather/o@{run[-8:]}", "made")
    assert tree.read("made") == "i\n"


def test_what_cannot_be_imported_is_told_in_words(place: Place) -> None:
    weather(place)
    tree = flights(place)
    tree.write({"mine.csv": "m\n"})
    refused = {
        ("hub://nobody/big.csv",): ("project-unknown", "the hub has no project nobody"),
        ("hub://weather/none.csv",): ("data-unknown", "has nothing at none.csv"),
        ("hub://weather/big.csv@v9",): ("revision-unknown", "no tag, branch, commit or run 'v9'"),
        ("hub://flights/x/own",): ("import-own", "of this project itself"),
        ("hub://weather/../flights/x",): ("dataset-name", "names no dataset"),
        ("weather/big.csv",): ("dataset-name", "Write hub://PROJECT/PATH"),
        ("hub://weather/big.csv", "mine.csv"): ("path-taken", "mine.csv is there already"),
        ("hub://weather/big.csv", "../out"): ("path-outside", "lies outside"),
        ("--update", "x/own"): ("data-unknown", "x/own is no data"),
    }
    for words, (code, said) in refused.items():
        done = tree.lockgate("data", "import", *words, code=2)
        assert said in done.err and f"[{code}]" in done.err, done.err
    assert tree.read("mine.csv") == "m\n" and not list(tree.path.glob("*.dvc"))

    tree.lockgate("data", "import", "hub://weather/big.csv")
    (tree.path / "big.csv").unlink()
    tree.write({"big.csv": "edited\n"})
    assert "[data-edited]" in tree.lockgate("data", "import", "--update", "big.csv", code=2).err
    assert "[data-imported]" in tree.lockgate("data", "add", "big.csv", code=2).err
    assert "[path-taken]" in tree.lockgate("data", "import", "hub://weather/big.csv", code=2).err


def as_member(name: str) -> dict[str, str]:
    return {"LOCKGATE_MEMBER": name, "LOCKGATE_SCOPE": "admin"}


@pytest.fixture
def two_projects(place: Place) -> tuple[WorkTree, WorkTree]:
    """Ann leads both; bob is a member of flights alone, vic of flights and a viewer of weather."""
    source, tree = weather(place), flights(place)
    tree.git("push", "-q", "-o", "skip", "hub", "main")
    book = open_book(open_hub(place.hub))
    book.add(Member(name="ann", email="ann@example.org", roles={"weather": "lead", "flights": "lead"}))
    book.add(Member(name="bob", email="bob@example.org", roles={"flights": "lead"}))
    book.add(Member(name="vic", email="vic@example.org", roles={"flights": "member", "weather": "viewer"}))
    return source, tree


def holdings(place: Place, project: str = "flights") -> set[str]:
    return Holdings(open_hub(place.hub), project).read()


def test_who_may_not_read_a_project_gets_no_byte_of_it(
    place: Place, two_projects: tuple[WorkTree, WorkTree]
) -> None:
    source, tree = two_projects
    done = tree.lockgate("data", "import", "hub://weather/big.csv", code=2, env=as_member("bob"))
    nobody = tree.lockgate("data", "import", "hub://nobody/big.csv", code=2, env=as_member("bob"))
    assert done.err.replace("weather", "nobody") == nobody.err and "[project-unknown]" in done.err

    # Bob knows the digest, and the commit, from a colleague's screen: neither gives him a byte
    tree.lockgate("data", "import", "hub://weather/big.csv", env=as_member("vic"))
    pointer = tree.read("big.csv.dvc")
    (place.hub / "holdings/flights").unlink()
    tree.commit()
    forget(tree)
    refused = tree.git("push", "hub", "main", code=1, env=as_member("bob"))
    assert "[import-refused]" in refused.err and "hub://weather/big.csv" in refused.err
    assert holdings(place) == set()
    plain = pointer.partition("outs:\n")[2]
    tree.git("reset", "-q", "--soft", "HEAD~1")
    tree.commit({"big.csv.dvc": "outs:\n" + plain})
    tree.git("push", "-q", "-o", "skip", "hub", "main", env=as_member("bob"))
    assert holdings(place) == set()
    (tree.path / "big.csv").unlink()
    assert "[data-missing]" in tree.lockgate("data", "get", code=3, env=as_member("bob")).err

    # One who may read it pushes the import's pointer: no byte is sent, and it is the project's
    tree.commit({"big.csv.dvc": pointer})
    tree.git("push", "-q", "-o", "skip", "hub", "main", env=as_member("vic"))
    assert len(holdings(place)) == 1
    tree.lockgate("data", "get", env=as_member("bob"))
    assert tree.read("big.csv") == "a,b\n1,2\n"
    assert source.head() in pointer


def test_a_project_does_not_lend_what_it_only_names(
    place: Place, two_projects: tuple[WorkTree, WorkTree]
) -> None:
    """Otherwise a project of one's own would be a way to any bytes whose digest one knows."""
    source, tree = two_projects
    secret = source.read("big.csv.dvc")
    tree.commit({"big.csv.dvc": secret, "d/big.csv.dvc": secret})
    tree.git("push", "-q", "-o", "skip", "hub", "main", env=as_member("bob"))
    third = place.project({"lockgate.toml": STAGE, "x/own": "own\n"}, "third")
    for path in ("big.csv", "d", "d/big.csv"):
        done = third.lockgate("data", "import", f"hub://flights/{path}", "taken", code=3)
        assert "[data-missing]" in done.err
    assert holdings(place, "third") == set()


def test_gc_of_the_hub_keeps_what_an_import_pins(place: Place) -> None:
    source, tree = weather(place), flights(place)
    tree.lockgate("data", "import", "hub://weather/raw@v1")
    tree.lockgate("data", "import", "hub://weather/small.csv")
    tree.commit()
    tree.git("push", "-q", "-o", "skip", "hub", "main")
    store = hub_store(tree)
    wanted = holdings(place)
    for path in store.folder.rglob("*"):
        if path.is_file():
            os.utime(path, (1, 1))
    shutil.rmtree(place.repository("weather"))
    tree.lockgate("hub", "gc", "--hub", str(place.hub), "--remove")
    assert len(wanted) == 4 and all(store.has(md5) for md5 in wanted)
    assert not store.has(source.read("big.csv.dvc").partition("md5: ")[2].split()[0])


def test_the_source_shows_who_uses_it_and_a_run_shows_its_source(place: Place) -> None:
    source, tree = weather(place), flights(place)
    tree.lockgate("data", "import", "hub://weather/big.csv@v1", "x/w.csv")
    tree.commit()
    tree.push()
    hub = open_hub(place.hub)
    assert look_up(hub, "weather", "big.csv").importers == ()
    (found,) = look_up(hub, "weather", "big.csv", readable=("weather", "flights")).importers
    assert (found.project, found.path, found.version, found.commit) == (
        "flights",
        "x/w.csv",
        "v1",
        source.head(),
    )
    assert found.content == look_up(hub, "weather", "big.csv").listed.entry.content
    tree.pull()
    tree.lockgate("data", "import", "hub://weather/raw/one.csv")
    tree.commit()
    tree.push("-o", "skip", "main")
    (part,) = look_up(hub, "weather", "raw", readable=("weather", "flights")).importers
    assert (part.path, part.content) == ("one.csv", None)
    said = json.loads(tree.lockgate("data", "show", "x/w.csv", "--json").out)
    assert said["description"]["source"] == "hub://weather/big.csv@v1"
    assert "hub://weather/big.csv@v1" in tree.lockgate("show").out


def test_a_dataset_is_told_to_catalogues_elsewhere(place: Place) -> None:
    tree = weather(place)
    words = ("data", "export", "big.csv", "--address", "https://hub.example.org/")
    document = json.loads(tree.lockgate(*words, "--as", "croissant", "--rev", "v1").out)
    assert document["identifier"] == "weather/big.csv"
    assert document["url"] == "https://hub.example.org/p/weather/data/big.csv"
    assert document["distribution"][0]["md5"] == tree.read("big.csv.dvc").partition("md5: ")[2][:32]
    one = json.loads(tree.lockgate(*words, "--as", "dcat").out)
    every = tree.lockgate("data", "export", "--as", "turtle").out
    assert "raw" not in json.dumps(one) and "dcat:Dataset" in every and "/data/raw>" in every
    assert "[data-unknown]" in tree.lockgate("data", "export", "no", "--as", "dcat", code=2).err
    assert "name its PATH" in tree.lockgate("data", "export", "--as", "croissant", code=2).err


def test_status_without_the_hub_says_so_and_what_is_here(place: Place) -> None:
    weather(place)
    tree = flights(place)
    tree.lockgate("data", "import", "hub://weather/big.csv")
    place.hub.rename(place.root / "away")
    said = tree.lockgate("data", "status").out
    assert "the data is as its pointers say" in said
    assert "big.csv: whether there is a newer version is not known: " in said
    assert store_of(tree).has(tree.read("big.csv.dvc").partition("outs:\n- md5: ")[2].split()[0])


def test_real_dvc_reads_the_import_and_pulls_it(place: Place) -> None:
    weather(place)
    tree = flights(place)
    tree.lockgate("data", "import", "hub://weather/small.csv@v1")
    dvc = Dvc(dvc_program(), tree.path)
    assert "up to date" in dvc("status")
    forget(tree)
    (tree.path / "small.csv").unlink()
    dvc("pull", "small.csv.dvc")
    assert tree.read("small.csv") == "s\n"
    before = tree.read("small.csv.dvc")
    dvc("update", "small.csv.dvc")
    assert tree.read("small.csv.dvc") == before
