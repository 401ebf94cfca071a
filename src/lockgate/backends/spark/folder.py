"""What the Spark backend puts into a job's folder, and what it looks for on this host."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lockgate.backends.spark.configuration import LOG_SETTINGS, configuration, has_setting
from lockgate.backends.spark.environment import PASSED, Place, environment, submit_script
from lockgate.backends.spark.eventlog import EVENTS
from lockgate.backends.spark.options import Options
from lockgate.runs.job import Job
from lockgate.runs.jobscript import SETTINGS, SYSTEM_PATH

DEFAULTS = "spark-defaults.conf"
_LOGGING = ("log4j2.properties", "log4j2.xml", "log4j.properties")


def find_place(options: Options) -> Place:
    """Return where Spark is on this host, beside what runtimes bring."""
    home = options.spark_home or os.environ.get("SPARK_HOME") or _home_on_path()
    passed = {name: os.environ[name] for name in PASSED if os.environ.get(name)}
    kube = Path.home() / ".kube/config"
    if "KUBECONFIG" not in passed and (options.master or "").startswith("k8s://") and kube.is_file():
        passed["KUBECONFIG"] = os.fspath(kube)
    if not home:
        return Place(passed=passed)
    libraries = tuple(sorted(map(os.fspath, Path(home, "python/lib").glob("*.zip"))))
    return Place(home, options.spark_home is not None, libraries, passed)


def lacks(options: Options, place: Place) -> str | None:
    """Return in words what is missing on this host for a driver to start, or None."""
    home = options.spark_home
    if home is not None and not Path(home, "bin/spark-submit").is_file():
        return f"[batch.spark]: spark_home {home} has no bin/spark-submit on the hub's host"
    java_home = options.java_home or place.passed.get("JAVA_HOME")
    if java_home is not None:
        if not os.access(Path(java_home, "bin/java"), os.X_OK):
            return f"there is no Java in {java_home} on the hub's host: correct [batch.spark] java_home"
    elif shutil.which("java", path=SYSTEM_PATH) is None:
        return (
            "Spark needs Java on the hub's host: install Java 17 or newer (apt: openjdk-17-jre-headless), "
            "or name it in [batch.spark] java_home"
        )
    if options.master is None and "spark.master" not in options.conf:
        return _lacks_master(place)
    return None


def _lacks_master(place: Place) -> str | None:
    if not has_setting(site_defaults(place), "spark.master"):
        return '[batch.spark] names no master: write master = "spark://HOST:7077", "yarn" or "k8s://…"'
    return None


def site_defaults(place: Place) -> str:
    """Return the site's own spark-defaults.conf; empty where there is none."""
    conf = _site_conf(place)
    try:
        return (conf / DEFAULTS).read_text("utf-8", "replace") if conf is not None else ""
    except OSError:
        return ""


def write_folder(job: Job, options: Options, place: Place) -> None:
    """Write `spark/` and `environment` into a job's folder. May be repeated. Raises `OSError`."""
    folder = Path(job.folder)
    (folder / EVENTS).mkdir(parents=True, exist_ok=True)
    text = configuration(job, options, site=site_defaults(place), events_uri=(folder / EVENTS).as_uri())
    conf = folder / "spark"
    _link_site(conf, _site_conf(place))
    _write(conf / DEFAULTS, text, 0o600)
    if not any((conf / name).exists() for name in _LOGGING):
        _write(conf / _LOGGING[0], LOG_SETTINGS, 0o644)
    if options.extra:
        (conf / "bin").mkdir(exist_ok=True)
        _write(conf / "bin/spark-submit", submit_script(options.extra), 0o755)
    _write(folder / SETTINGS, environment(options, place), 0o644)


def _link_site(conf: Path, site: Path | None) -> None:
    """Let what the site says elsewhere (Hive, logging, Kerberos) count too."""
    if site is None or not site.is_dir():
        return
    for each in site.iterdir():
        if each.name != DEFAULTS and not each.name.endswith(".template"):
            link = conf / each.name
            if not os.path.lexists(link):
                link.symlink_to(each.absolute())


def _site_conf(place: Place) -> Path | None:
    named = os.environ.get("SPARK_CONF_DIR")
    if named:
        return Path(named)
    return Path(place.spark_home, "conf") if place.spark_home else None


def _home_on_path() -> str | None:
    found = shutil.which("spark-submit")
    home = Path(found).resolve().parent.parent if found else None
    return os.fspath(home) if home is not None and (home / "bin/spark-class").is_file() else None


def _write(path: Path, text: str, mode: int) -> None:
    """Write a file so that a reader finds all of it or none."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode, exist_ok=False)
    draft.write_text(text, "utf-8")
    draft.rename(path)
