"""Policy documents: every key, and errors that name the line and the remedy."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recording_archive.errors import ConfigurationError
from recording_archive.retention.policy_in_force import read_policy
from recording_archive.retention.rules import ATTRIBUTES, Rule
from recording_archive.retention.strict_yaml import MOST_BYTES

DOCS = Path(__file__).parents[2] / "docs"
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


class TestDocs:
    """docs/retention.md has an example that can be adopted, and every key."""

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
