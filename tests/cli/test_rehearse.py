"""`recording-archive check --rehearse`: recent recordings asked for as a run would, against the sandbox."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import requests

from genesys_sandbox import SIGNATURE_PREFIX, TOKEN_PREFIX, Fault
from recording_archive.cli.check import Connected, check
from recording_archive.cli.findings import ProbeResult, ProbeStatus
from recording_archive.cli.rehearse import Rehearsal
from recording_archive.settings import Settings
from recording_archive.sources import Handout, Sample, Source
from recording_archive.sources.connection import read_facts
from recording_archive.sources.conversations import source as conversations_source
from support.bank import MEDIA, PASSWORD, Bank, open_bank, without_network
from support.commands import Command

DOCUMENT = Path(__file__).parents[2] / "docs" / "genesys-cloud.md"
TRIAL = 64 * 1024
DAY = date(2026, 11, 21)
SMALL = {"end": None, "days": 1, "per_day": 10, "min_bytes": 90_000, "max_bytes": 120_000, "api": "conversations"}

KINDS = frozenset({"audio", "screen", "chat", "email", "message"})
ALL_KINDS = "digital,messages,screen"

Open = Callable[..., Bank]
"""Start a bank whose sandbox has these options."""


@pytest.fixture
def bank(tmp_path: Path, configured: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """A bank with recordings of yesterday."""
    assert configured
    with ExitStack() as stack:

        def begin(**options: Any) -> Bank:
            (tmp_path / "bank").mkdir()
            opened = stack.enter_context(open_bank(tmp_path / "bank", **{**SMALL, **options}))
            without_network(monkeypatch)
            monkeypatch.setenv("HTTPS_PROXY", opened.proxy_url)
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(opened.ca_file))
            return opened

        yield begin


def clock_at(moment: datetime) -> type[datetime]:
    """A datetime whose present is always this moment."""

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moment.astimezone(tz)

    return Stopped


def connected_to(bank: Bank, extra: dict[str, Any]) -> Callable[[Settings], Connected]:
    def connect(settings: Settings) -> Connected:
        who = {"login": bank.cloud.client_id, "password": bank.cloud.client_secret, "host": "eu-west-1"}
        facts = read_facts("test", **who, extra={"api": bank.cloud.options.api, **extra})
        return Connected(facts, "this test", facts.source(requests.Session(), settings, sleep=lambda _: None))

    return connect


def rehearsed(bank: Bank, save: Path | None = None, **extra: Any) -> dict[str, ProbeResult]:
    return {each.probe: each for each in check(connected_to(bank, extra), rehearse=True, save=save)}


def verdicts(found: dict[str, ProbeResult], *names: str) -> set[ProbeStatus]:
    return {found[name].verdict for name in names}


class TestRehearse:
    """Each kind of media through each way, 64 KiB of it."""

    def test_every_kind_that_there_is_is_tried(self, bank: Open) -> None:
        """A call, a screen, a chat, an e-mail and a message by batch and by playback, the right file of each."""
        opened = bank(traps=ALL_KINDS)
        found = rehearsed(opened)
        ways = [f"{kind} {way}" for kind in KINDS for way in ("batch", "playback")]
        assert verdicts(found, "role", *KINDS, *ways) == {ProbeStatus.OK}, found
        for kind, extension in {"screen": "mp4", "email": "eml", "message": "json"}.items():
            assert f", {extension}, " in found[f"{kind} batch"].detail
        for words in ("audio/wav", MEDIA, f"GET of {TRIAL} of ", "206, wav, Range honoured, ETag strong"):
            assert words in found["audio batch"].detail
        assert "zip" in found["chat playback"].detail
        assert found["hosts seen"].detail == f"nothing to add: {MEDIA}"
        assert SIGNATURE_PREFIX not in str(found)

    def test_of_kinds_without_a_conversation_that_is_said(self, bank: Open) -> None:
        """No kind is passed over in silence."""
        found = rehearsed(bank(traps=""))
        for kind in KINDS - {"audio"}:
            assert (found[kind].verdict, found[kind].detail) == (ProbeStatus.SKIPPED, "none in the last 30 days")

    def test_no_more_is_read_and_nothing_kept(self, bank: Open, configured: Settings) -> None:
        """Two requests of 64 KiB for a call; neither archive nor catalog is made."""
        opened = bank(traps="")
        rehearsed(opened)
        told = opened.cloud.requests.statistics()
        assert (told["media"], told["media_bytes"]) == (2, 2 * TRIAL)
        assert not configured.root.exists()
        assert {entry.name for entry in configured.root.parent.iterdir()} == {"bank"}

    def test_a_host_that_is_not_permitted_comes_with_its_line(self, bank: Open) -> None:
        """Nothing is asked of it; the line can be pasted, and makes it work."""
        opened = bank()
        found = rehearsed(opened, media_hosts=["127.0.0.1:9"], allow_private_hosts=True)
        told = found["hosts seen"]
        assert verdicts(found, "audio batch", "audio playback", "hosts seen") == {ProbeStatus.FAILED}
        line = re.search(r'"media_hosts": (\[.*\])', told.detail)
        assert line
        assert json.loads(line[1]) == ["127.0.0.1:9", MEDIA]
        assert opened.cloud.requests.statistics()["media"] == 0
        again = rehearsed(opened, media_hosts=json.loads(line[1])[1:])
        assert verdicts(again, "audio batch", "hosts seen") == {ProbeStatus.OK}

    @pytest.mark.parametrize("oldest", [0, 7, 9], ids=["the whole day", "three without media", "one without media"])
    def test_a_conversation_with_media_at_hand_is_chosen(
        self, bank: Open, monkeypatch: pytest.MonkeyPatch, oldest: int
    ) -> None:
        """The latest may be open, deleted, in cold storage or not uploaded yet, also all of the last 24 hours."""
        opened = bank(end=DAY, traps="open,archived,uploading,deleted,unrecorded")
        began = opened.cloud.world.conversations[oldest].start
        monkeypatch.setattr(conversations_source, "datetime", clock_at(began + timedelta(days=1)))
        found = rehearsed(opened)
        assert verdicts(found, "audio", "audio batch", "audio playback") == {ProbeStatus.OK}, found
        assert "AVAILABLE" in found["audio"].detail

    def test_where_none_has_media_a_recorded_one_is_chosen(self, bank: Open, monkeypatch: pytest.MonkeyPatch) -> None:
        """The state of its recording says why there is none."""
        opened = bank(end=DAY, traps="deleted,unrecorded")
        world = opened.cloud.world
        world.conversations = world.conversations[8:]
        monkeypatch.setattr(conversations_source, "datetime", clock_at(datetime(2026, 11, 22, tzinfo=UTC)))
        assert "DELETED" in rehearsed(opened)["audio"].detail

    def test_trouble_of_one_way_is_told_with_it(self, bank: Open) -> None:
        """A refused batch fails with the service's words; playback is tried all the same."""
        opened = bank()
        opened.cloud.faults.add(Fault("status", "batch", status=400))
        opened.cloud.faults.add(Fault("status", "details", status=403, times=1, after=1))
        found = rehearsed(opened)
        assert "403" in found["audio"].detail
        opened.cloud.faults.clear()
        opened.cloud.faults.add(Fault("status", "batch", status=400))
        found = rehearsed(opened)
        assert found["audio batch"].verdict is ProbeStatus.FAILED
        assert "400" in found["audio batch"].detail
        assert found["audio playback"].verdict is ProbeStatus.OK

    def test_the_cut_view_is_seen_by_what_it_shows(self, bank: Open) -> None:
        """Where the service does not tell the role, a recording that begins too late does."""
        every = "analytics:conversationDetail:view,recording:recordingSegment:view"
        opened = bank(permissions=every)
        opened.cloud.faults.add(Fault("not_found", "directory", route="GET */subjects/me"))
        found = rehearsed(opened)
        assert "only a segment of it is shown" in found["audio"].detail
        opened.cloud.faults.clear()
        assert rehearsed(opened)["rehearsal"].detail == "needs: token"

    def test_the_interactions_api_by_its_own_ways(self, bank: Open) -> None:
        """The newest interaction by the query and by its own request."""
        found = rehearsed(bank(api="interactions"))
        assert verdicts(found, "media", "media query", "media renewal", "hosts seen") == {ProbeStatus.OK}, found
        assert "checksum" not in found["media query"].detail


class TestSave:
    """What is written can be shown to others."""

    def test_no_id_and_no_secret_is_in_it(self, bank: Open, tmp_path: Path) -> None:
        """Ids are hashes, URLs their shapes; hosts, types, waits and headers stay."""
        opened, file = bank(traps="digital,batch_errors"), tmp_path / "first-contact.json"
        found = rehearsed(opened, file)
        text = file.read_text()
        ids = {each.id for each in opened.cloud.world.conversations}
        ids |= {item.id for each in opened.cloud.world.conversations for item in each.items}
        assert any(name in str(found) for name in ids)
        for secret in (*ids, SIGNATURE_PREFIX, TOKEN_PREFIX, PASSWORD, opened.cloud.client_id):
            assert secret not in text
        told = json.loads(text)
        assert (told["api"], told["domain"]) == ("conversations", "mypurecloud.ie")
        samples = {each["kind"]: each for each in told["samples"]}
        batch, playback = samples["audio"]["ways"]
        assert (batch["way"], batch["host"], batch["content_types"]) == ("batch", MEDIA, ["audio/wav"])
        assert batch["get"]["status"] == 206
        assert playback["keys"] == ["S"]
        assert playback["url"] == f"https://{MEDIA}/media/*.wav?expires&signature"
        assert samples["screen"]["note"] == "none in the last 30 days"
        assert samples["role"]["missing"] == []

    def test_ids_that_look_like_none_are_hashed_too(self, tmp_path: Path) -> None:
        """The source names its ids; they are found in its troubles as well."""

        class Told:
            name = "told"

            def rehearse(self) -> Iterator[Sample]:
                yield Sample("audio", ("call-7", "r.9"), {}, (Handout("batch", trouble="r.9 of call-7 is lost"),))

        who = {"login": "a", "password": "b", "host": "eu-west-1"}
        facts, file = read_facts("test", **who, extra={"api": "conversations"}), tmp_path / "saved"
        rehearsal = Rehearsal(facts, Settings(), cast("Source", Told()))
        assert "r.9 of call-7 is lost" in str(list(rehearsal.findings()))
        rehearsal.save(file)
        assert "call-7" not in file.read_text()
        assert "r.9" not in file.read_text()

    def test_a_file_that_cannot_be_written_is_named(self, bank: Open, tmp_path: Path) -> None:
        """And the option needs the rehearsal."""
        with pytest.raises(Exception, match="cannot be written"):
            rehearsed(bank(), tmp_path / "none" / "file")

    def test_it_needs_the_rehearsal(self, command: Command) -> None:
        """``--save`` alone is refused."""
        ended = command("check", "--save", "x")
        assert (ended.code, "--rehearse" in ended.err) == (2, True)


def as_documented(lines: list[str]) -> list[str]:
    """Lines without what differs from day to day: ids, dates, numbers, and whether the latest call has a screen."""
    lines = [re.sub(r"\d+ recordings?: .*", "RECORDINGS", line) for line in lines]
    guid = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    return [re.sub(r"\d+(?:[.,:T+-]+\d+)*Z?", "N", re.sub(guid, "ID", line)).strip() for line in lines]


@pytest.mark.airflow
def test_the_document_shows_what_is_printed(bank: Open, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example in docs/genesys-cloud.md is the output of the command, from the role to the hosts."""
    opened = bank(traps=ALL_KINDS, batch_polls=0)
    extra = {"api": "conversations"}
    who = {"login": opened.cloud.client_id, "password": opened.cloud.client_secret, "host": "eu-west-1"}
    connection = {"conn_type": "genesys_cloud", **who, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT", json.dumps(connection))
    monkeypatch.setattr("recording_archive.tasks.connection.stoppable_sleep", lambda _: lambda _: None)
    ended = command("check", "--rehearse")
    assert ended.code == 0, ended.out
    block = re.search(r"^\$ recording-archive check --rehearse.*?\n(.*?)^```", DOCUMENT.read_text(), re.M | re.S)
    assert block
    shown = [line for line in block[1].splitlines() if line != "…"]
    printed = ended.out.splitlines()
    first = next(number for number, line in enumerate(printed) if line.split()[1] == "role")
    assert as_documented(shown) == as_documented(printed[first:])
