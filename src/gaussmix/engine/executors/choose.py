"""Who computes, unless the caller says."""

from __future__ import annotations

from gaussmix.data.dask import is_collection
from gaussmix.engine.executors.executor import Engine
from gaussmix.engine.executors.local import LocalEngine


def usual_engine(data: object) -> Engine:
    """Return threads of this process; for a Dask collection the cluster of this process's client, if there is one."""
    if is_collection(data):
        from distributed import default_client

        from gaussmix.engine.executors.dask import DaskEngine

        try:
            return DaskEngine(default_client())
        except ValueError:  # no client: Dask itself would compute in this process too
            return LocalEngine()
    return LocalEngine()
