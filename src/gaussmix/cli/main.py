"""The command `gaussmix`: its commands, and how each of them may end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from gaussmix.cli import shards, use
from gaussmix.cli.detect import detect
from gaussmix.cli.fit import fit
from gaussmix.cli.terminal import DONE, INTERRUPTED, USAGE, Ended, debugging, exit_code, say, sentence, spoken_warnings

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _flowing(text: str | None) -> str:
    """Join the lines of every paragraph, so that they are broken where the terminal ends."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in (text or "").split("\n\n"))


commands = (fit, use.predict, detect, use.score, use.sample, use.show, use.report)
for command in (*commands, shards.stats, shards.merge, shards.update):
    app.command(help=_flowing(command.__doc__))(command)

# Typer brings its own copy of click, or the package, as its release likes; both make BadParameter a usage error.
_UsageError = typer.BadParameter.__mro__[1]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"gaussmix {version('gaussmix')}")
        raise typer.Exit


_ABOUT = """Gaussian mixture models: soft clusters, densities, and how many clusters there are.

Answers go to standard output, everything else to standard error. Exit codes: 0 done, 1 failure, 2 usage, 3 bad data,
4 not converged under --strict, 130 interrupted.
"""


@app.callback(invoke_without_command=True, help=_flowing(_ABOUT))
def gaussmix(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Say what there is, where nothing is asked for."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows `gaussmix`; what the process was given by default.
    """
    try:
        with spoken_warnings():
            code = app(args=arguments, prog_name="gaussmix", standalone_mode=False) or DONE
    except Ended as end:
        if str(end):
            say(str(end))
        return end.code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        return _failed(error)
    if code == INTERRUPTED:
        say("interrupted")
    return code


def _failed(error: Exception) -> int:
    if isinstance(error, _UsageError):
        context = getattr(error, "ctx", None)
        say(f"error: {error.format_message()}")  # pyright: ignore[reportAttributeAccessIssue]
        say(f"see {context.command_path if context else 'gaussmix'} --help")
        return USAGE
    if debugging():
        raise error
    say(f"error: {sentence(error)}")
    return exit_code(error)
