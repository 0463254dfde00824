"""The `mdf` command: parse, call one function, print, exit code.

Exit codes: 0 success, 1 a run failed or its books do not balance, 2 the command or the configuration is wrong,
130 interrupted, 143 terminated.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import typer

from mega_data_factory import extras
from mega_data_factory.cli import failures
from mega_data_factory.cli.display import streams
from mega_data_factory.cli.mdf_app import app
from mega_data_factory.errors import MdfError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: arguments without the program's name; those of the process when None.

    Returns:
        The exit code. An exception that is not an `MdfError` is a fault of ours and goes through, traceback and all.
    """
    streams.prepare()
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _answered(arguments)
    except BrokenPipeError:  # the reader of the answer has closed
        streams.silence(sys.stdout)
        return failures.SUCCESS
    finally:
        streams.flush()


def command() -> NoReturn:
    """Run the command line of this process, and end the process.

    It ends after the functions that were registered for its end, but without the interpreter being taken down: threads
    of Arrow and Ray may still be running then, and one that meets an ended interpreter aborts the process, which
    would turn a completed run into exit code 134.
    """
    streams.prepare()  # before anything is opened
    code = failures.SUCCESS if _was_worker(sys.argv[1:]) else main()
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are not daemons, as the interpreter does
    atexit._run_exitfuncs()
    streams.flush()
    os._exit(code)


def _was_worker(arguments: list[str]) -> bool:
    """Fork the workers' server where a run begins; return whether this process was one of its workers."""
    if arguments[:1] != ["run"] or {"--help", "-h"} & set(arguments):
        return False
    try:
        from mega_data_factory.framework.engines.local.processes.fork_server import fork_here
    except ImportError:  # the command says what is missing
        return False
    return fork_here()


def _answered(arguments: list[str]) -> int:
    as_json = "--json" in arguments
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # so that `module:Class` finds the user's own modules; last, so that it shadows nothing
    try:
        with extras.needed_by("this command"):
            code: int | None = app(arguments, prog_name="mdf", standalone_mode=False)
    except MdfError as error:
        return failures.print_error(error, as_json=as_json)
    except typer.TyperException as error:
        if not error.format_message():  # a bare `mdf`: the help has been printed
            return failures.USAGE
        hint = "`mdf --help` and `mdf COMMAND --help` list what there is"
        return failures.print_error(failures.UsageError(error.format_message(), hint=hint), as_json=as_json)
    except (typer.Abort, KeyboardInterrupt):
        return failures.INTERRUPTED
    return code or failures.SUCCESS
