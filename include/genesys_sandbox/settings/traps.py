"""Surprises of the real service, for the option ``traps``; each affects one conversation in ten, by its number."""

from __future__ import annotations

from collections.abc import Mapping

#: The last digit of the numbers of the conversations that a trap meets.
DIGITS: Mapping[str, int] = {
    "open": 0,
    "multi_part": 1,
    "screen": 1,
    "transfers": 2,
    "late": 2,
    "archived": 3,
    "sensitive": 4,
    "division_gap": 5,
    "batch_errors": 6,
    "dual_channel": 6,
    "uploading": 7,
    "deleted": 8,
    "unrecorded": 9,
}
TRAPS: Mapping[str, str] = {
    "open": "the conversation has no end until the sandbox is told",
    "multi_part": "a recording has two media files",
    "transfers": "two recordings with an agent each",
    "late": "two recordings, of which the second is uploaded when the sandbox is told",
    "archived": "the recording lies in cold storage until it was restored",
    "sensitive": "without recording:recording:viewSensitiveData batches leave it out",
    "division_gap": "its division is not granted: nothing shows it",
    "batch_errors": "its batch result is an error; playback works",
    "uploading": "the recording is not there yet",
    "deleted": "a policy deleted the recording",
    "unrecorded": "a recording was started, and none exists",
    "screen": "the agent's screen was recorded too, as MP4",
    "dual_channel": "playback gives a file for each channel, unless it is asked for a download",
    "number_forms": "numbers are written in four ways: tel: with and without extension, sip:, and national",
    "messages": "each day also has a message, whose recording is JSON",
    "digital": "each day also has a chat (a ZIP file) and an e-mail (EML) without the recording flag",
    "orphans": "three recordings belong to no conversation",
    "transcoding": "playback answers 202 twice before it has media",
    "changing_count": "expectedResultCount grows from poll to poll",
    "zero_start": "batches have no status, and begin with 0 of 0 results",
    "fixed_urls": "polling a finished batch again gives the same URLs",
    "silent_limit": "behind `max_results` the pages of a details query are empty instead of refused",
    "lost_batches": "a finished batch is forgotten once it was read",
}


def read_traps(text: str) -> frozenset[str]:
    """The traps of a comma list, ``all`` for every one; raise ValueError for one that does not exist."""
    names = {name.strip() for name in text.split(",") if name.strip()}
    if names == {"all"}:
        return frozenset(TRAPS)
    if unknown := sorted(names - TRAPS.keys()):
        raise ValueError(f"traps={unknown[0]!r}: known are {', '.join(TRAPS)}, or all")
    return frozenset(names)
