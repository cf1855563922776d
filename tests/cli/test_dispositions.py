"""`restore` and `erase` on the command line: what they print, ask, and end with."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress

import pytest

from recording_archive.archive import Archive
from recording_archive.disposition.erasure_doubts import MAYBE_HEARD, MAYBE_THE_SAME
from recording_archive.model import State
from recording_archive.settings import read_settings
from support.commands import Command, Output
from support.contents import amend, change, events_of, files_of, ids, overwrite, row_of
from support.parties import CALLED, SPELLED, in_region, party
from support.retention_run import hold, quarantined

MAIN = [sys.executable, "-c", "from recording_archive.cli import main; main()"]


def name_of(archive: Archive, number: int) -> str:
    row = row_of(archive, ids(archive)[number])
    return f"{row.interaction_id}~{row.recording_id}~{row.part}"


class TestRestore:
    """`restore` takes a recording back, and says why not."""

    def test_a_quarantined_recording_is_restored(self, command: Command, archived: Archive) -> None:
        """Exit code 0, the user's name in the event; the second time there is nothing to restore."""
        quarantined(archived)
        victim = ids(archived)[0]
        ended = command("restore", victim, "--reason", "case 7")
        assert ended == Output(0, f"restored: {name_of(archived, 0)}\n", "")
        assert row_of(archived, victim).state == State.ARCHIVED
        assert events_of(archived, "restored")[0].actor
        ended = command("restore", victim, "--reason", "case 7", "--json")
        assert ended.code == 1
        problem = {"part": name_of(archived, 0), "problem": "it is archived, not quarantined"}
        assert json.loads(ended.out) == {"restored": [], "refused": [problem]}

    def test_only_what_is_named_is_restored(self, command: Command, archived: Archive) -> None:
        """Another recording or part of the interaction is another one; an unknown one is said to be."""
        quarantined(archived)
        victim = ids(archived)[0]
        for narrowed in (("--recording", "other"), ("--part", "1")):
            ended = command("restore", victim, "--reason", "case 7", *narrowed)
            assert (ended.code, ended.out) == (1, f"not restored: {victim}: no such recording is in the catalog\n")
        assert row_of(archived, victim).state == State.QUARANTINED
        assert command("restore", victim, "--reason", "case 7", "--recording", victim, "--part", "0").code == 0


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One person may erase."""
    monkeypatch.setenv("RECORDING_ARCHIVE_ERASE_ALONE", "true")
    read_settings.cache_clear()


class TestErase:
    """`erase` lists and asks; where one person may, it acts and says what it did not do (else see `test_approvals`)."""

    def test_without_a_terminal_it_only_lists(self, command: Command, archived: Archive) -> None:
        """Nobody can say yes there: exit code 1, and nothing is changed."""
        victim = ids(archived)[0]
        ended = command("erase", "--id", victim, "--reason", "request 7")
        assert ended.code == 1
        assert name_of(archived, 0) in ended.out
        assert ended.out.endswith("nothing erased: give --yes, or answer yes on a terminal\n")
        assert len(files_of(archived, victim)) == 2
        assert events_of(archived, "planned") == []

    @pytest.mark.usefixtures("alone")
    def test_with_yes_it_erases_what_is_not_held(self, command: Command, archived: Archive) -> None:
        """The answer names certificate, report and holds; exit code 1 while something is held, else 0."""
        first, second = ids(archived)[:2]
        hold_id = hold(archived, second)
        arguments = ("erase", "--id", first, "--id", second, "--reason", "request 7", "--yes")
        ended = command(*arguments)
        certificate = row_of(archived, first).certificate
        assert ended.code == 1
        assert f"not erased: {name_of(archived, 1)}: held by {hold_id}\n1 recordings erased, 1 not\n" in ended.out
        assert f"certificate: {certificate}\nreport: reports/" in ended.out
        answered = json.loads(command(*arguments, "--json").out)
        assert answered["refused"] == [{"part": name_of(archived, 1), "problem": f"held by {hold_id}"}]
        assert [each["part"] for each in answered["found"]] == [name_of(archived, 1)]
        assert command("erase", "--id", ids(archived)[2], "--reason", "request 7", "--yes").code == 0

    @pytest.mark.usefixtures("alone")
    def test_by_number_and_contact(self, command: Command, archived: Archive) -> None:
        """Any of what is given is enough."""
        first, second = ids(archived)[:2]
        amend(archived, first, ani="tel:+49301234567")
        amend(archived, second, contact_id="contact-1")
        given = ("--number", "+49 30 1234567", "--contact", "contact-1", "--reason", "request 7", "--yes", "--json")
        assert json.loads(command("erase", *given).out)["erased"] == 2

    @pytest.mark.usefixtures("alone")
    def test_what_may_be_meant_is_listed_and_stays(self, command: Command, archived: Archive) -> None:
        """In words and as JSON, before anybody says yes and after; named by its id it goes."""
        sure, maybe, digits = ids(archived)[:3]
        amend(archived, sure, parties=[party(ani=SPELLED[10])])
        amend(archived, maybe, parties=[party(dnis=CALLED, certain=False)])
        amend(archived, digits, ani="020 7946 0958")
        asked = ("erase", "--number", CALLED, "--reason", "request 7")
        listed = command(*asked).out
        assert "Look at these: they may be meant, and are not erased" in listed
        assert f"{name_of(archived, 1)}\t{MAYBE_HEARD}\n  {name_of(archived, 2)}\t{MAYBE_THE_SAME}\n" in listed
        told = json.loads(command(*asked, "--yes", "--json").out)
        assert ([each["part"] for each in told["found"]], told["erased"]) == ([name_of(archived, 0)], 1)
        assert told["lookAtThese"] == [
            {"interactionId": name, "recordingId": name, "part": 0, "why": why}
            for name, why in ((maybe, MAYBE_HEARD), (digits, MAYBE_THE_SAME))
        ]
        again = command(*asked, "--yes")
        assert again.code == 1
        assert "warning: nothing is meant for certain; look at what may be" in again.err
        assert command("erase", "--id", maybe, "--reason", "request 7", "--yes").code == 0
        assert [len(files_of(archived, name)) for name in (sure, maybe, digits)] == [0, 0, 2]

    def test_a_number_is_found_in_any_spelling(
        self, command: Command, archived: Archive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whichever the source wrote, where the region is set."""
        monkeypatch.setenv("RECORDING_ARCHIVE_PHONE_REGION", "GB")
        read_settings.cache_clear()
        victim = ids(archived)[0]
        for written in SPELLED:
            change(in_region(archived, "GB"), victim, dnis=written)
            told = json.loads(command("erase", "--number", CALLED, "--reason", "request 7", "--json").out)
            assert ([each["part"] for each in told["found"]], told["lookAtThese"]) == ([name_of(archived, 0)], [])

    def test_parties_that_were_not_read_are_read_first(self, command: Command, archived: Archive) -> None:
        """From the sidecar; where it is damaged, nobody can tell who took part, which is said."""
        first, second = ids(archived)[:2]
        amend(archived, first, parties=[party(ani=CALLED)])
        for name in (first, second):
            change(archived, name, parties=None)
        (sidecar,) = (each for each in files_of(archived, second) if each.endswith(".json"))
        overwrite(archived.settings.root / sidecar, b"{}")
        ended = command("erase", "--number", CALLED, "--reason", "request 7", "--json")
        assert [each["part"] for each in json.loads(ended.out)["found"]] == [name_of(archived, 0)]
        assert "warning: of 1 recordings nobody can tell who took part" in ended.err

    def test_what_names_nothing_and_what_finds_nothing(self, command: Command, archived: Archive) -> None:
        """The first is a usage error, the second exit code 1."""
        assert archived
        ended = command("erase", "--reason", "request 7", "--yes")
        assert (ended.code, ended.err.startswith("recording-archive: Nothing is named")) == (2, True)
        ended = command("erase", "--id", "nobody", "--reason", "request 7", "--yes")
        assert (ended.code, ended.out.splitlines()[-1]) == (1, "nothing found, nothing erased")

    @pytest.mark.usefixtures("alone")
    @pytest.mark.parametrize(("answer", "gone"), [("y", True), ("n", False)])
    def test_on_a_terminal_it_asks(self, command: Command, archived: Archive, answer: str, gone: bool) -> None:
        """Yes erases, no does not."""
        assert command
        victim = ids(archived)[0]
        master, slave = pty.openpty()
        os.write(master, f"{answer}\n".encode())
        arguments = [*MAIN, "erase", "--id", victim, "--reason", "request 7"]
        ended = subprocess.run(arguments, stdin=slave, capture_output=True, text=True, check=False, timeout=60)
        os.close(slave)
        with suppress(OSError):
            os.close(master)
        assert "Erase 1 recordings for good? [y/N]" in ended.stderr
        assert ended.returncode == (0 if gone else 1)
        assert (files_of(archived, victim) == []) == gone
