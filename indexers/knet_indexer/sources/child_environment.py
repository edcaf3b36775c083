"""Environment of child processes that read foreign documents or import packages: without the owner's tokens."""

from __future__ import annotations

import os
import sys

# The variables that Python and its libraries need to start. Everything else stays with the parent: tokens of services
# and clouds are kept in variables, a converter may be taken over by a document, and a signature may show a variable as
# a default.
KEPT = (
    *("HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH", "TEMP", "TMP", "TMPDIR", "TZ"),
    *("APPDATA", "COMSPEC", "LOCALAPPDATA", "PATHEXT", "PROGRAMDATA", "SYSTEMROOT", "USERPROFILE", "WINDIR"),
    *("COVERAGE_PROCESS_START", "LC_ALL", "LC_CTYPE", "PYTHONHASHSEED", "PYTHONHOME", "PYTHONUTF8", "VIRTUAL_ENV"),
)


def child_environment(**more: str) -> dict[str, str]:
    """Return `KEPT` of this process's environment, the path of its modules, and ``more``."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    path = os.pathsep.join(filter(None, sys.path))
    return {**kept, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore", **more}
