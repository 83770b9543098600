"""What building a wheel from source adds: the code that Numba compiles, made for this machine.

Numba keeps compiled functions beside their sources, under the hash of a source, its own version and the processor's
features, and compiles anew whatever does not match. So a wheel that is taken to another machine works, and waits there.
`GAUSSMIX_PURE=1` leaves the compiled code out, for wheels that are meant to be taken elsewhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_PACKAGE = "gaussmix"


class Precompile(BuildHookInterface[Any]):
    """Compile into a copy of the package, and ship what Numba left there."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the compiled functions to a wheel that is to be installed here."""
        if version != "standard" or os.environ.get("GAUSSMIX_PURE", "").strip() not in ("", "0"):
            return
        self._work = Path(tempfile.mkdtemp())
        package = self._work / _PACKAGE
        shutil.copytree(Path(self.root, "src", _PACKAGE), package, ignore=shutil.ignore_patterns("__pycache__"))
        found = self._compiled(package)
        if found:
            build_data["force_include"].update({str(path): path.relative_to(self._work).as_posix() for path in found})
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the copy."""
        shutil.rmtree(getattr(self, "_work", None) or "", ignore_errors=True)

    def _compiled(self, package: Path) -> list[Path]:
        """Run the package's own preparation; an installation must not fail where that does."""
        # What builds in isolation is found through this variable too.
        paths = [str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        environment.pop("NUMBA_CACHE_DIR", None)
        command = [sys.executable, "-m", f"{_PACKAGE}.precompile"]
        done = subprocess.run(command, env=environment, cwd=package.parent, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            self.app.display_warning(f"not compiled beforehand, so the first fit will take longer: {last}")
            return []
        return sorted((*package.rglob("*.nb[ci]"), *package.rglob("*.ready")))
