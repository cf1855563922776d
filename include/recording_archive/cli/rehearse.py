"""`recording-archive check --rehearse`: a few recent recordings, asked for as a run would, and how their hosts behave.

Nothing is archived and no file is kept: of each medium 64 KiB are read, and forgotten.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from recording_archive.cli.findings import ProbeResult, ProbeStatus
from recording_archive.cli.reach import media_client
from recording_archive.cli.redaction import hashed, shape_of
from recording_archive.errors import ArchiveError, ConfigurationError
from recording_archive.settings import Settings
from recording_archive.sources import Handout, Rehearsable, Sample, Source
from recording_archive.sources.connection import Facts
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.trial import Trial, host_in, life_of, try_url

__all__ = ["Rehearsal"]

CUT = "only a segment of it is shown: the role needs recording:recording:view"


@dataclass
class Rehearsal:
    """Tries what a source hands out; ``records`` fill while `findings` is read, ready for JSON."""

    facts: Facts
    settings: Settings
    source: Source
    records: list[dict[str, Any]] = field(default_factory=list)
    _hosts: dict[str, bool] = field(default_factory=dict)
    _ids: set[str] = field(default_factory=set)

    def findings(self) -> Iterator[ProbeResult]:
        """Findings for each kind of media and each way to it, then the hosts to add to the connection."""
        if not isinstance(self.source, Rehearsable):
            yield ProbeResult("rehearsal", ProbeStatus.SKIPPED, f"{self.source.name} cannot be rehearsed")
            return
        with media_client(self.facts, self.settings) as client:
            try:
                for sample in self.source.rehearse():
                    yield from self._sample(client, sample)
            except ArchiveError as error:
                yield ProbeResult("rehearsal", ProbeStatus.FAILED, str(error))
        yield self._line()

    def save(self, path: Path, *, at: datetime | None = None) -> None:
        """Write the records as JSON, to be shown to others: every id is a hash that means nothing in another file."""
        document = {
            "version": version("recording-archive"),
            "day": (at or datetime.now(UTC)).date().isoformat(),
            "api": self.facts.extra.api,
            "domain": self.facts.endpoints.domain,
            "samples": self.records,
        }
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        try:
            path.write_text(hashed(text, self._ids, secrets.token_hex(16)), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written ({error.strerror}): name another file") from error

    def _sample(self, client: MediaClient, sample: Sample) -> Iterator[ProbeResult]:
        self._ids.update(sample.ids)
        record: dict[str, Any] = {"kind": sample.kind, "note": sample.note, **sample.facts, "ways": []}
        self.records.append(record)
        if sample.note is not None:
            yield ProbeResult(sample.kind, ProbeStatus.SKIPPED, sample.note)
            return
        yield ProbeResult(sample.kind, ProbeStatus.OK, _describe_sample(sample))
        for handout in sample.handouts:
            finding, more = self._handout(client, sample, handout)
            record["ways"].append(more)
            yield finding

    def _handout(self, client: MediaClient, sample: Sample, handout: Handout) -> tuple[ProbeResult, dict[str, Any]]:
        given = {name: value for name, value in asdict(handout).items() if name != "urls"}
        record: dict[str, Any] = given | {"waited_s": round(handout.waited_s, 1), "files": len(handout.urls)}
        said = [f"{_number(len(handout.urls), 'file')} after {handout.waited_s:.1f} s"]
        said += [_number(handout.requests, "request"), *handout.content_types]
        trouble = handout.trouble
        if handout.urls:
            try:
                said += self._tried(client, sample.kind, handout.urls[0], record)
            except ArchiveError as error:
                trouble = str(error)
        record["trouble"] = trouble
        status = ProbeStatus.FAILED if trouble else ProbeStatus.OK
        said += [trouble] if trouble else []
        return ProbeResult(f"{sample.kind} {handout.way}", status, "; ".join(said)), record

    def _tried(self, client: MediaClient, kind: str, url: str, record: dict[str, Any]) -> Iterator[str]:
        """Tell a URL's host and life, then what the host answers."""
        host, life = host_in(url), life_of(url, client.clock())
        record |= {"host": host, "url": shape_of(url), "life_s": None if life is None else round(life)}
        self._hosts[host] = self._is_permitted(client, url)
        yield f"{host}, URL lives {'for an unknown time' if life is None else f'{life:.0f} s'}"
        trial = try_url(client, url, kind)
        self._hosts |= dict.fromkeys(trial.hosts[1:], True)
        record["get"] = asdict(trial) | {"seconds": round(trial.seconds, 2)}
        yield _describe_trial(trial)

    @staticmethod
    def _is_permitted(client: MediaClient, url: str) -> bool:
        try:
            client.check(url)
        except ArchiveError:
            return False
        return True

    def _line(self) -> ProbeResult:
        """The line for the connection's extra, where a host is not permitted yet."""
        new = sorted(host for host, is_permitted in self._hosts.items() if host and not is_permitted)
        if not new:
            said = f"nothing to add: {', '.join(sorted(self._hosts))}" if self._hosts else "no media URL was handed out"
            return ProbeResult("hosts seen", ProbeStatus.OK, said)
        known = self.facts.extra.media_hosts or [*self.facts.media_patterns, *self.facts.shared_media_patterns]
        line = json.dumps([*known, *new])
        return ProbeResult("hosts seen", ProbeStatus.FAILED, f'if these hosts are yours, add "media_hosts": {line}')


def _describe_sample(sample: Sample) -> str:
    if not sample.ids:
        return "; ".join(f"{name}: {_listed(value)}" for name, value in sample.facts.items())
    recordings = [_describe_recording(each) for each in sample.facts.get("recordings", ())]
    ended = sample.facts.get("ended")
    said = [f"{sample.ids[0]}, ended {ended}" if ended else sample.ids[0]]
    said += [f"{_number(len(recordings), 'recording')}: {'; '.join(recordings)}"] if recordings else []
    said += ["no recording that is known"] if "recordings" in sample.facts and not recordings else []
    said += [CUT] if any(handout.is_cut for handout in sample.handouts) else []
    return "; ".join(said)


def _describe_recording(shown: Mapping[str, str]) -> str:
    words = " ".join(shown[name] for name in ("media", "mediaSubtype", "fileState") if name in shown)
    region = f" in {shown['region']}" if "region" in shown else ""
    return words + region + (f", to be deleted on {shown['deleteDate'][:10]}" if "deleteDate" in shown else "")


def _listed(value: Any) -> str:
    if value is None:
        return "not told"
    return ", ".join(value) or "nothing" if isinstance(value, list) else str(value)


def _describe_trial(trial: Trial) -> str:
    size = f"of {trial.total} bytes" if trial.total is not None else "of unknown size"
    redirected = f" by way of {', '.join(trial.hosts[:-1])}" if len(trial.hosts) > 1 else ""
    return (
        f"GET of {trial.came} {size}{redirected}: {trial.status}, {trial.extension}, Range "
        f"{'honoured' if trial.is_ranged else 'not honoured'}, ETag {trial.etag or 'missing'}, {trial.seconds:.2f} s"
    )


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
