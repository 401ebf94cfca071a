"""The table `[batch.htcondor]`: what a lead may choose of HTCondor. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Most are submit commands of the same name; see condor_submit(1), SUBMIT DESCRIPTION FILE COMMANDS."""

    requirements: str | None = None
    """What a slot must satisfy, a ClassAd expression."""
    rank: str | None = None
    """Which slot is liked best, a ClassAd expression."""
    accounting_group: str | None = None
    accounting_group_user: str | None = None
    priority: int | None = None
    request_disk: str | None = None
    """As HTCondor writes it: `2 GB`; a bare number is in KiB."""
    universe: str | None = None
    container_image: str | None = None
    docker_image: str | None = None
    transfer: bool = False
    """Whether jobs' files are carried to and fro by HTCondor, as workers share no files with the hub."""
    max_materialize: int | None = None
    """How many jobs of a matrix the queue holds at a time."""
    max_idle: int | None = None
    pool: str | None = None
    """The host of another pool's collector."""
    schedd: str | None = None
    """The name of another access point."""
    extra: tuple[str, ...] = ()
    """Further lines of the submit description."""


#: Submit commands that would take a job out of Lockgate's sight or hands, and what to do instead.
_OURS = {
    "accounting_group": "say `accounting_group` of [batch.htcondor] instead",
    "allowed_job_duration": "say `walltime` of the stage instead",
    "allowed_execute_duration": "say `walltime` of the stage instead",
    "arguments": "Lockgate hands over its own script",
    "batch_name": "Lockgate finds its jobs by their names",
    "container_image": "say `container_image` of [batch.htcondor] instead",
    "docker_image": "say `docker_image` of [batch.htcondor] instead",
    "error": "what a job prints is in its output.log",
    "executable": "Lockgate hands over its own script",
    "hold": "Lockgate starts a stage once its needs are there",
    "initialdir": "a job runs in its own folder",
    "input": "a job reads its needs and nothing else",
    "log": "Lockgate reads the event log in its own place",
    "log_xml": "Lockgate reads the event log in its own form",
    "max_retries": "Lockgate itself starts a job again, once",
    "on_exit_remove": "Lockgate itself starts a job again, once",
    "output": "what a job prints is in its output.log",
    "periodic_remove": "a job that was put back must not start a second time",
    "queue": "Lockgate says how many jobs there are",
    "rank": "say `rank` of [batch.htcondor] instead",
    "request_cpus": "say `cpus` of the stage instead",
    "request_disk": "say `request_disk` of [batch.htcondor] instead",
    "request_gpus": "say `gpus` of the stage instead",
    "request_memory": "say `memory` of the stage instead",
    "requirements": "say `requirements` of [batch.htcondor] instead",
    "should_transfer_files": "say `transfer` of [batch.htcondor] instead",
    "stream_error": "what a job prints is in its output.log",
    "stream_output": "what a job prints is in its output.log",
    "submit_event_user_notes": "Lockgate finds its jobs by it",
    "success_exit_code": "Lockgate itself starts a job again, once",
    "transfer_executable": "Lockgate hands over its own script",
    "transfer_input_files": "write what a stage reads in its `needs`",
    "transfer_output_files": "write what a stage makes in its `makes`",
    "universe": "say `universe` of [batch.htcondor] instead",
    "when_to_transfer_output": "Lockgate brings back what a job made",
}


def read_options(table: Mapping[str, object]) -> Options | str:
    """Return the options, or in words what is wrong with the table."""
    known = [field.name for field in msgspec.structs.fields(Options)]
    unknown = sorted(set(table) - set(known))
    if unknown:
        return f"[batch.htcondor] has no key {unknown[0]!r}; known are {', '.join(known)}"
    for name, value in table.items():
        try:
            msgspec.convert({name: value}, Options)
        except msgspec.ValidationError:
            return f"[batch.htcondor] {name} must be {_should(name)}, not {value!r}"
    options = msgspec.convert(dict(table), Options)
    return _problem(options) or options


def _should(name: str) -> str:
    if name == "extra":
        return "a list of lines"
    if name == "transfer":
        return "true or false"
    return "a whole number" if name in ("priority", "max_materialize", "max_idle") else "a text"


def _problem(options: Options) -> str | None:
    for name, value in msgspec.structs.asdict(options).items():
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and (not text.strip() or not text.isprintable()):
                return f"[batch.htcondor] {name} holds {text!r}, which is empty or no plain text"
            if isinstance(text, str) and text.rstrip().endswith("\\"):
                return f"[batch.htcondor] {name} ends with a backslash, which would join it to the next line"
    for name in ("max_materialize", "max_idle"):
        number = getattr(options, name)
        if number is not None and number < 1:
            return f"[batch.htcondor] {name} must be 1 or more, not {number}"
    for name in ("pool", "schedd"):
        text = getattr(options, name)
        if text is not None and text.startswith("-"):
            return f"[batch.htcondor] {name} must be a name, not {text!r}"
    if options.transfer and options.universe not in (None, "vanilla", "container", "docker"):
        return f"[batch.htcondor] transfer does not go with the universe {options.universe!r}"
    return _extra_problem(options.extra)


def _extra_problem(lines: tuple[str, ...]) -> str | None:
    for line in lines:
        name, equals, _ = line.partition("=")
        name = name.strip().lower()
        if name.split(None, 1)[0] == "queue":
            name, equals = "queue", "="
        if not equals or not name:
            return (
                f"[batch.htcondor] extra holds {line!r}, which is no submit command: "
                'write one like "nice_user = true"'
            )
        if name in _OURS:
            return f"[batch.htcondor] extra holds {line!r}, which Lockgate cannot let through: {_OURS[name]}"
    return None
