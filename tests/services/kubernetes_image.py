"""Writes container images as `ctr images import` reads them, of this host's own files.

kubernetes_image.py OUT PREFIX: OUT/pause.tar (`localhost/pause:1`, catatonit alone), OUT/plain.tar
(`localhost/lockgate-plain:1`: a shell and the small tools of POSIX), and OUT/base.tar
(`localhost/lockgate-test:1`: those, and the Python below PREFIX at that path).
"""

# ruff: noqa: PTH110, PTH112, PTH114, PTH115, PTH118, PTH119, PTH120
from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGES = [
    "base-files",
    "base-passwd",
    "ca-certificates",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "gzip",
    "libc-bin",
    "libc6",
    "sed",
    "tar",
    "tzdata",
    "util-linux",
]
LIBRARIES = ("libstdc++.so.6", "libgcc_s.so.1")
FOLDERS = ("/tmp", "/var/tmp", "/proc", "/sys", "/dev", "/run")
SKIPPED = ("/usr/share/doc", "/usr/share/man", "/usr/share/info", "/usr/share/locale", "/usr/share/lintian")
SKIPPED_PYTHON = ("site-packages", "test", "tests", "__pycache__", "idlelib", "tkinter", "share", "include")


def files_of_packages() -> Iterator[str]:
    listed = subprocess.run(["dpkg", "-L", *PACKAGES], check=True, capture_output=True, text=True).stdout
    for path in listed.splitlines():
        if path.startswith("/") and path != "/." and not path.startswith(SKIPPED) and os.path.lexists(path):
            yield path


def files_of_python(prefix: str) -> Iterator[str]:
    if prefix == "/usr":
        raise SystemExit("kubernetes_image.py: the Python of the tests must be one with a folder of its own")
    for folder, folders, files in os.walk(prefix):
        folders[:] = [name for name in folders if name not in SKIPPED_PYTHON]
        yield from (f"{folder}/{name}" for name in files if not name.endswith((".a", ".pyc")))


def libraries_of(paths: Iterable[str]) -> set[str]:
    found = {path for name in LIBRARIES for path in Path("/usr/lib").glob(f"*-linux-gnu/{name}")}
    programs = [path for path in paths if Path(path).is_file() and is_elf(path)]
    told = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    words = {word for line in told.splitlines() for word in line.split() if word.startswith("/")}
    return {str(path) for path in found} | {word for word in words if not word.endswith(":")}


def is_elf(path: str) -> bool:
    with Path(path).open("rb") as file:
        return file.read(4) == b"\x7fELF"


def layer(paths: Iterable[str], links: Iterable[tuple[str, str]]) -> bytes:
    """Return a tar of these paths, links with what they lead to, at the places they have here, and of more
    links: name, target."""
    buffer = io.BytesIO()
    done: set[str] = set()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, target in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname, link.mode = tarfile.SYMTYPE, target, 0o777
            tar.addfile(link)
        for folder in FOLDERS:
            entry = tarfile.TarInfo(folder[1:])
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if "tmp" in folder else 0o755
            tar.addfile(entry)
        waiting = sorted(set(paths), reverse=True)
        while waiting:
            path = waiting.pop()
            parent = os.path.realpath(os.path.dirname(path))
            path = os.path.join(parent, os.path.basename(path))
            if path in done or (os.path.isdir(path) and not os.path.islink(path)):
                continue
            done.add(path)
            if os.path.islink(path) and os.path.exists(path):
                waiting.append(os.path.join(parent, os.readlink(path)))
            tar.add(path, path.lstrip("/"), recursive=False)
        passwd = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
        entry = tarfile.TarInfo("etc/passwd")
        entry.size = len(passwd)
        tar.addfile(entry, io.BytesIO(passwd))
    return buffer.getvalue()


def single(path: str, name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(os.path.realpath(path), name, recursive=False)
    return buffer.getvalue()


def write_image(target: Path, name: str, content: bytes, config: dict[str, object]) -> None:
    """Write a one-layer image in the format of `docker save` (moby, image/spec/v1.2.md)."""
    digest = hashlib.sha256(content).hexdigest()
    text = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created_by": "kubernetes_image.py"}],
        }
    ).encode()
    config_name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as tar:
        for file, data in (
            (config_name, text),
            ("layer.tar", content),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            entry = tarfile.TarInfo(file)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def main() -> None:
    out, prefix = Path(sys.argv[1]), os.path.realpath(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    pause = single("/usr/bin/catatonit", "pause")
    write_image(out / "pause.tar", "localhost/pause:1", pause, {"Entrypoint": ["/pause", "-P"]})
    environment = ["PATH=/usr/local/bin:/usr/bin:/bin"]
    config: dict[str, object] = {"Env": environment, "Cmd": ["/bin/sh"]}
    paths = list(files_of_packages())
    links = [(name, f"usr/{name}") for name in ("bin", "lib", "lib64", "sbin")]
    plain = layer([*paths, *libraries_of(paths)], links)
    write_image(out / "plain.tar", "localhost/lockgate-plain:1", plain, config)
    paths += files_of_python(prefix)
    version = "{}.{}".format(*sys.version_info)
    links += [(f"usr/local/bin/python{name}", f"{prefix}/bin/python3") for name in ("3", version)]
    content = layer([*paths, *libraries_of(paths)], links)
    write_image(out / "base.tar", "localhost/lockgate-test:1", content, config)


if __name__ == "__main__":
    main()
