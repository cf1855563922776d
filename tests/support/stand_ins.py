"""Images that stand in for those of the compose file where no registry can be reached: Debian, and our own lock."""

from __future__ import annotations

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from support.engine import Engine

REPOSITORY = Path(__file__).parents[2]
IMAGES = REPOSITORY / "tests" / "compose" / "images"
AIRFLOW, BASE = "archive-stand-in:airflow", "archive-stand-in:base"
_PACKAGES = "ca-certificates,python3,dumb-init,postgresql,redis-server,busybox,procps"
_LOCK = REPOSITORY / "requirements-cluster.lock"
_VENV = "home/airflow/.local"


def build(engine: Engine, folder: Path, images: dict[str, str]) -> None:
    """Make ``images``, by name with the Dockerfile of each, and Airflow's.

    The system that all of them share is made once for each lock: Debian's packages take minutes.
    """
    mark = f"archive-stand-in:{sha256(_LOCK.read_bytes()).hexdigest()[:12]}"
    if not engine.docker("images", "-q", mark):
        engine.load(_system(folder / "system"), mark)
    engine.docker("tag", mark, BASE)
    context = folder / "context"
    shutil.copytree(IMAGES, context, dirs_exist_ok=True)
    shutil.copy(Path(sys.executable).parent / "weed", context)
    for image, name in {**images, AIRFLOW: "airflow"}.items():
        file = str(context / f"{name}.Dockerfile")
        engine.docker("build", "-q", "--network", "none", "-t", image, "-f", file, str(context))


def _system(root: Path) -> Path:
    """Make a Debian with what the services need, and Airflow where its own image has it."""
    if not (root / "debian").exists():
        shutil.rmtree(root, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(root)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        user = ["useradd", "--uid", "50000", "--gid", "0", "--home-dir", "/home/airflow", "airflow"]
        subprocess.run(["chroot", root, *user], check=True)
        (root / "usr/bin/wget").symlink_to("busybox")  # for the health check, as in Alpine
        (root / "debian").touch()
    shutil.rmtree(root / _VENV, ignore_errors=True)
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--copies", "--without-pip", root / _VENV], check=True)
    install = [str(Path(sys.executable).parent / "uv"), "pip", "install", "-q", "--link-mode=copy"]
    install += ["--python", str(root / _VENV / "bin/python")]
    subprocess.run([*install, "--no-deps", "--require-hashes", "--compile-bytecode", "-r", _LOCK], check=True)
    subprocess.run([*install, "pip", "setuptools>=77"], check=True)
    for script in (root / _VENV / "bin").iterdir():
        if (content := script.read_bytes()).startswith(b"#!"):
            script.write_bytes(content.replace(str(root).encode(), b"", 1))
    _make_wheels(root / "wheels")
    for place in ("opt/airflow/logs", "opt/airflow/staging"):
        (root / place).mkdir(parents=True, exist_ok=True)
    subprocess.run(["chown", "-R", "50000:0", "home/airflow", "opt/airflow"], cwd=root, check=True)
    return root


def _make_wheels(folder: Path) -> None:
    """Fetch what building our own wheel needs, for a build without a network."""
    fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), "setuptools>=77"]
    subprocess.run(fetch, check=True)
