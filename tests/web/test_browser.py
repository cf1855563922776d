"""The pages in a real Chromium, against Airflow's own web application with the plugin in it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Browser, Frame, Page, expect
from sqlalchemy import insert, select

from genesys_sandbox import Sandbox
from recording_archive.access import in_force
from recording_archive.catalog.tables import recordings, runs
from recording_archive.ledger import chain
from recording_archive.model import State
from recording_archive.reports.reading import keys_of
from support import sounds
from support.browser import (
    CONTRAST,
    COUNT_FETCHES,
    HEIGHT,
    SETTLED,
    WIDTH,
    Visit,
    axe,
    chromium,
    new_context,
    shoot,
    sign_in,
)
from support.catalog_rows import archived_row
from support.contents import change
from support.lived_in import BAD, RUN, VERIFIED, WAITING, World, make_world
from support.packs import check, unpack
from support.pdf_text import text_of

pytestmark = pytest.mark.browser

POLICY = "name: shorter\ndefaultDays: 2\n"
VIEWS = {
    "search": "",
    "search-more": "?direction=inbound&q=Agent&from=2026-11-01",
    "search-nothing": "?agent=nobody&from=2026-11-01",
    "search-missing": "?q=no-such-id-1+no-such-id-2",
    "recording": "recordings/{calm}/{calm}",
    "recording-proof": "recordings/{calm}/{calm}?tab=proof",
    "recording-history": "recordings/{calm}/{calm}?tab=history&search=",
    "why": "why?id=no-such-id-1",
    "runs": "runs",
    "report": f"runs/{RUN}",
    "report-tab": "runs/by-airflow?dag_id=other&run_id=x",
    "failures": "failures",
    "failures-accepted": "failures?kind=acknowledged",
    "overview": "overview",
    "recording-quarantined": "recordings/{quarantined}/{quarantined}",
    "recording-purged": "recordings/{purged}/{purged}",
    "holds": "holds?state=all",
    "hold": "holds/{hold}?made=true",
    "hold-new": "holds/new",
    "hold-new-preview": "holds/new?ids={calm}+never-seen-1&agents=Agent&from=2026-11-01",
    "retention": "retention",
    "policy": "retention/policy",
    "retention-try": "retention/compare",
    "retention-compare": f"retention?{urlencode({'policy': POLICY})}",
    "retention-wrong": "retention/compare?policy=days:+many",
    "plan": f"retention/runs/{quote(WAITING)}",
    "plan-done": "retention/runs/scheduled__2026-11-21T01:00:00+00:00",
    "plans": "retention/runs",
    "certificate": "certificates/{certificate}",
    "fixity": "fixity",
    "fixity-run": f"fixity/runs/{quote(VERIFIED)}",
    "coverage": "coverage?from=2026-10-01&to=2026-12-10",
    "evidence": "evidence",
    "openings": "openings",
    "listening": "listening",
    "listening-person": "listening?by=person",
    "listening-call": "listening?by=call",
    "not-found": "no/such/page",
}
CUT = """() => [...document.querySelectorAll("main *")]
  .filter((each) => each.checkVisibility() && getComputedStyle(each).textOverflow === "ellipsis")
  .map((each) => each.textContent)"""
COPIED = """() => {
  document.execCommand = () => { window.copied = getSelection().toString(); return true };
  navigator.clipboard.writeText = async (text) => { window.copied = text };
}"""
PAPERS = ("certificate", "plan", "plan-done", "hold", "report", "coverage")


@pytest.fixture(scope="module")
def world(cloud_of_the_session: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An Airflow with the plugin, and an archive that has something of everything."""
    with make_world(cloud_of_the_session, tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the module."""
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def session(browser: Browser, world: World) -> Any:
    """What a signed-in browser keeps."""
    return sign_in(browser, world.site)


@pytest.fixture
def visit(browser: Browser, world: World, session: Any) -> Iterator[Visit]:
    """A fresh signed-in window; nothing of ours may complain in it, and no policy may have been hit."""
    context = new_context(browser, session)
    visiting = Visit(context.new_page(), world.site.url)
    yield visiting
    context.close()
    assert visiting.complaints == []


def test_the_navigation_leads_to_a_search_that_finds_what_is_pasted(visit: Visit, world: World) -> None:
    """From Airflow's own menu: two ids pasted as a column find two calls, and the outer address keeps the search."""
    visit.page.goto(visit.url)
    visit.page.get_by_role("link", name="Recordings").click()
    frame = visit.page.frame_locator("iframe")
    frame.locator("#q").fill(f"{world.calm}\n{world.nasty}")
    frame.get_by_role("button", name="Search").click()
    expect(frame.locator(".results tbody tr")).to_have_count(2)
    expect(frame.get_by_text("2 recordings, newest first")).to_be_visible()
    assert world.calm in visit.page.url
    shoot(visit.page, "framed-search-light")


def test_it_plays_and_seeks_and_the_time_line_knows(visit: Visit, world: World) -> None:
    """Play moves the position; a click into the waveform jumps there; the play is in the access log once."""
    frame = visit.go_framed(f"?q={world.calm}")
    frame.get_by_role("button", name="Play").first.click()
    frame.wait_for_function("() => document.getElementById('player-audio').currentTime > 0.3")
    shoot(visit.page, "framed-playing-light")
    frame.locator("#player-toggle").click()
    wave = frame.locator("#player-wave")
    box = wave.bounding_box()
    assert box
    wave.click(position={"x": box["width"] * 0.75, "y": box["height"] / 2})
    frame.wait_for_function(
        "() => { const a = document.getElementById('player-audio');"
        " return Math.abs(a.currentTime / a.duration - 0.75) < 0.02 && a.readyState >= 2 }"
    )
    frame.locator("#player-details").click()
    visit.page.frame_locator("iframe").get_by_role("link", name="History").click()
    expect(visit.page.frame_locator("iframe").get_by_text("Played by admin")).to_have_count(1)
    assert world.events(world.calm).count("played") == 1


def test_the_player_gets_the_very_bytes_of_the_call(visit: Visit, world: World) -> None:
    """What the page's own audio address gives for a range is that range of the source's file."""
    visit.go(f"recordings/{world.calm}/{world.calm}")
    found = visit.page.evaluate(
        """async () => {
          const address = document.querySelector("[data-media]").dataset.media;
          const reply = await fetch(address, { headers: { Range: "bytes=5000-14999" } });
          return [reply.status, [...new Uint8Array(await reply.arrayBuffer())]];
        }"""
    )
    assert found == [206, list(world.media(world.calm)[5000:15000])]


def _sha256(world: World, key: str) -> str:
    return hashlib.sha256(world.archive.store.read(key)).hexdigest()


def _report_keys(world: World) -> tuple[str, ...]:
    with world.archive.catalog.read() as connection:
        key = connection.execute(select(runs.c.report_key).where(runs.c.run_id == RUN)).scalar_one()
    return keys_of(key)[:2]


def _keep(name: str, content: bytes) -> None:
    """Keep a file beside the screenshots, where they are wanted."""
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, name).write_bytes(content)


def test_the_waveform_is_drawn(visit: Visit, world: World) -> None:
    """There are bars of many heights, not just a line."""
    visit.go(f"recordings/{world.calm}/{world.calm}")
    visit.page.wait_for_function(
        """() => {
          const canvas = document.querySelector("#player-wave canvas");
          if (!canvas.width) return false;
          const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const heights = new Set();
          for (let x = 0; x < width; x += 1) {
            let tall = 0;
            for (let y = 0; y < height; y += 1) tall += data[(y * width + x) * 4 + 3] > 0;
            heights.add(tall);
          }
          return heights.size > 10;
        }"""
    )


@pytest.mark.parametrize(
    ("link", "ending", "digest"), [("Download audio", "", "sha256"), (".wav.gz", ".gz", "stored_sha256")]
)
def test_a_download_is_the_call_or_the_stored_file(
    visit: Visit, world: World, link: str, ending: str, digest: str
) -> None:
    """First comes what plays anywhere; with the proof the archived object, byte for byte."""
    frame = visit.go_framed(f"recordings/{world.calm}/{world.calm}{'?tab=proof' if ending else ''}")
    with visit.page.expect_download() as waiting:
        frame.get_by_role("link", name=link).click()
    row = world.row(world.calm)
    assert hashlib.sha256(Path(waiting.value.path()).read_bytes()).hexdigest() == getattr(row, digest)
    assert waiting.value.suggested_filename == f"{world.calm}.wav{ending}"


def get_pack(visit: Visit, frame: Frame, folder: Path) -> list[str]:
    """Ask for a pack by the button of a page; return the calls in it, after it checked itself."""
    frame.get_by_role("button", name="Evidence…").first.click()
    frame.get_by_label("What is it for?").fill("letter of counsel")
    with visit.page.expect_download() as waiting:
        frame.get_by_role("button", name="Make the pack").click()
    expect(visit.page.frame_locator("iframe").get_by_text("The pack is saved")).to_be_visible()
    bag = unpack(Path(waiting.value.path()), folder)
    assert waiting.value.suggested_filename == f"{bag.name}.zip"
    assert check(bag=bag)[0] == 0
    return sorted(path.name.removesuffix(".wav") for path in bag.rglob("*.wav"))


def test_an_evidence_pack_of_a_search_or_of_chosen_calls(visit: Visit, world: World, tmp_path: Path) -> None:
    """The button of a search takes all it finds; boxes narrow it; with neither it says what to do."""
    frame = visit.go_framed(f"?q={world.calm}")
    assert get_pack(visit, frame, tmp_path / "search") == [world.calm]
    assert world.events(world.calm)[-1] == "exported"
    frame = visit.go_framed()
    frame.get_by_role("button", name="Evidence…").click()
    expect(visit.page.frame_locator("iframe").get_by_text("Choose recordings by their boxes")).to_be_visible()
    frame.get_by_role("checkbox", name=f"Choose {world.calm} ").check()
    assert get_pack(visit, frame, tmp_path / "chosen") == [world.calm]


def test_who_heard_a_call_is_two_clicks_away(visit: Visit, world: World) -> None:
    """From the call's page: each access with its person; a click on the person shows what else they heard."""
    visit.go(f"api/recordings/{world.calm}/{world.calm}/media")
    page, clicks = visit.go(f"recordings/{world.calm}/{world.calm}"), 0
    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name="Who heard it").click()
    clicks += 2
    row = page.locator("tbody tr", has_text="played").first
    expect(row).to_contain_text("admin")
    row.get_by_role("link", name="admin").click()
    expect(page.get_by_label("Person")).to_have_value("admin")
    page.get_by_role("link", name="By day").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    assert clicks <= 2


def test_an_evidence_pack_of_a_recording_says_why_it_cannot_be_had(visit: Visit, world: World, tmp_path: Path) -> None:
    """From its own page; a refusal is shown in the dialog, which stays open."""
    frame = visit.go_framed(f"recordings/{world.calm}/{world.calm}")
    assert get_pack(visit, frame, tmp_path / "one") == [world.calm]
    frame.evaluate("document.querySelector('[data-evidence]').dataset.evidence = '{\"runId\": \"nobody\"}'")
    frame.get_by_role("button", name="Evidence…").click()
    frame.get_by_label("What is it for?").fill("r")
    frame.get_by_role("button", name="Make the pack").click()
    expect(visit.page.frame_locator("iframe").get_by_text("There is no run")).to_be_visible()
    visit.complaints.clear()  # the browser's own word on a 400


def test_a_report_reads_sorts_and_downloads(visit: Visit, world: World) -> None:
    """The books stand as a sum; a heading sorts; the CSV is the stored one."""
    visit.go(f"runs/{RUN}")
    page = visit.page
    expect(page.locator(".books")).to_contain_text("6")
    expect(page.get_by_text("The books close")).to_be_visible()
    expect(page.locator("tbody tr").first).to_contain_text("wrong checksum")
    page.get_by_role("link", name="Size").click()
    sizes = page.locator("tbody tr td:nth-child(5)").all_text_contents()
    numbers = [float(size.split()[0]) for size in sizes if "kB" in size]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) > 2
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    stored = next((world.archive.settings.root / "reports").glob("*/scheduled*/1/compliance_report.csv"))
    assert Path(waiting.value.path()).read_bytes() == stored.read_bytes()


def test_markup_in_metadata_stays_text(visit: Visit, world: World) -> None:
    """A payload in every field, and as an id, is shown as it is and makes no element on any page."""
    texts = ""
    new = (
        "holds?state=all",
        "retention",
        "retention/policy",
        "retention/runs",
        f"retention/runs/{quote(WAITING)}",
        f"holds/new?agents={quote(BAD)}",
    )
    old = ("", f"recordings/{world.nasty}/{world.nasty}", f"runs/{RUN}", "failures", "overview", "runs")
    for path in (*old, *new):
        visit.go(path)
        texts += visit.page.inner_text("body")
        assert visit.page.locator("main img, main script").count() == 0
        assert visit.page.evaluate("window.hacked") is None
    assert texts.count(BAD) >= 15


def test_a_payload_in_the_address_stays_text(visit: Visit) -> None:
    """What the address asks for is repeated as text: in the fields, as chips, as an absent id."""
    payload = f"{BAD} in no field"
    for name in ("q", "agent", "queue", "number", "direction", "mediaType"):
        visit.page.goto(f"{visit.url}/archive/?{urlencode({name: payload})}")
        expect(visit.page.get_by_role("heading", name="Nothing found")).to_be_visible()
        assert visit.page.locator("main img, main script").count() == 0
    visit.page.goto(f"{visit.url}/archive/why?{urlencode({'id': payload})}")
    expect(visit.page.get_by_text(payload, exact=True)).to_be_visible()


def test_why_explains_an_absence(visit: Visit) -> None:
    """An id that nothing is known of leads to what its absence means, and to the command that asks for it."""
    visit.go("?q=no-such-id-1")
    visit.page.get_by_role("link", name="why?").click()
    expect(visit.page.get_by_text("It was never listed.")).to_be_visible()
    expect(visit.page.get_by_text('{"interactionId": "no-such-id-1"}')).to_be_visible()


def test_airflows_theme_and_zone_are_followed(visit: Visit, world: World) -> None:
    """Dark in Airflow is dark here, at once; times are in the zone that was chosen in Airflow."""
    frame = visit.go_framed(f"?q={world.calm}")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = frame.evaluate(colour)
    visit.page.evaluate("document.documentElement.classList.replace('light', 'dark')")
    frame.wait_for_function(f"() => {colour} !== {json.dumps(light)}")
    visit.page.evaluate("""localStorage.setItem("timezone", '"Asia/Tokyo"'); localStorage.setItem("theme", "dark")""")
    frame = visit.go_framed(f"?q={world.calm}")
    assert frame.evaluate(colour) != light
    tokyo = (world.row(world.calm).interaction_date + timedelta(hours=9)).strftime("%Y-%m-%d %H:%M:%S")
    expect(visit.page.frame_locator("iframe").locator("tbody time").first).to_have_text(tokyo)
    shoot(visit.page, "framed-search-dark")


def test_no_zone_moves_the_day_of_an_erased_call(browser: Browser, world: World, session: Any) -> None:
    """Its time is forgotten and its day is one of UTC: in New York it is the same, in the list as on its page."""
    day = {"state": State.ERASED, "interaction_date": datetime(2026, 3, 1, tzinfo=UTC)}
    with world.archive.catalog.write() as connection:
        connection.execute(insert(recordings).values(interaction_id="erased-1", recording_id="erased-1", part=0, **day))
    context = new_context(browser, session, zone="America/New_York")
    page = Visit(context.new_page(), world.site.url).go("recordings/erased-1/erased-1")
    expect(page.locator("h1")).to_have_text("2026-03-01")
    page.goto(f"{world.site.url}/archive/?id=erased-1")
    expect(page.locator(".results tbody tr time").first).to_have_text("2026-03-01")
    context.close()


def test_everything_can_be_done_from_the_keyboard(visit: Visit, world: World) -> None:
    """Slash searches, arrows choose, space plays, digits jump, enter opens."""
    visit.go("")
    page = visit.page
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type(world.calm)
    page.keyboard.press("Enter")
    expect(page.locator(".results tbody tr")).to_have_count(1)
    page.wait_for_load_state()  # a key that comes before the scripts is lost
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.getElementById('player-audio').currentTime > 0.1")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.getElementById('player-audio').paused")
    page.keyboard.press("5")
    page.wait_for_function(
        "() => { const a = document.getElementById('player-audio');"
        " return Math.abs(a.currentTime / a.duration - 0.5) < 0.02 }"
    )
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/recordings/{world.calm}/{world.calm}?search=*")


def test_a_failure_is_accepted_with_a_reason(visit: Visit, world: World) -> None:
    """The dialog asks for a reason; afterwards the failure is gone and its time line has the reason."""
    frame = visit.go_framed("failures")
    shoot(visit.page, "framed-failures-light")
    row = frame.locator("tr", has_text=world.failed)
    row.get_by_role("button", name="Accept").click()
    frame.get_by_label("Reason").fill("deleted at the source <b>")
    shoot(visit.page, "framed-acknowledge-light")
    frame.get_by_role("button", name="Accept the failure").click()
    expect(row).to_have_count(0)
    assert world.row(world.failed).acknowledged_at is not None
    visit.go(f"recordings/{world.failed}/{world.failed}?tab=history")
    expect(visit.page.get_by_text("deleted at the source <b>")).to_be_visible()


def test_failures_of_a_cause_are_accepted_at_once(visit: Visit, world: World) -> None:
    """One cause, all of the page, one reason; what somebody else accepted meanwhile is said."""
    long_ago = world.archive.clock() - timedelta(days=40)
    for number in range(3):
        facts = {
            "state": "discovered",
            "failed_since": long_ago,
            "failures": 4,
            "last_error": f"HTTP 410: gone-{number}11",
        }
        with world.archive.catalog.write() as connection:
            part = {"interaction_id": f"lost-{number}", "recording_id": f"lost-{number}", "part": 0}
            connection.execute(insert(recordings).values(**part, **facts))
    page = visit.go("failures")
    page.get_by_role("link", name="HTTP 410: …").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_label("Choose all of this page").check()
    change(world.archive, "lost-1", acknowledged_at=world.archive.clock())
    page.get_by_role("region", name="Chosen failures").get_by_role("button", name="Accept…").click()
    expect(page.get_by_text("Each of 3 will not be archived")).to_be_visible()
    page.get_by_label("Reason").fill("the source deleted them")
    page.get_by_role("button", name="Accept the failure").click()
    expect(page.get_by_role("alert")).to_contain_text("2 done, 1 not")
    assert all(world.row(f"lost-{number}").acknowledged_at for number in range(3))
    page.get_by_role("button", name="Cancel").click()
    visit.complaints.clear()  # the browser's own word on a 409


def test_a_hold_is_previewed_made_and_released(visit: Visit, world: World) -> None:
    """What it would hold shows as the fields are filled in; a changed field takes the button away until it is told."""
    frame = visit.go_framed("holds")
    frame.get_by_role("link", name="New hold").click()
    make = frame.get_by_role("button", name="Put on hold")
    frame.get_by_label("Interactions").fill(f"{world.nasty}, {world.purged}")
    expect(make).to_be_disabled()
    frame.get_by_label("Agents").focus()
    expect(frame.locator(".card", has_text="held now").locator("strong")).to_have_text("1")
    expect(frame.locator(".card", has_text="deleted before").locator("strong")).to_have_text("1")
    expect(frame.locator("#preview tbody tr")).to_have_count(1)
    shoot(visit.page, "framed-hold-preview-light")
    frame.get_by_label("Queues").press_sequentially("Nowhere <b>")
    expect(make).to_be_disabled()
    frame.get_by_label("Matter").fill("Roe v. <i>Doe")
    expect(frame.get_by_text("queue Nowhere <b>")).to_be_visible()
    frame.get_by_label("Queues").fill("")
    frame.get_by_label("Reason").fill("letter of counsel")
    expect(frame.locator("#preview tbody tr")).to_have_count(1)
    make.click()
    expect(frame.get_by_text("The hold is in force.")).to_be_visible()
    expect(frame.get_by_role("heading", name="Roe v. <i>Doe")).to_be_visible()
    frame.get_by_role("button", name="Release…").click()
    frame.get_by_label("Reason").fill("settled")
    shoot(visit.page, "framed-release-light")
    frame.get_by_role("button", name="Release the hold").click()
    expect(frame.get_by_text("Released by admin")).to_be_visible()
    documents = [key for key in world.archive.store.list("holds/") if key.endswith(".released.json")]
    assert len(documents) == 1


def test_what_cannot_be_held_is_said_and_not_sent(visit: Visit) -> None:
    """A wrong field is told in place of the preview; an empty form has nothing to press."""
    page = visit.go("holds/new")
    expect(page.get_by_role("button", name="Put on hold")).to_be_disabled()
    page.get_by_label("Interactions").fill("../x")
    page.keyboard.press("Tab")
    expect(page.locator("#preview .notice.bad")).to_contain_text("../x")
    expect(page.get_by_role("button", name="Put on hold")).to_be_disabled()


def test_without_javascript_a_hold_can_be_previewed(browser: Browser, world: World, session: Any) -> None:
    """The form is a plain one then, and the page says how a hold is made."""
    context = browser.new_context(storage_state=session, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{world.site.url}/archive/holds/new")
    page.get_by_label("Interactions").fill(world.calm)
    page.get_by_role("button", name="Show what it would hold").click()
    expect(page.locator(".card", has_text="held now").locator("strong")).to_have_text("1")
    expect(page.get_by_role("button", name="Put on hold")).to_be_disabled()
    assert "recording-archive hold create" in page.content()
    page.goto(f"{world.site.url}/archive/retention/compare")
    page.get_by_label("A policy document").fill(POLICY)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Proposed: shorter")).to_be_visible()
    context.close()


def test_a_quarantined_call_is_restored_with_a_reason(visit: Visit, world: World) -> None:
    """The banner names its day; the dialog asks why; then it plays again, and its time line has who and why."""
    frame = visit.go_framed(f"recordings/{world.quarantined}/{world.quarantined}")
    expect(frame.get_by_text("In quarantine since")).to_be_visible()
    expect(frame.get_by_role("button", name="Play")).to_have_count(0)
    frame.get_by_role("button", name="Restore…").click()
    frame.get_by_label("Reason").fill("complaint 4711")
    shoot(visit.page, "framed-restore-light")
    frame.get_by_role("button", name="Restore it").click()
    expect(frame.get_by_role("button", name="Play")).to_be_visible()
    frame.get_by_role("link", name="History").click()
    expect(frame.get_by_text("complaint 4711")).to_be_visible()
    assert world.row(world.quarantined).state == "archived"


def test_a_request_of_erasure_is_rejected_with_a_reason(visit: Visit) -> None:
    """Approve and Reject look different, and each asks once more; then the request is gone from the list."""
    page = visit.go("retention/runs")
    notice = page.locator(".notice", has_text="A request to erase 1 recording waits")
    approving, rejecting = notice.get_by_role("button", name="Approve…"), notice.get_by_role("button", name="Reject…")
    colours = [each.evaluate("(button) => getComputedStyle(button).color") for each in (approving, rejecting)]
    assert colours[0] != colours[1]
    approving.click()
    shoot(page, "approve-erasure-light")
    page.get_by_role("button", name="Cancel").click()
    rejecting.click()
    page.get_by_label("Reason").fill("the wrong number was given")
    page.get_by_role("button", name="Reject the request").click()
    expect(page.locator(".notice", has_text="A request to erase")).to_have_count(0)
    expect(page.get_by_text("admin rejected it: the wrong number was given")).to_be_visible()


def test_a_pasted_policy_is_compared_at_once(visit: Visit, world: World) -> None:
    """Leaving the field is enough; what is no policy is told with its line; nothing is put to use."""
    page = visit.go("retention")
    page.get_by_role("link", name="Try a policy").click()
    expect(page.get_by_label("A policy document")).to_have_value(re.compile("a year, some shorter"))
    page.get_by_label("A policy document").fill("name: x\ndefaultDays: soon\n")
    page.keyboard.press("Tab")
    expect(page.locator("#preview")).to_contain_text("line 2")
    page.get_by_label("A policy document").fill(POLICY)
    page.keyboard.press("Tab")
    expect(page.get_by_role("heading", name="Proposed: shorter")).to_be_visible()
    expect(page.locator("#preview .card").first).to_contain_text("more would be due at once")
    assert len(list(world.archive.store.list("policies/"))) == 3


def test_a_plan_that_waits_leads_the_whole_window_to_airflow(visit: Visit) -> None:
    """Airflow's own page must not open inside its own frame."""
    frame = visit.go_framed("retention")
    frame.get_by_role("link", name="Approve or reject under Plans").click()
    frame.get_by_role("link", name="Decide in Airflow").click()
    visit.page.wait_for_url("**/dags/enforce_retention/runs/*/required_actions")
    assert quote(WAITING) in visit.page.url.replace("%3A", ":").replace(":", "%3A")


def test_a_call_is_proved_by_one_click(visit: Visit, world: World) -> None:
    """*Verify now* reads it to its last byte: the verdict is of just now, and the history has who asked."""
    frame = visit.go_framed(f"recordings/{world.calm}/{world.calm}")
    frame.get_by_role("button", name="Verify now").click()
    inner = visit.page.frame_locator("iframe")
    expect(inner.get_by_label("Verdict")).to_contain_text("every byte read just now")
    inner.get_by_role("link", name="History").click()
    expect(inner.locator(".timeline li").first).to_contain_text("Verified: every byte as it was archived by admin")
    assert world.events(world.calm)[-2:] != ["verified", "verified"]  # one click, one reading


def test_a_tab_needs_no_script_and_stops_no_sound(browser: Browser, visit: Visit, world: World, session: Any) -> None:
    """Without JavaScript it is a link; with it the call plays on, and the address names the tab."""
    visit.go(f"recordings/{world.calm}/{world.calm}")
    visit.page.get_by_role("button", name="Play").click()
    visit.page.wait_for_function("() => document.getElementById('player-audio').currentTime > 0.1")
    visit.page.get_by_role("link", name="Proof").click()
    expect(visit.page.get_by_text("SHA-256 of the media")).to_be_visible()
    assert "tab=proof" in visit.page.url
    assert visit.page.evaluate("() => !document.getElementById('player-audio').paused")
    context = browser.new_context(storage_state=session, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{world.site.url}/archive/recordings/{world.calm}/{world.calm}")
    page.get_by_role("link", name="Proof").click()
    expect(page.get_by_text("SHA-256 of the media")).to_be_visible()
    context.close()


def test_a_call_of_an_agent_and_number_is_heard_at_a_place(visit: Visit, world: World) -> None:
    """Both typed into the one box, and the place into the clock: three clicks."""
    names = {"agent_name": "Zoë Quick", "ani": "tel:+442079460958", "direction": "inbound"}
    sounds.add(world.archive, "sound-opus", sounds.encoded(*sounds.MADE["opus"][:4]), "audio/ogg")
    change(world.archive, "sound-opus", **names)
    page, clicks = visit.go(""), 0
    page.locator("#q").click()
    page.keyboard.type("+44 20 7946 0958 zoë")
    page.keyboard.press("Enter")
    expect(page.locator(".results tbody tr")).to_have_count(1)
    page.wait_for_load_state()
    page.evaluate(
        "() => { const audio = document.getElementById('player-audio'); window.sought = [];"
        " audio.addEventListener('seeking', () => window.sought.push(audio.currentTime)) }"
    )
    page.get_by_role("button", name="Play").first.click()
    page.get_by_label("Position; type a time to go there").click()
    clicks += 3
    page.keyboard.type("0:02")
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.sought.some((place) => Math.abs(place - 2) < 0.2)")  # it plays on from there
    page.wait_for_function("() => !document.getElementById('player-audio').paused")
    assert clicks <= 4


def test_pasted_ids_are_chosen_and_held(visit: Visit, world: World) -> None:
    """What is found of a pasted column is chosen by one box, and held: five clicks with the hold's own form."""
    frame = visit.go_framed()
    frame.locator("#q").fill(f"{world.calm}\n{world.nasty}\nno-such-id-1")
    frame.get_by_role("button", name="Search").click()
    inner = visit.page.frame_locator("iframe")
    expect(inner.get_by_text("2 of 3 ids")).to_be_visible()
    inner.get_by_label("Choose all of this page").check()
    expect(inner.get_by_role("region", name="Chosen recordings")).to_contain_text("2 chosen")
    inner.get_by_role("region", name="Chosen recordings").get_by_role("link", name="Hold…").click()
    expect(inner.locator(".card", has_text="held now").locator("strong")).to_have_text("2")
    inner.get_by_label("Matter").fill("Pasted v. Held")
    inner.get_by_label("Reason").fill("letter")
    inner.get_by_role("button", name="Put on hold").click()
    expect(inner.get_by_text("The hold is in force.")).to_be_visible()


def test_what_goes_next_month_is_held_in_part(visit: Visit, world: World) -> None:
    """From the forecast to its calls, one of them chosen and held: four clicks."""
    now = world.archive.clock()
    month = (now.replace(day=1) + timedelta(days=40)).replace(day=1)
    with world.archive.catalog.write() as connection:
        for number in range(2):
            date = month + timedelta(days=5 + number - 365)
            row = archived_row(number, date, interaction_id=f"goes-{number}", recording_id=f"goes-{number}")
            connection.execute(insert(recordings).values(**row))
    page, clicks = visit.go("retention"), 0
    page.get_by_role("link", name=f"{month:%Y-%m}", exact=True).click()
    expect(page.locator(".results tbody tr")).to_have_count(2)
    page.get_by_role("checkbox", name="Choose goes-1 ").check()
    page.get_by_role("region", name="Chosen recordings").get_by_role("link", name="Hold…").click()
    expect(page.locator(".card", has_text="held now").locator("strong")).to_have_text("1")
    page.get_by_label("Matter").fill("Kept v. Gone")
    page.get_by_label("Reason").fill("letter")
    page.get_by_role("button", name="Put on hold").click()
    clicks += 4
    expect(page.get_by_text("The hold is in force.")).to_be_visible()
    expect(page.get_by_text("goes-1").first).to_be_visible()
    assert clicks <= 4


def test_names_complete_and_days_are_of_the_zone_that_is_named(browser: Browser, world: World, session: Any) -> None:
    """A reader in Tokyo picks a day: it begins there, times are shown there, and the address says so."""
    context = new_context(browser, session, zone="Asia/Tokyo")
    page = Visit(context.new_page(), world.site.url).go("")
    expect(page.get_by_text("Days and times in Asia/Tokyo")).to_be_visible()
    page.get_by_text("More filters").click()
    page.get_by_label("Queue, name or id").focus()
    queue = world.row(world.calm).queue_name
    page.wait_for_function(
        "(name) => [...document.querySelectorAll('#queues option')].some((o) => o.value === name)", arg=queue
    )
    page.get_by_role("link", name="Last 7 days").click()
    page.wait_for_url("**zone=Asia%2FTokyo**")
    expect(page.get_by_text("Days and times in Asia/Tokyo")).to_be_visible()
    context.close()


def at(page: Page | Frame, seconds: float) -> None:
    """Wait until the player stands at this time, or just behind it."""
    page.wait_for_function(
        "(at) => { const now = document.getElementById('player-audio').currentTime;"
        " return now >= at && now < at + 1.5 }",
        arg=seconds,
    )


def test_a_place_is_typed_linked_and_jumped_over(visit: Visit, world: World) -> None:
    """A time is typed into the clock, is in the copied link, and opens with it; J and L jump; a speed is shown."""
    sounds.add(world.archive, "sound-mp3", sounds.encoded(*sounds.MADE["mp3"][:4]), "audio/mpeg", duration_ms=None)
    page = visit.go("recordings/sound-mp3/sound-mp3?t=2")
    at(page, 2)
    expect(page.locator("#player-length")).to_have_text("0:04")
    page.get_by_label("Position; type a time to go there").fill("0:01")
    page.keyboard.press("Enter")
    at(page, 1)
    page.keyboard.press("l")
    at(page, 3.9)
    page.keyboard.press("j")
    at(page, 0)
    page.keyboard.press(">")
    expect(page.locator("#player-rate")).to_have_text("1.25× speed")
    page.keyboard.press("<")
    expect(page.locator("#player-rate")).to_be_hidden()
    page.keyboard.press("t")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    page.evaluate(COPIED)
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_function("() => (window.copied ?? '').endsWith('/archive/recordings/sound-mp3/sound-mp3?t=3')")


def test_each_side_of_a_call_can_be_muted(visit: Visit, world: World) -> None:
    """Two lanes with the names of both; ADPCM, which no browser plays, is heard all the same; a screen is seen."""
    names = {"agent_name": "Ann <b>", "ani": "tel:+441", "direction": "inbound"}
    sounds.add(world.archive, "sound-adpcm", sounds.encoded(*sounds.MADE["adpcm"][:4]), "audio/wav", **names)
    page = visit.go("recordings/sound-adpcm/sound-adpcm")
    page.get_by_role("button", name="Play").click()
    at(page, 0.2)
    agent = page.get_by_role("button", name="Mute Ann <b>")
    agent.click()
    expect(agent).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Mute +441")).to_have_attribute("aria-pressed", "false")
    visit.complaints.clear()  # the browser's own word on a sound that it cannot decode
    sounds.add(world.archive, "sound-screen", sounds.screen(), "video/webm")
    visit.go("recordings/sound-screen/sound-screen")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("() => document.querySelector('video').videoWidth === 320")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_can_be_read(browser: Browser, world: World, session: Any, *, dark: bool) -> None:
    """On every page each text has the contrast that WCAG 2.2 AA asks for, and nothing scrolls sideways.

    On a phone axe finds nothing either: every thing has a name, and every text is read out in its place; in the dark
    nothing but colours is another.
    """
    context = new_context(browser, session, dark=dark)
    context.add_init_script(COUNT_FETCHES)
    visiting, found = Visit(context.new_page(), world.site.url), list[str]()
    for name, path in VIEWS.items():
        visiting.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        page = visiting.go(path.format(**world.names()))
        page.evaluate(SETTLED)
        shoot(page, f"{name}-{'dark' if dark else 'light'}")
        assert page.evaluate(CONTRAST) == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        page.set_viewport_size({"width": 390, "height": 844})
        shoot(page, f"{name}-{'dark' if dark else 'light'}-phone")
        found += [f"{name}: {each}" for each in axe(page, colours_only=dark)]
    context.close()
    assert not found, "\n".join(found)
    assert [said for said in visiting.complaints if "404" not in said] == []


WIDE = """() => [...document.querySelectorAll("main *")]
  .filter((each) => each.checkVisibility() && each.getBoundingClientRect().right > innerWidth + 1)
  .filter((each) => !each.closest(".hidden-text, .subtabs, thead, svg"))
  .map((each) => `${each.tagName}.${each.className}: ${each.textContent.trim().slice(0, 40)}`).slice(0, 3)"""
CARDS = """() => [...document.querySelectorAll("main tbody tr")]
  .every((row) => getComputedStyle(row).display !== "table-row")"""
TABS = """() => [...document.querySelectorAll(".tabs, .subtabs")].every((each) =>
  each.scrollWidth <= each.clientWidth + 2 || each.matches(".goes-on, .came-from"))"""


def test_a_phone_has_cards_and_nothing_sticks_out(browser: Browser, world: World, session: Any) -> None:
    """On 390 points, and as narrow as Airflow's frame is there: rows are cards, and tabs say that they go on."""
    context = new_context(browser, session)
    visiting, problems = Visit(context.new_page(), world.site.url), {}
    visiting.page.set_viewport_size({"width": 390, "height": 844})
    frame = visiting.go_framed("retention")
    frame.wait_for_function(TABS)
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visiting.page.set_viewport_size({"width": frame.evaluate("innerWidth"), "height": 844})
    for name, path in VIEWS.items():
        page = visiting.go(path.format(**world.names()))
        page.wait_for_function(TABS)
        if (out := page.evaluate(WIDE)) or page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            problems[name] = out or "the page"
        assert page.evaluate(CARDS), name
        shoot(page, f"{name}-narrow")
    assert problems == {}
    expect(visiting.go("retention").locator(".tabs.goes-on")).to_have_count(1)
    context.close()


LIGATURES = "\ufb00\ufb01\ufb02\ufb03\ufb04"
"""Signs for ff, fi, fl, ffi and ffl, in which nobody finds an id that is copied from a document."""


def test_what_is_printed_is_whole(visit: Visit, world: World) -> None:
    """The PDF of each document has whole ids, its SHA-256 and its head, lines to sign, and none of our buttons."""
    names = world.names()
    row = world.row(world.purged)
    hold, certificate = f"holds/{world.hold}.json", f"certificates/{names['certificate']}.json"
    newest = str(chain.newest(world.archive.store))
    whole = {
        "certificate": [certificate, _sha256(world, certificate), world.purged, row.sha256],
        "plan-done": [world.purged, quote("scheduled__2026-11-21T01:00:00+00:00", safe="_:+")],
        "hold": [hold, _sha256(world, hold), world.calm, world.hold],
        "report": [world.calm, world.nasty, *(_sha256(world, key) for key in _report_keys(world))],
        "coverage": [newest, "2026-10-01", "2026-12-10"],
        "plan": [],
    }
    for name in PAPERS:
        page = visit.go(VIEWS[name].format(**names))
        expect(page.get_by_role("button", name="Print…")).to_be_visible()
        printed = page.pdf(prefer_css_page_size=True)
        _keep(f"{name}.pdf", printed)
        text = text_of(printed)
        for each in (*whole[name], world.archive.id, "ForthearchiveNameDateSignature", "byadminfrom"):
            assert each in text, f"{name}: {each}"
        for wrong in ("None", "Print…", "Evidence…", "\N{REPLACEMENT CHARACTER}", *LIGATURES):
            assert wrong not in text, f"{name}: {wrong}"
        page.emulate_media(media="print")
        assert page.evaluate(CUT) == [], name
        page.emulate_media(media="null")


def test_last_night_is_told_without_a_click(visit: Visit) -> None:
    """Home says whether the last run closed its books, and by which equation."""
    expect(visit.go("overview").locator(".lead")).to_contain_text(re.compile(r"\d+ asked = +\d+ archived"))


def test_what_nobody_verified_for_30_days_is_found(visit: Visit, world: World) -> None:
    """Two clicks: the filters, and the day from which readings count."""
    now = datetime.now(UTC)
    sounds.add(world.archive, "sound-old", b"RIFF", "audio/wav", verified_at=now - timedelta(days=31))
    sounds.add(world.archive, "sound-read", b"RIFF", "audio/wav", verified_at=now - timedelta(days=29))
    page = visit.go("")
    page.get_by_text("More filters").click()
    page.get_by_label("Not verified since").fill(f"{now - timedelta(days=30):%Y-%m-%d}")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".chip", has_text="not verified since")).to_be_visible()
    found = page.locator(".results .id").all_text_contents()
    assert ("sound-old" in found, "sound-read" in found) == (True, False)


def test_a_link_for_a_colleague_who_may_not_listen(browser: Browser, visit: Visit, world: World) -> None:
    """One click copies it; who opens it sees the call and its proof, and neither player nor download."""
    rights = (
        "- {name: ours, users: [admin], what: [download, decide]}\n- {name: see, everyone: true, what: [metadata]}\n"
    )
    in_force.adopt(world.archive, f"name: some\ngrants:\n{rights}".encode(), "some.yaml", actor="admin")
    try:
        page = visit.go(f"recordings/{world.calm}/{world.calm}")
        page.evaluate("() => { navigator.clipboard.writeText = async (text) => { window.copied = text } }")
        page.evaluate(
            "() => { document.execCommand = () => { window.copied = getSelection().toString(); return true } }"
        )
        page.get_by_role("button", name="Copy link").click()
        link = page.wait_for_function("() => window.copied").json_value()
        context = new_context(browser, sign_in(browser, world.site, "viewer"))
        other = context.new_page()
        other.goto(link)
        expect(other.get_by_label("Verdict")).to_contain_text("every byte read")
        for name in ("Play", "Download audio"):
            expect(other.get_by_role("button", name=name)).to_have_count(0)
            expect(other.get_by_role("link", name=name)).to_have_count(0)
        other.goto(f"{world.site.url}/archive/?q={world.calm}")
        expect(other.locator(".results tbody tr")).to_have_count(1)
        expect(other.locator(".results").get_by_role("button", name="Play")).to_have_count(0)
        context.close()
    finally:
        everything = b"name: all\ngrants:\n- {name: all, everyone: true, what: [download, decide]}\n"
        in_force.adopt(world.archive, everything, "all.yaml", actor="admin")


def test_two_hundred_pasted_ids_are_exported_and_held(visit: Visit, world: World) -> None:
    """Five clicks: the box, the list as a file, the hold, its matter, and that it is to be."""
    names = [f"many-{number:03}" for number in range(200)]
    model = {**world.row(world.calm)._asdict(), "interaction_date": datetime(2020, 1, 1, tzinfo=UTC), "parties": []}
    named = [{**model, "interaction_id": each, "recording_id": each, "key": f"many/{each}"} for each in names]
    with world.archive.catalog.write() as connection:
        connection.execute(insert(recordings), named)
    page, clicks = visit.go(""), 0
    page.locator("#q").click()
    page.locator("#q").fill("\n".join(names))
    page.keyboard.press("Enter")
    expect(page.get_by_text("200 of 200 ids")).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    listed = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert all(each in listed for each in names)
    page.get_by_role("link", name="Hold…").first.click()
    expect(page.locator(".card", has_text="held now").locator("strong")).to_have_text("200")
    page.get_by_label("Matter").click()
    page.keyboard.type("Many v. Held")
    page.get_by_label("Reason").fill("letter")
    page.get_by_role("button", name="Put on hold").click()
    expect(page.get_by_text("The hold is in force.")).to_be_visible()
    clicks += 5
    assert clicks <= 5


def test_signed_out_there_is_a_way_in(browser: Browser, world: World) -> None:
    """Without a session the page says so, in our style, and leads through Airflow's login back to itself."""
    context = new_context(browser, None)
    page = context.new_page()
    page.goto(f"{world.site.url}/archive/?agent=A%26B&from=2026-11-01")
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    shoot(page, "signed-out-light")
    page.get_by_role("link", name="Sign in").click()
    page.fill("input[name=username]", "viewer")
    page.fill("input[name=password]", "viewer")
    page.click("button[type=submit]")
    expect(page.get_by_label("Agent, name or id")).to_have_value("A&B")
    expect(page.locator("#from")).to_have_value("2026-11-01")
    context.close()
