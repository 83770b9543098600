"""Rows out of a real PostgreSQL server, through ADBC; the server is started here, on loopback, and ended again."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import gaussmix as gm
from gaussmix.data import open_source
from gaussmix.errors import EmptyDataError, NotNumericError, SourceError
from gaussmix.testing import check_source

dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi", reason="the ADBC driver for PostgreSQL is not installed")

NOBODY = "nobody"
"""Who runs the server where the tests are run by root, whom PostgreSQL refuses."""


def programs() -> Path | None:
    """The folder of PostgreSQL's programs: Debian keeps them off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return None if on_path is None else Path(on_path).resolve().parent


def free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with an empty database; its address."""
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    home = Path(tmp_path_factory.mktemp("server", numbered=True))
    as_nobody = {}
    if os.getuid() == 0:
        # Every folder above it has to let the other user pass.
        home = Path(tempfile.mkdtemp(prefix="gaussmix-postgres-"))
        user = pwd.getpwnam(NOBODY)
        os.chown(home, user.pw_uid, user.pw_gid)
        as_nobody = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data, port = home / "data", free_port()
    made = subprocess.run(
        [folder / "initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"],
        **as_nobody,
        cwd=home,
        capture_output=True,
        text=True,
    )
    if made.returncode != 0:
        pytest.skip(f"PostgreSQL cannot be set up here: {made.stderr.strip()[-300:]}")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=off"
    control = [folder / "pg_ctl", "-D", data, "-l", home / "log", "-w", "-t", "30"]
    started = subprocess.run([*control, "-o", options, "start"], **as_nobody, cwd=home, capture_output=True, text=True)
    if started.returncode != 0:
        log = home / "log"
        pytest.skip(f"PostgreSQL does not start here: {log.read_text()[-300:] if log.exists() else started.stderr}")
    try:
        yield f"postgresql://tester@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **as_nobody, cwd=home, capture_output=True, check=False)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def cursor(server: str, rng: np.random.Generator) -> Iterator[object]:
    with dbapi.connect(server) as connection, connection.cursor() as found:
        found.execute("create temporary table rows (i int, a double precision, b real, word text)")
        found.execute(
            "insert into rows select i, sin(i) + 5 * (i % 2), i / 7.0, 'w' || i from generate_series(1, 3000) as i"
        )
        yield found


@pytest.mark.filterwarnings("ignore::gaussmix.errors.DataWarning")
def test_a_query_is_a_source(cursor):
    cursor.execute("select a, b from rows order by i")
    expected = cursor.fetch_arrow_table().to_pandas().to_numpy(dtype=np.float64)
    assert expected.shape == (3000, 2)
    for budget in (10**6, 1000):
        cursor.execute("select a, b from rows order by i")
        source = open_source(cursor.fetch_record_batch(), budget=budget)
        check_source(source)
        assert np.array_equal(np.concatenate([chunk.x for chunk in source.chunks()]), expected)


def test_a_fit_of_a_query_has_the_bits_of_a_fit_of_its_rows(cursor):
    cursor.execute("select a, b::double precision from rows order by i")
    rows = cursor.fetch_arrow_table()
    cursor.execute("select a, b::double precision from rows order by i")
    queried, given = gm.fit(cursor.fetch_arrow(), 2), gm.fit(rows, 2)
    assert queried.log_likelihood == given.log_likelihood
    assert np.array_equal(queried.mixture.covariances, given.mixture.covariances)


def test_a_query_made_anew_for_every_reading_needs_no_copy(server):
    def batches():
        with dbapi.connect(server) as connection, connection.cursor() as cursor:
            cursor.execute("select sin(i) as a, cos(3 * i) as b from generate_series(1, 2000) as i order by i")
            yield from cursor.fetch_record_batch()

    source = open_source(batches, budget=0)
    check_source(source)
    assert sum(len(chunk.x) for chunk in source.chunks()) == 2000


def test_what_a_query_may_do_wrong_is_refused_by_name(cursor):
    cursor.execute("select a, word from rows")
    with pytest.raises(NotNumericError, match="'word'"):
        open_source(cursor.fetch_record_batch())
    cursor.execute("select a, b from rows where i < 0")
    with pytest.raises(EmptyDataError):
        list(open_source(cursor.fetch_record_batch()).chunks())
    cursor.execute("select a, 1 / (i - 2500) as b from rows")
    with pytest.raises(SourceError, match="division by zero"):
        list(open_source(cursor.fetch_record_batch()).chunks())
