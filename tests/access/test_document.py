"""Access documents as people write them, and what they are told when something is wrong."""

from __future__ import annotations

import pytest

from recording_archive.access.document import read_document
from recording_archive.access.rules import Right
from recording_archive.errors import ConfigurationError

WHOLE = b"""name: Bank
grants:
  - name: sales leads
    roles: [Leads]
    users: [jane]
    what: [listen]
    queues: [Sales, "7"]
    divisions: [Nord]
    mediaTypes: [call]
    youngerThanDays: 90
  - name: own calls
    everyone: true
    what: [metadata, download]
    ownCalls: true
denials:
  - name: trading
    everyone: true
    what: [metadata]
    agents: [Zo\xc3\xab]
    olderThanDays: 30
breakGlass:
  - name: on duty
    roles: [Duty]
    queues: [Sales]
  - name: security
    users: [rosa]
    hours: 24
agents:
  jane: [Jane Doe, A-17]
"""


def test_a_document_is_read_and_told_as_it_was_written() -> None:
    """All that may stand in one."""
    document = read_document(WHOLE, "bank.yaml")
    told = document.to_json()
    assert told["grants"] == [
        {
            "name": "sales leads",
            "users": ["jane"],
            "roles": ["Leads"],
            "what": ["listen"],
            "queues": ["Sales", "7"],
            "divisions": ["Nord"],
            "mediaTypes": ["call"],
            "youngerThanDays": 90,
        },
        {"name": "own calls", "everyone": True, "what": ["metadata", "download"], "ownCalls": True},
    ]
    assert told["denials"][0]["agents"] == ["Zoë"]
    assert told["agents"] == {"jane": ["Jane Doe", "A-17"]}
    assert told["breakGlass"] == [
        {"name": "on duty", "roles": ["Duty"], "what": ["listen"], "hours": 8, "queues": ["Sales"]},
        {"name": "security", "users": ["rosa"], "what": ["listen"], "hours": 24},
    ]
    assert document.grants[1].what == (Right.METADATA, Right.DOWNLOAD)


GRANT = b"name: d\ngrants:\n- {name: a, everyone: true, what: [metadata]%s}\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "d.yaml is empty: write at least name and grants"),
        (b"name: d\n", "line 1: it grants nothing, so nobody could see anything"),
        (GRANT % b", queue: [x]", "line 3: 'queue' is not known here: did you mean queues?"),
        (GRANT % b", queues: []", "line 3: queues is empty"),
        (GRANT % b", queues: Sales", "line 3: queues must be a list"),
        (GRANT % b", queues: [7]", "line 3: item 1 of queues must be text: put it in quotes"),
        (GRANT % b", olderThanDays: 0", "line 3: olderThanDays must be 1 to 36500 days"),
        (GRANT % b", olderThanDays: 9, youngerThanDays: 9", "is about no recording"),
        (b"name: d\ngrants:\n- {name: a, everyone: true, what: [hear]}\n", "item 1 of what must be one of metadata"),
        (b"name: d\ngrants:\n- {name: a, everyone: true}\n", "'a' allows or forbids nothing"),
        (b"name: d\ngrants:\n- {name: a, what: [listen]}\n", "'a' is about nobody"),
        (GRANT % b"" + b"denials:\n- {name: A, everyone: true, what: [listen]}\n", "line 5: 'A' names another rule"),
        (GRANT % b"" + b"breakGlass:\n- {name: b, users: [x], hours: 169}\n", "line 5: hours must be 1 to 168"),
        (GRANT % b"" + b"breakGlass:\n- {name: b, users: [x], what: [listen]}\n", "'what' is not known here"),
        (GRANT % b"" + b"breakGlass:\n- {name: b}\n", "line 5: 'b' is about nobody"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(content: bytes, message: str) -> None:
    """Nothing that is misspelled is taken for something else."""
    with pytest.raises(ConfigurationError) as refused:
        read_document(content, "d.yaml")
    assert message in str(refused.value)
