"""Retention policies: what a document may say, which one is in force, and how another is put to use."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.tables import events
from recording_archive.cli import app
from recording_archive.errors import ConfigurationError, StoreError
from recording_archive.ledger import chain
from recording_archive.recovery.reindex import reindex
from recording_archive.retention import policy_in_force
from recording_archive.retention.policy_in_force import adopt, in_force, keep, newest, read_policy
from recording_archive.retention.rules import ATTRIBUTES, Rule
from recording_archive.retention.strict_yaml import MOST_BYTES
from recording_archive.settings import Settings
from support.commands import Command, run_command

DOCS = Path(__file__).parents[2] / "docs"
SHORT = b"name: short\ndefaultDays: 30\n"
LONG = b"name: long\ndefaultDays: 3000\n"
RULES = b"""name: Bank
defaultDays: 90
rules:
  - name: trading
    days: 2555
    queues: [Trading]
"""
RULE = RULES.partition(b"rules:\n")[2]


def refusal(content: bytes) -> str:
    """What is said of a document that is wrong."""
    with pytest.raises(ConfigurationError) as refused:
        read_policy(content, "p.yaml")
    return str(refused.value)


def told(archive: Archive) -> list[Any]:
    """The events of adopted policies, oldest first."""
    with archive.catalog.read() as connection:
        query = select(events).where(events.c.kind == "adopted").order_by(events.c.id)
        return list(connection.execute(query))


def documents(archive: Archive) -> dict[str, bytes]:
    """The policies in the archive."""
    return {key: archive.store.read(key) for key in archive.store.list("policies/")}


def elsewhere(archive: Archive, url: Path | str) -> Archive:
    """The archive with ``RECORDING_ARCHIVE_POLICY_URL`` set."""
    return replace(archive, settings=archive.settings.model_copy(update={"policy_url": str(url)}))


class TestDocument:
    """`read_policy`."""

    def test_everything_in_it_is_read(self) -> None:
        """Every key has its field, the version is the hash of the bytes, and what was read is told back the same."""
        content = b"""
            {"name": "all", "defaultDays": 1, "rules": [{"name": "r", "days": 36500, "maximum": true,
             "queues": ["q"], "mediaTypes": ["m"], "divisions": ["d"], "directions": ["i", "o"],
             "attributes": {"agentId": ["a"], "queueName": ["\\ud83d\\ude00"]}}]}"""
        policy = read_policy(content, "p.json")
        attributes = {"agentId": ("a",), "queueName": ("😀",)}
        rule = Rule("r", 36500, True, ("q",), ("m",), ("d",), ("i", "o"), attributes)
        assert (policy.name, policy.default_days, policy.rules) == ("all", 1, (rule,))
        assert policy.version == sha256(content).hexdigest()
        assert (policy.origin, policy.document) == ("p.json", content)
        shown = policy.to_json()
        assert {name: shown[name] for name in ("name", "defaultDays", "rules")} == json.loads(content)

    def test_every_attribute_may_be_asked_for(self) -> None:
        """The schema knows the attributes that rules know."""
        for name in ATTRIBUTES:
            policy = read_policy(RULES + f"    attributes: {{{name}: [x]}}\n".encode(), "p.yaml")
            assert policy.rules[0].attributes == {name: ("x",)}

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (b"", "p.yaml is empty: write at least name and defaultDays"),
            (b"- a", "line 1: a policy must be keys with values"),
            (b"\nname: x", "line 1: defaultDays is missing"),
            (b"name: x\ndefaultDays: '90'", "line 2: defaultDays must be a whole number without quotes"),
            (b"name: x\ndefaultDays: true", "line 2: defaultDays must be a whole number"),
            (b"name: x\ndefaultDays: 0", "line 2: defaultDays must be 1 to 36500 days"),
            (b"name: x\ndefaultDays: 36501", "line 2: defaultDays must be 1 to 36500 days"),
            (b"name: x\ndefaultDays: 1e3", "line 2: '1e3' is a number that is not whole"),
            (b"name: x\ndefaultDays: 90.5", "line 2: '90.5' is a number that is not whole"),
            (b"name: x\ndefaultDays: 012", "line 2: '012' is a number in a notation"),
            (b"name: x\ndefaultDays: 1:30", "line 2: '1:30' is a number in a notation"),
            (b"name: x\ndefaultDays:", "line 2: '' is no value: give one"),
            (b"name: NO\ndefaultDays: 1", "line 1: 'NO' is a truth value to YAML: put it in quotes"),
            (b"name: 2026-01-01\ndefaultDays: 1", "line 1: '2026-01-01' is a date to YAML: put it in quotes"),
            (b"name: 7\ndefaultDays: 1", "line 1: name must be text: put it in quotes"),
            (b'name: "a\\nb"\ndefaultDays: 1', "line 1: name must be 1 to 200 printable characters"),
            (b"name: x\ndefaultDays: 1\nname: y", "line 3: the key 'name' is there already, in line 1"),
            (b"name: x\ndefault_days: 1", "line 2: 'default_days' is not known here: did you mean defaultDays?"),
            (b"name: x\nfoo: 1", "line 2: 'foo' is not known here: known are name, defaultDays, rules"),
            (b"name: x\ndefaultDays: 1\nrules: [3]", "line 3: item 1 of rules must be keys with values"),
            (b"name: x\ndefaultDays: 1\nrules: {}", "line 3: rules must be a list"),
            (RULES.replace(b"[Trading]", b"Trading"), "line 6: queues must be a list"),
            (RULES.replace(b"[Trading]", b"[]"), "line 6: queues is empty: name at least one value"),
            (RULES.replace(b"[Trading]", b"[a, 12]"), "line 6: item 2 of queues must be text: put it in quotes"),
            (RULES.replace(b"[Trading]", b"\n    - a\n    - ' '"), "line 8: item 2 of queues must be 1 to 200"),
            (RULES.replace(b"2555", b"0"), "line 5: days must be 1 to 36500 days"),
            (RULES.replace(b"days: 2555", b"dayz: 2555"), "line 5: 'dayz' is not known here: did you mean days?"),
            (RULES.replace(b"trading", b"Default"), "line 4: 'Default' names the days that apply where no rule"),
            (RULES + RULE.replace(b"trading", b"TRADING"), "line 7: 'TRADING' names rule 1 already"),
            (RULES.replace(b"    queues: [Trading]\n", b""), "line 4: rule 'trading' asks for nothing"),
            (RULES + b"    maximum: 'true'", "line 7: maximum must be true or false"),
            (RULES + b"    maximum: yes", "line 7: 'yes' is a truth value to YAML: put it in quotes if it is text"),
            (RULES + b"    attributes: {ani: ['+49301']}", "no number may stand in one; use a hold"),
            (RULES + b"    attributes: {agent: [a]}", "line 7: 'agent' is not known here: did you mean agentId?"),
            (b"a: &x [1]\nb: *x", "line 1: what stands here is used again by an alias"),
            (b"a: &x [*x]", "line 1: what stands here is used again by an alias"),
            (b"a: &x b\n*x : 1", "line 1: what stands here is used again by an alias"),
            (b"<<: {name: x}", "line 1: '<<' is a merge key"),
            (b"? [a]\n: 1", "line 1: no 'tag:yaml.org,2002:seq' may stand here"),
            (b"a: !!python/object/apply:os.system [x]", "line 1: no 'tag:yaml.org,2002:python/object/apply"),
            (b'a: !!int "9"', "line 1: no 'tag:yaml.org,2002:int' may stand here"),
            (b"a: 1\n---\nb: 1", "line 2: another document begins (---): put each into a file of its own"),
            (b'{\n\t"a": 1}', "line 2: found character '\\t' that cannot start any token"),
            (b"a: [1\nb: 2", "line 2: expected ',' or ']', but got ':'"),
            (b"a: 1\nb: caf\xe9", "line 2: is not UTF-8: save the file as UTF-8"),
            (b"a: 1\nb: \x00", "line 2: has a character that YAML forbids"),
            (b'a: "\\ud83d"', "line 1: half a character is escaped here"),
        ],
    )
    def test_what_is_wrong_is_named_with_its_line_and_remedy(self, content: bytes, problem: str) -> None:
        """No odd value is taken for what it is not."""
        assert problem in refusal(content)
        assert refusal(content).startswith("p.yaml")

    def test_every_wrong_line_is_named_at_once(self) -> None:
        """Up to ten, and how many more there are."""
        wrong = RULES + b"".join(b"  - {name: r%d, days: 0, queues: [q]}\n" % number for number in range(13))
        assert refusal(wrong).count("must be 1 to 36500 days") == 10
        assert refusal(wrong).endswith("; and 3 more")

    @pytest.mark.parametrize(
        "content",
        [
            b"a: 1\n" * MOST_BYTES,
            b"[" * 100_000,
            b"{" * 100_000,
            b"- " * 100_000,
            b"? " * 100_000,
            b'{"a":' * 40_000,
            b"a: &a [" + b"x," * 50_000 + b"]\n" + b"".join(b"b%d: [*a, *a, *a]\n" % each for each in range(2000)),
            b"name: " + b"x" * 200_000 + b"\ndefaultDays: 1",
        ],
    )
    def test_bombs_do_not_go_off(self, content: bytes) -> None:
        """What is huge, deep or multiplies itself is refused in a moment, in a line that can be read."""
        begun = monotonic()
        assert len(refusal(content)) < 300
        assert monotonic() - begun < 30

    def test_limits_are_enough(self) -> None:
        """A thousand rules, and thousands of agents in one, are read."""
        agents = "".join(f"      - {number:032x}-agent\n" for number in range(5000))
        content = f"{RULES.decode()}    attributes:\n     agentId:\n{agents}".encode()
        assert len(read_policy(content, "p").rules[0].attributes["agentId"]) == 5000
        many = RULES + b"".join(b"  - {name: r%d, days: 1, queues: [q]}\n" % number for number in range(999))
        assert len(read_policy(many, "p").rules) == 1000
        assert "too many entries: at most 1000 rules" in refusal(many + b"  - {name: r, days: 1, queues: [q]}\n")

    @given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.integers(0, len(RULES)))
    @settings(max_examples=300)
    def test_anything_is_a_policy_or_an_error_of_one_line(self, piece: bytes, place: int) -> None:
        """Whatever stands anywhere in a document, nothing but a ConfigurationError comes of it."""
        for content in (piece, RULES[:place] + piece + RULES[place:]):
            try:
                problem = f"p.yaml is {read_policy(content, 'p.yaml').name}"
            except ConfigurationError as error:
                problem = str(error)
            assert re.match(r"p\.yaml(, line \d+: | is )", problem)
            assert problem.isprintable()


class TestInForce:
    """`in_force`: which policy decides."""

    def test_without_any_the_settings_decide(self, archive: Archive) -> None:
        """Their days are the version, so that every plan tells them; there is nothing to keep."""
        policy = in_force(archive)
        assert (policy.version, policy.default_days, policy.rules) == ("default:90", 90, ())
        assert keep(archive, policy) is None
        assert documents(archive) == {}
        assert told(archive) == []

    def test_the_highest_number_is_in_force(self, archive: Archive) -> None:
        """Going back is adopting the old one again, under a new number."""
        for content in (SHORT, LONG, SHORT):
            assert adopt(archive, content, "p.yaml", actor="rosa") == in_force(archive)
        assert documents(archive) == {
            "policies/000001.yaml": SHORT,
            "policies/000002.yaml": LONG,
            "policies/000003.yaml": SHORT,
        }
        assert in_force(archive).origin == "policies/000003.yaml"

    def test_a_changed_document_is_not_used(self, archive: Archive) -> None:
        """It is named with both hashes; only another adoption, of whatever policy, ends that."""
        adopt(archive, LONG, "p.yaml", actor="rosa")
        path = archive.settings.root / "policies" / "000001.yaml"
        path.chmod(0o640)
        path.write_bytes(SHORT)
        with pytest.raises(StoreError, match="adopted was") as refused:
            in_force(archive)
        for content in (SHORT, LONG):
            assert sha256(content).hexdigest() in str(refused.value)
        assert adopt(archive, SHORT, "p.yaml", actor="rosa").origin == "policies/000002.yaml"
        assert in_force(archive).name == "short"

    @pytest.mark.parametrize("name", ["policy.yaml", "000001.yml", "1.YAML", "000001.json", "000002/a.yaml"])
    def test_a_file_without_a_number_is_not_passed_over(self, archive: Archive, name: str) -> None:
        """Who puts a file there by hand learns how to adopt it, instead of having the default used."""
        path = archive.settings.root / "policies" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(LONG)
        with pytest.raises(ConfigurationError, match="recording-archive retention adopt"):
            in_force(archive)
        with pytest.raises(ConfigurationError, match="numbers them"):
            adopt(archive, SHORT, "p.yaml", actor="rosa")

    def test_other_files_are_not_policies(self, archive: Archive) -> None:
        """A note beside the policies disturbs nothing."""
        adopt(archive, LONG, "p.yaml", actor="rosa")
        (archive.settings.root / "policies" / "README.txt").write_text("ours")
        assert in_force(archive).name == "long"

    def test_a_damaged_document_is_named(self, archive: Archive) -> None:
        """A policy in the archive that cannot be understood stops everything but adopting another one."""
        archive.store.put("policies/000001.yaml", b"name: x\ndefaultDays: never")
        with pytest.raises(ConfigurationError, match=r"policies/000001\.yaml, line 2: defaultDays must be"):
            in_force(archive)
        assert adopt(archive, LONG, "p.yaml", actor="rosa").origin == "policies/000002.yaml"

    def test_a_rebuilt_catalog_has_the_same_policy(self, archive: Archive) -> None:
        """The archive tells it, and a change since its adoption is still seen."""
        adopted = adopt(archive, LONG, "p.yaml", actor="rosa")
        archive.catalog.close()
        for path in archive.settings.root.parent.glob("catalog.db*"):
            path.unlink()
        assert list(reindex(archive.settings)) is not None
        rebuilt = open_archive(archive.settings)
        assert in_force(rebuilt) == adopted
        assert keep(rebuilt, adopted) == "policies/000001.yaml"
        path = archive.settings.root / "policies" / "000001.yaml"
        path.chmod(0o640)
        path.write_bytes(SHORT)
        with pytest.raises(StoreError, match="adopted was"):
            in_force(rebuilt)
        rebuilt.catalog.close()


class TestElsewhere:
    """A policy that `RECORDING_ARCHIVE_POLICY_URL` names."""

    def test_a_file(self, archive: Archive, tmp_path: Path) -> None:
        """By path or by file URL; what the archive holds is not in force then."""
        adopt(archive, SHORT, "p.yaml", actor="rosa")
        path = tmp_path / "policy.txt"
        path.write_bytes(LONG)
        for url in (path, f"file://{path}"):
            policy = in_force(elsewhere(archive, url))
            assert (policy.name, policy.origin) == ("long", str(path))

    def test_the_newest_of_a_folder(self, archive: Archive, tmp_path: Path) -> None:
        """The highest name, its numbers taken as numbers; links are followed, as mounted configurations are made."""
        folder = tmp_path / "policies"
        folder.mkdir()
        for name in ("2.yaml", "9.yaml", ".z.yaml", "zz.txt"):
            (folder / name).write_bytes(SHORT)
        target = tmp_path / "target"
        target.write_bytes(LONG)
        (folder / "10.yml").symlink_to(target)
        assert in_force(elsewhere(archive, folder)).origin == str(folder / "10.yml")
        (folder / "11.JSON").write_bytes(b'{"name": "json", "defaultDays": 7}')
        assert in_force(elsewhere(archive, folder)).name == "json"

    @pytest.mark.parametrize(
        ("url", "problem"),
        [
            ("s3://bucket/policies", "only a file, a folder and file:// are supported"),
            ("/nowhere/policy.yaml", "/nowhere/policy.yaml is no file"),
            ("/dev/null", "/dev/null is no file"),
        ],
    )
    def test_what_cannot_be_read_is_not_the_default(self, archive: Archive, url: str, problem: str) -> None:
        """A mistyped place must not make 90 days of seven years."""
        adopt(archive, LONG, "p.yaml", actor="rosa")
        with pytest.raises(ConfigurationError, match=re.escape(problem)):
            in_force(elsewhere(archive, url))

    def test_an_empty_folder_is_not_the_default(self, archive: Archive, tmp_path: Path) -> None:
        """Nor is one that holds other files only."""
        folder = tmp_path / "empty"
        folder.mkdir()
        (folder / "notes.txt").write_text("")
        with pytest.raises(ConfigurationError, match="holds no policy"):
            in_force(elsewhere(archive, folder))

    def test_the_archives_own_folder(self, archive: Archive) -> None:
        """To name it is to name no other place."""
        adopt(archive, LONG, "p.yaml", actor="rosa")
        same = elsewhere(archive, archive.settings.root / "policies")
        assert in_force(same).origin == "policies/000001.yaml"
        assert adopt(same, SHORT, "p.yaml", actor="rosa").origin == "policies/000002.yaml"

    def test_it_lies_in_the_archive_before_it_is_used(self, archive: Archive, tmp_path: Path) -> None:
        """Once for each change, with an event of the run; what was read is kept, whatever the file says by now."""
        path = tmp_path / "policy.yaml"
        using = elsewhere(archive, path)
        for content in (SHORT, SHORT, LONG, SHORT):
            path.write_bytes(content)
            policy = in_force(using)
            path.write_bytes(b"name: later")
            key = keep(using, policy, run_id="retention__1")
            assert key
            assert archive.store.read(key) == content
        assert list(documents(archive).values()) == [SHORT, LONG, SHORT]
        files = {key: sha256(content).hexdigest() for key, content in documents(archive).items()}
        assert [each.detail["files"] for each in told(archive)] == [{key: files[key]} for key in sorted(files)]
        assert {each.run_id for each in told(archive)} == {"retention__1"}

    def test_adopting_has_no_effect_and_is_refused(self, archive: Archive, tmp_path: Path) -> None:
        """The error names the place where the policy comes from."""
        with pytest.raises(ConfigurationError, match=re.escape(str(tmp_path))):
            adopt(elsewhere(archive, tmp_path), LONG, "p.yaml", actor="rosa")
        assert documents(archive) == {}


class TestAdopt:
    """`adopt`: durable, told and sealed when it returns."""

    def test_it_lies_in_the_archive_with_its_event(self, archive: Archive) -> None:
        """The event has the hash, the person and nothing else, and is sealed."""
        policy = adopt(archive, RULES, "p.yaml", actor="rosa")
        path = archive.settings.root / "policies" / "000001.yaml"
        assert path.read_bytes() == RULES
        assert path.stat().st_mode & 0o777 == 0o440
        (event,) = told(archive)
        assert event.detail == {"files": {"policies/000001.yaml": policy.version}}
        assert event.actor == "rosa"
        head = chain.newest(archive.store)
        assert head is not None
        assert event.segment == head.segment

    def test_the_one_in_force_is_not_adopted_again(self, archive: Archive) -> None:
        """Nothing is written, whatever the file is called."""
        first = adopt(archive, LONG, "p.yaml", actor="rosa")
        assert adopt(archive, LONG, "q.json", actor="paul") == first
        assert list(documents(archive)) == ["policies/000001.yaml"]
        assert len(told(archive)) == 1

    def test_a_wrong_one_leaves_everything_as_it_is(self, archive: Archive) -> None:
        """It is refused before anything is written."""
        adopt(archive, LONG, "p.yaml", actor="rosa")
        with pytest.raises(ConfigurationError, match="line 1: defaultDays is missing"):
            adopt(archive, b"name: x", "p.yaml", actor="rosa")
        assert in_force(archive).name == "long"
        assert len(told(archive)) == 1

    def test_an_adoption_that_was_cut_short_is_completed(self, archive: Archive) -> None:
        """A document whose event is missing is in force, and gets its event before it is used."""
        archive.store.put("policies/000001.yaml", LONG)
        policy = in_force(archive)
        assert policy.name == "long"
        assert keep(archive, policy) == "policies/000001.yaml"
        assert [each.detail["files"] for each in told(archive)] == [{"policies/000001.yaml": policy.version}]
        adopt(archive, LONG, "p.yaml", actor="rosa")
        assert len(told(archive)) == 1

    def test_of_two_at_once_each_gets_a_number(self, archive: Archive) -> None:
        """Neither is lost, and the higher number is in force."""
        contents = [b"name: n%d\ndefaultDays: %d\n" % (number, number + 1) for number in range(6)]
        barrier = threading.Barrier(len(contents))

        def adopt_one(content: bytes) -> None:
            barrier.wait()
            adopt(archive, content, "p.yaml", actor="rosa")

        threads = [threading.Thread(target=adopt_one, args=(content,)) for content in contents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = documents(archive)
        assert list(found) == [f"policies/{number:06d}.yaml" for number in range(1, 7)]
        assert sorted(found.values()) == sorted(contents)
        assert in_force(archive).document == found["policies/000006.yaml"]
        assert len(told(archive)) == 6

    def test_the_last_number(self, archive: Archive) -> None:
        """Numbers do not begin again, nor grow by a digit that would sort before the others."""
        archive.store.put("policies/999999.yaml", LONG)
        with pytest.raises(StoreError, match="the last number"):
            adopt(archive, SHORT, "p.yaml", actor="rosa")
        assert newest(archive.store) == "policies/999999.yaml"


@pytest.fixture
def command(configured: Settings, capsys: pytest.CaptureFixture[str]) -> Command:  # noqa: ARG001 - in the environment
    """Run ``recording-archive retention …`` in this process."""
    return partial(run_command, capsys, "retention")


class TestCommands:
    """`recording-archive retention show` and `adopt`."""

    def test_adopt_and_show(self, command: Command, archive: Archive, tmp_path: Path) -> None:
        """What was adopted is shown, with its version and where it lies."""
        path = tmp_path / "bank.yaml"
        path.write_bytes(RULES + b"    maximum: true\n    attributes: {agentId: [a, b]}\n")
        lies = str(archive.settings.root / "policies" / "000001.yaml")
        version = sha256(path.read_bytes()).hexdigest()
        assert command("show") == (
            0,
            "Policy default\n  version: default:90\n  lies: RECORDING_ARCHIVE_RETENTION_DAYS\n  default days: 90\n",
            "",
        )
        assert command("adopt", str(path)) == (0, f"adopted: Bank, version {version}, {lies}\n", "")
        assert command("adopt", str(path)) == (0, f"in force already: Bank, version {version}, {lies}\n", "")
        assert command("show")[1].splitlines() == [
            "Policy Bank",
            f"  version: {version}",
            f"  lies: {lies}",
            "  default days: 90",
            "Rules",
            "  rule\tdays\t\trecordings with",
            "  trading\t2555\tmaximum\tqueues: Trading; agentId: a, b",
        ]
        assert told(archive)[0].actor == app.user()

    def test_json(self, command: Command, archive: Archive, tmp_path: Path) -> None:
        """The same for programs."""
        path = tmp_path / "bank.yaml"
        path.write_bytes(RULES)
        adopted = json.loads(command("adopt", str(path), "--json")[1])
        assert adopted.pop("adopted") is True
        assert json.loads(command("adopt", str(path), "--json")[1])["adopted"] is False
        assert json.loads(command("show", "--json")[1]) == adopted == in_force(archive).to_json()

    def test_a_wrong_file_ends_with_2(self, command: Command, archive: Archive, tmp_path: Path) -> None:
        """One line names file, line and remedy."""
        path = tmp_path / "bank.yaml"
        path.write_bytes(RULES.replace(b"2555", b"'2555'"))
        code, out, err = command("adopt", str(path))
        assert (code, out) == (2, "")
        assert err == f"recording-archive: {path}, line 5: days must be a whole number without quotes, such as 90\n"
        assert command("adopt", str(tmp_path / "none"))[2].endswith("is no file: name a policy file in YAML or JSON\n")
        assert documents(archive) == {}


class TestDocs:
    """docs/retention.md and docs/commands.md tell all of it."""

    def test_the_example_is_a_policy(self) -> None:
        """Every YAML block can be adopted as it stands."""
        blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / "retention.md").read_text(), re.DOTALL)
        for block in blocks:
            assert read_policy(block.encode(), "docs/retention.md").rules
        assert blocks

    def test_every_key_is_told(self) -> None:
        """The keys of a policy, of a rule, and the attributes a rule may ask for."""
        text = (DOCS / "retention.md").read_text()
        rule = Rule("r", 1, True, ("q",), ("m",), ("d",), ("i",), {"agentId": ("a",)})
        keys = [f"rules[].{name}" for name in rule.to_json()]
        for name in ("name", "defaultDays", "rules", *keys, *ATTRIBUTES):
            assert f"`{name}`" in text, name

    def test_every_command_and_option_is_told(self) -> None:
        """docs/commands.md has each subcommand with its arguments."""
        text = (DOCS / "commands.md").read_text()
        sections = dict(re.findall(r"^## `retention (\S+)`.*?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
        whole: Any = typer.main.get_command(app.app)
        commands = whole.commands["retention"].commands
        assert set(sections) == set(commands)
        for name, one in commands.items():
            for parameter in one.params:
                shown = parameter.opts[0] if parameter.opts[0].startswith("--") else parameter.metavar
                assert f"| `{shown}` |" in sections[name], f"{name}: {shown}"


def test_what_is_public_is_there() -> None:
    """Every public name exists."""
    assert all(hasattr(policy_in_force, name) for name in policy_in_force.__all__)
