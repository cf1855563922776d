"""A Docker engine for one test session, in a network namespace of its own: the host's network has nothing of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

NEEDS = ("dockerd", "docker", "debootstrap", "ip", "iptables", "nsenter", "curl")
_PATIENCE_S = 60


def missing() -> str:
    """Say what this machine lacks to run an engine; empty when nothing is missing."""
    if os.geteuid() != 0:
        return "an engine needs root"
    absent = [name for name in NEEDS if shutil.which(name) is None]
    packages = "docker.io debootstrap iptables iproute2 curl"
    return f"{', '.join(absent)} missing: apt-get install --no-install-recommends {packages}" if absent else ""


class Engine:
    """A running engine; `home` holds its data, which a later session takes up."""

    def __init__(self, home: Path) -> None:
        self.home, self.namespace = home, f"archive{os.getpid()}"
        self.socket = home / "docker.sock"
        self.log = home / "engine.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "docker.pid").unlink(missing_ok=True)
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        self.inside("ip", "link", "set", "lo", "up")
        places = [f"--data-root={self.home}/data", f"--exec-root={self.home}/exec", f"--pidfile={self.home}/docker.pid"]
        network = ["--iptables=true", "--ip6tables=false", "--bridge=none", "--ip-forward=false"]
        command = ["dockerd", *places, *network, f"--host=unix://{self.socket}", "--storage-driver=overlay2"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen([*self._enter, *command], stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _PATIENCE_S
        while self._docker("version").returncode != 0:
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(60)
        subprocess.run(["ip", "netns", "del", self.namespace], check=True)

    @property
    def _enter(self) -> list[str]:
        return ["nsenter", f"--net=/var/run/netns/{self.namespace}"]

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "DOCKER_HOST": f"unix://{self.socket}"}

    def _docker(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        environment = self._environment | {"DOCKER_BUILDKIT": "0"}
        return subprocess.run(
            ["docker", *arguments], env=environment, capture_output=True, text=True, check=False, **more
        )

    def docker(self, *arguments: str) -> str:
        """Run `docker`; return what it printed."""
        return _checked(self._docker(*arguments))

    def load(self, folder: Path, name: str) -> None:
        """Make an image of a folder that holds a whole system."""
        with subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE) as packed:
            _checked(self._docker("import", "-", name, stdin=packed.stdout))

    def compose(self, folder: Path, *arguments: str, fails: bool = False) -> str:
        """Run `docker-compose` in a folder; return what it printed."""
        command = [str(Path(sys.executable).parent / "docker-compose"), *arguments]
        done = subprocess.run(command, cwd=folder, env=self._environment, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr if fails else _checked(done)

    def inside(self, *command: str) -> str:
        """Run a program in the engine's network."""
        return _checked(subprocess.run([*self._enter, *command], capture_output=True, text=True, check=False))

    def ask(self, method: str, url: str, body: Any = None, *, token: str = "") -> Any:
        """Make a request from the engine's network; return the JSON document, or the text, of an answer below 400."""
        headers = ["-H", f"Authorization: Bearer {token}"] if token else []
        sent = ["-H", "Content-Type: application/json", "-d", json.dumps(body)] if body is not None else []
        told = self.inside("curl", "-sS", "--fail-with-body", "--max-time", "60", "-X", method, *headers, *sent, url)
        try:
            return json.loads(told)
        except ValueError:
            return told


def _checked(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"{done.args}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout
