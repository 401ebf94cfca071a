"""Data in a clone, as `dvc add` leaves it: the bytes in the clone's store, a pointer beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

from e2e_place import WorkTree

from lockgate.data.digest import Listed, folder_listing, md5_of_file
from lockgate.data.output import Output, Pointer
from lockgate.data.pointer import pointer_file, write_pointer
from lockgate.data.store import Store


def store_of(tree: WorkTree) -> Store:
    return Store(tree.path / ".dvc" / "cache")


def add_data(tree: WorkTree, path: str, desc: str | None = None) -> str:
    """Make a file or folder of the work tree data; return its digest. Nothing is committed."""
    place, store = tree.path / path, store_of(tree)
    (tree.path / ".dvc").mkdir(exist_ok=True)
    (tree.path / ".dvc" / ".gitignore").write_text("/cache\n/tmp\n/config.local\n", "utf-8")
    if place.is_dir():
        files = sorted(each for each in place.rglob("*") if each.is_file())
        listed = [Listed(md5_of_file(each), each.relative_to(place).as_posix()) for each in files]
        for each, one in zip(files, listed, strict=True):
            store.put(each, one.md5)
        md5 = store.put_listing(folder_listing(listed))
        size, count = sum(each.stat().st_size for each in files), len(files)
        output = Output(path, md5, size, count, desc=desc)
    else:
        md5 = md5_of_file(place)
        store.put(place, md5)
        output = Output(path, md5, place.stat().st_size, desc=desc)
    pointer = tree.path / pointer_file(path)
    pointer.write_text(write_pointer(Pointer(pointer_file(path), (output,))), "utf-8")
    ignore = place.parent / ".gitignore"
    lines = ignore.read_text("utf-8") if ignore.exists() else ""
    if f"/{place.name}\n" not in lines:
        ignore.write_text(f"{lines}/{place.name}\n", "utf-8")
    return md5


def forget(tree: WorkTree) -> None:
    """Empty the clone's store."""
    shutil.rmtree(store_of(tree).folder)


def hub_store(tree: WorkTree) -> Store:
    return Store(Path(tree.place.hub) / "store")
