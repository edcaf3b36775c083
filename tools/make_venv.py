"""Maker of a virtual environment: ``python3 make_venv.py FOLDER``.

Runs on any Python, to report a version that is too old. Debian ships ``venv`` without ``ensurepip``; there PyPI's
virtualenv is used, from a separate folder.
"""

import os
import shutil
import subprocess
import sys

MINIMUM = (3, 11)


def main(folder):
    version = "{}.{}".format(*sys.version_info[:2])
    if sys.version_info < MINIMUM:
        sys.exit(
            "knet needs Python {}.{} or newer, and {} is Python {}. Run: make PYTHON=/path/to/a/newer/python3".format(
                *MINIMUM, sys.executable, version
            )
        )
    print(f"knet: making {folder} with Python {version}", flush=True)
    if subprocess.call([sys.executable, "-m", "venv", folder], stderr=subprocess.DEVNULL) == 0:
        return
    shutil.rmtree(folder, ignore_errors=True)
    tool = os.path.join(".cache", "virtualenv")
    subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", "--target", tool, "virtualenv"])
    environment = dict(os.environ, PYTHONPATH=tool)
    subprocess.check_call([sys.executable, "-m", "virtualenv", "--quiet", folder], env=environment)


if __name__ == "__main__":
    main(sys.argv[1])
