"""Makes build/plugin.wasm. The first run installs what requirements.txt pins."""

import os
import pathlib
import subprocess
import sys
import venv

os.chdir(pathlib.Path(__file__).resolve().parent)
TOOLS = pathlib.Path(".venv", "Scripts" if sys.platform == "win32" else "bin")

if not TOOLS.joinpath("installed").exists():
    venv.create(".venv", with_pip=True, clear=True)
    pip = [TOOLS / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, "--require-hashes", "--only-binary=:all:", "--requirement", "requirements.txt"], check=True)
    TOOLS.joinpath("installed").touch()

pathlib.Path("build").mkdir(exist_ok=True)
# With WASI, of which the host gives a made-up one: what is printed, and what is raised, goes into the log.
contract = ["--wit-path", "wit/1.0", "--world", "data-source"]
paths = ["--python-path", "src", "--python-path", "sdk", "--output", "build/plugin.wasm"]
subprocess.run([TOOLS / "componentize-py", "--quiet", *contract, "componentize", *paths, "component"], check=True)
