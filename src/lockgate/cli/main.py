"""The command line's entry: start fast, end every foreseeable failure in words and with its exit code."""

from __future__ import annotations

import sys

from lockgate import __version__
from lockgate.errors import LockgateError

INTERRUPTED = 130
#: A reader that went away, as `lockgate log | head`: what a shell reports for SIGPIPE.
BROKEN_PIPE = 141


def main() -> int:
    """Run the command line and return its exit code."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        sys.stdout.write(f"lockgate {__version__}\n")
        return 0
    try:
        return _run(arguments)
    except LockgateError as error:
        return _tell(error, "--json" in arguments)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; a run that was queued goes on: lockgate runs\n")
        return INTERRUPTED
    except BrokenPipeError:
        _silence()
        return BROKEN_PIPE
    except OSError as error:
        return _tell(_of_system(error), "--json" in arguments)


def _run(arguments: list[str]) -> int:
    code = _quick(arguments)
    if code is not None:
        sys.stdout.flush()
        return code
    from click.exceptions import Abort, ClickException, Exit  # noqa: PLC0415  (not for --version)

    from lockgate.cli.group import cli  # noqa: PLC0415

    try:
        result = cli.main(arguments, prog_name="lockgate", standalone_mode=False)
        sys.stdout.flush()
    except Exit as end:
        return end.exit_code
    except Abort:
        return INTERRUPTED
    except ClickException as error:
        error.show()
        return 2
    return result if isinstance(result, int) else 0


def _quick(arguments: list[str]) -> int | None:
    """Do what is asked for often and is simple; None: it is neither."""
    if arguments[:1] == ["data"]:
        from lockgate.cli.data_quick import quick  # noqa: PLC0415

        return quick(arguments[1:])
    if arguments[:1] == ["hook"]:
        from lockgate.cli.hook_quick import quick as quick_hook  # noqa: PLC0415

        return quick_hook(arguments[1:])
    if arguments[:1] == ["notebook"]:
        from lockgate.cli.notebook_quick import quick as quick_notebook  # noqa: PLC0415

        return quick_notebook(arguments[1:])
    return None


def _tell(error: LockgateError, is_json: bool) -> int:
    if is_json:
        import msgspec  # noqa: PLC0415

        about = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
        sys.stdout.write(msgspec.json.encode(about).decode() + "\n")
    else:
        text = f"error: {error.message}\n  {error.hint} [{error.code}]\n"
        sys.stderr.write(text.encode("utf-8", "backslashreplace").decode())
    return error.exit_code


def _of_system(error: OSError) -> LockgateError:
    from lockgate.errors import OutsideError  # noqa: PLC0415

    where = f" ({error.filename})" if error.filename else ""
    return OutsideError(
        f"{error.strerror or error}{where}",
        "Look at the disk (df -h) and at the rights of that path, then try again.",
        code="system",
    )


def _silence() -> None:
    """Keep the interpreter from complaining, at its end, that nobody reads any more."""
    import os  # noqa: PLC0415

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
