"""Media beside a call's own file: the agent's screen, and each side of a call that was recorded on two channels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from genesys_sandbox.media import mp4, wav
from genesys_sandbox.recordings.recording import Recording

_SCREEN_BYTES, _CHANNEL_BYTES = 3000, 2000


@dataclass(frozen=True, slots=True)
class Extra:
    """Writes such files into ``folder``; ``made`` are all so far. The same call gives the same bytes."""

    folder: Path
    made: list[Recording] = field(default_factory=list)

    def screen(self, call: Recording) -> Recording:
        """The recording of the agent's screen."""
        return self._made(call, "screen", "mp4", mp4(f"screen {call.id}", _SCREEN_BYTES))

    def channels(self, call: Recording) -> tuple[Recording, ...]:
        """The customer's side and the agent's."""
        sides = (b"".join(wav(f"channel {n} {call.id}", _CHANNEL_BYTES)) for n in range(2))
        return tuple(self._made(call, f"channel-{n}", "wav", content) for n, content in enumerate(sides))

    def _made(self, call: Recording, what: str, extension: str, content: bytes) -> Recording:
        name = f"{call.id}-{what}"
        path = self.folder / f"{name}.{extension}"
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        self.made.append(Recording(call.index, name, call.date, path, len(content), digest, dict(call.fields)))
        return self.made[-1]
