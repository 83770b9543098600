"""The command as a whole: help, versions, exit codes, pipes, and what it imports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.metadata import version

import pytest

import gaussmix as gm
from gaussmix.cli import arguments
from gaussmix.cli.main import main

COMMAND = [sys.executable, "-c", "import sys; from gaussmix.cli.main import main; sys.exit(main())"]


def test_help_names_every_command_and_exit_code(cli):
    for call in (("--help",), ()):
        answer = cli(*call)
        assert answer.code == 0
        for word in ("fit", "predict", "detect", "score", "sample", "show", "130"):
            assert word in answer.out


@pytest.mark.parametrize("command", ["fit", "predict", "detect", "score", "sample", "show"])
def test_every_command_has_help(cli, command):
    answer = cli(command, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert "Usage: gaussmix " + command in answer.out


def test_help_waits_for_no_numerical_package():
    code = (
        "import sys; from gaussmix.cli.main import main; main(['--help']); "
        "print([m for m in ('numpy', 'scipy', 'numba', 'pyarrow', 'narwhals') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version(cli):
    assert cli("--version").out == f"gaussmix {version('gaussmix')}\n"


def test_unknown_commands_are_usage_errors(cli):
    answer = cli("cluster")
    assert (answer.code, answer.out) == (2, "")
    assert "see gaussmix --help" in answer.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (gm.errors.ParameterError("no"), 2, "error: no"),
        (gm.errors.TooFewRowsError("no"), 3, "error: no"),
        (gm.errors.ModelFileError("no"), 3, "error: no"),
        (gm.errors.FileWriteError("no"), 1, "error: no"),
        (gm.errors.FitError("no"), 1, "error: no"),
        (PermissionError(13, "Permission denied", "x.csv"), 1, "error: x.csv: Permission denied"),
        (MemoryError(), 1, "error: out of memory"),
        (ZeroDivisionError("oops"), 1, "error: internal: ZeroDivisionError: oops"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_every_end_has_its_exit_code_and_one_line(cli, model, monkeypatch, error, code, said):
    def fails(_: object) -> None:
        raise error

    monkeypatch.setattr(gm, "load", fails)
    monkeypatch.delenv("GAUSSMIX_DEBUG", raising=False)
    answer = cli("sample", model)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith(said)
    assert len(answer.err.splitlines()) == 1


def test_debugging_shows_the_traceback(model, monkeypatch):
    def fails(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(gm, "load", fails)
    monkeypatch.setenv("GAUSSMIX_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["sample", str(model)])


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise there")
def test_a_reader_that_has_seen_enough_is_no_error(model):
    with subprocess.Popen(
        [*COMMAND, "sample", str(model), "-n", "200000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are needed")
def test_colour_and_bars_are_for_terminals_that_want_them(model):
    assert b"\x1b[" in _on_a_terminal(["show", str(model)], {})
    assert "█".encode() in _on_a_terminal(["show", str(model)], {})
    assert b"\x1b[" not in _on_a_terminal(["show", str(model)], {"NO_COLOR": "1"})


def _on_a_terminal(call: list[str], extra: dict[str, str]) -> bytes:
    import pty

    primary, secondary = pty.openpty()
    env = {**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm", **extra}
    with subprocess.Popen([*COMMAND, *call], stdout=secondary, stderr=secondary, env=env):
        os.close(secondary)
        seen = b""
        try:
            while piece := os.read(primary, 65536):
                seen += piece
        except OSError:  # Linux says so that the other end was closed
            pass
    os.close(primary)
    return seen


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")
def test_ctrl_c_ends_with_130_and_no_traceback(tmp_path):
    # Waiting for a reader, with rows still to write: a moment that an interrupt surely meets.
    path = tmp_path / "model.gmx"
    gm.Mixture([1.0], [[0.0]], [[[1.0]]]).save(path)
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); " + COMMAND[-1]
    call = [sys.executable, "-c", code, "sample", str(path), "-n", "1000000"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert err == b"interrupted\n"


def test_names_that_load_on_first_use_are_those_announced():
    assert set(gm._HOMES) | {"errors"} == set(gm.__all__)
    for name in gm.__all__:
        assert getattr(gm, name) is not None
        assert name in dir(gm)
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = gm.fitt


def test_features_of_arrays_are_positions_and_of_tables_names():
    assert arguments.features("0,2", "rows.npy") == [0, 2]
    assert arguments.features("0,2", "rows.csv") == ["0", "2"]
    assert arguments.features(None, "rows.csv") is None
