import html
import json
import re

import pytest

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.dashboard.conftest import Page, form_of, plant_dead_letter, post, token_of
from tests.integration.monitoring.dashboard.test_acts import recorded
from worker.codec import Codec
from worker.contract import IngestHospital
from worker.queue import keys
from worker.queue.dead_letter_store import DeadLetterStore
from worker.queue.digests import call_digest

JOB = "ingest_hospital:1"
PHONE = "555-0100-secret"
RECORD = {"hospital_name": "Mercy", "source": "cms", "external_id": "1", "phone": PHONE}
PAYLOAD = {"record": RECORD}


@pytest.mark.parametrize(("role", "sees"), [("viewer", False), ("operator", True), ("auditor", True)])
async def test_a_payload_is_masked_for_a_viewer(planted: Planted, page: Page, role: str, *, sees: bool) -> None:
    await plant_dead_letter(planted, JOB, PAYLOAD)

    shown = (await (await page.log_in(role)).get("/dead/letter", params={"id": JOB})).text

    assert (PHONE in shown) == sees
    # The message of the error, which can repeat the payload.
    assert ("a patient" in shown) == sees
    assert "InvalidPayload" in shown
    assert "&#34;source&#34;: &#34;cms&#34;" in shown


async def test_dead_letters_are_listed_newest_first_page_by_page(planted: Planted, page: Page) -> None:
    for number in range(53):
        await plant_dead_letter(planted, f"job:{number:02}", {})
    browser = await page.log_in("viewer")

    first = (await browser.get("/dead")).text
    more = re.search(r'<a href="(/dead\?[^"]+)">Next page', first)
    assert more
    second = (await browser.get(html.unescape(more[1]))).text

    assert "53 in all" in first
    listed = [re.findall(r">(job:\d\d)</a>", text) for text in (first, second)]
    assert [len(jobs) for jobs in listed] == [50, 3]
    assert sorted(listed[0] + listed[1]) == [f"job:{number:02}" for number in range(53)]
    assert "Next page" not in second


async def test_the_next_page_leaves_nothing_out_if_its_first_entry_has_gone(planted: Planted, page: Page) -> None:
    await planted.redis.zadd(keys.DEAD_INDEX, {f"job:{number:03}": number for number in range(60)})
    await planted.redis.hset(keys.DEAD, mapping={f"job:{number:03}": "{}" for number in range(60)})
    browser = await page.log_in("viewer")
    more = re.search(r'<a href="(/dead\?[^"]+)">Next page', (await browser.get("/dead")).text)
    assert more

    await planted.redis.zrem(keys.DEAD_INDEX, "job:010")

    second = (await browser.get(html.unescape(more[1]))).text
    assert re.findall(r">(job:\d{3})</a>", second) == [f"job:{number:03}" for number in reversed(range(10))]


async def test_a_filter_chooses_by_function_and_error(planted: Planted, page: Page) -> None:
    await plant_dead_letter(planted, JOB, {})
    browser = await page.log_in("viewer")

    for filters, count in (
        ({"function": "ingest_hospital"}, 1),
        ({"error": "InvalidPayload", "function": " ingest_hospital "}, 1),
        ({"error": "ValueError"}, 0),
        ({"function": "other"}, 0),
    ):
        assert (await browser.get("/dead", params=filters)).text.count(f">{JOB}</a>") == count, filters


async def test_an_operator_retries_a_dead_letter(planted: Planted, page: Page) -> None:
    await plant_dead_letter(planted, JOB, PAYLOAD)
    browser = await page.log_in("operator")

    answer = await post(browser, "/dead/retry", JOB)

    shown = (await browser.get(answer.headers["location"])).text
    assert "The dead letter was retried" in shown
    assert "waits for a worker: none serves arq:queue" in shown
    assert not await planted.redis.hexists(keys.DEAD, JOB)
    assert (await planted.claim()).job_id == JOB.encode()
    assert "The dead letter was retried" not in (await browser.get(answer.headers["location"])).text


async def test_a_dead_letter_is_discarded_after_a_preview(planted: Planted, page: Page) -> None:
    await plant_dead_letter(planted, JOB, PAYLOAD)
    browser = await page.log_in("operator")

    preview = (await browser.get("/dead/discard", params={"id": JOB})).text
    assert "1 dead letter is deleted for good" in preview
    assert await planted.redis.hexists(keys.DEAD, JOB)
    await post(browser, "/dead/discard", JOB)

    assert not await planted.redis.hexists(keys.DEAD, JOB)
    assert "There are no dead letters." in (await browser.get("/dead")).text


async def test_a_payload_is_corrected_and_retried(planted: Planted, page: Page) -> None:
    await plant_dead_letter(planted, JOB, {**PAYLOAD, "wrong": 1}, id=JOB)
    browser = await page.log_in("operator")
    digest, call = form_of((await browser.get("/dead/edit", params={"id": JOB})).text)
    assert call == {"args": [{**PAYLOAD, "wrong": 1}], "kwargs": {}}

    corrected = json.dumps({"args": [PAYLOAD], "kwargs": {}})
    answer = await post(browser, "/dead/edit", JOB, arguments=corrected, digest=digest, reason="a typo")

    assert answer.status_code == 303
    acts = sorted(await recorded(planted), key=lambda action: action.at)
    assert [(action.act, action.reason) for action in acts] == [("edit", "a typo"), ("retry", "a typo")]
    job = await planted.claim()
    message = Codec().decode(job.payload)
    assert (job.job_id, message["a"], message["f"], message["id"]) == (
        JOB.encode(),
        [PAYLOAD],
        "ingest_hospital",
        JOB,
    )
    assert not await planted.redis.hexists(keys.DEAD, JOB)


@pytest.mark.parametrize("has_digest", [True, False])
async def test_a_correction_does_not_change_what_the_key_was_used_for(
    planted: Planted, page: Page, *, has_digest: bool
) -> None:
    asked = call_digest("ingest_hospital", IngestHospital.model_validate(PAYLOAD))
    await plant_dead_letter(planted, JOB, PAYLOAD)
    if has_digest:
        message = Codec().decode(await planted.redis.get(keys.DEAD_PAYLOAD + JOB))
        await planted.redis.set(keys.DEAD_PAYLOAD + JOB, Codec().encode({"d": asked, **message}))
    browser = await page.log_in("operator")
    digest, _ = form_of((await browser.get("/dead/edit", params={"id": JOB})).text)

    corrected = json.dumps({"args": [{"record": {"hospital_name": "Grace"}}], "kwargs": {}})
    await post(browser, "/dead/edit", JOB, arguments=corrected, digest=digest)

    job = await planted.claim()
    assert job.payload.startswith(b'{"v":1,"d":"' + asked.encode() + b'",')
    assert Codec().decode(job.payload)["a"][0]["record"] == {"hospital_name": "Grace"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("{", "not valid JSON"),
        ("[]", "expected an object with"),
        ('{"args": {}, "kwargs": {}}', "to be a list"),
        ('{"args": [], "kwargs": {}}', "exactly one element"),
        (json.dumps({"args": [{"record": RECORD, "wrong": PHONE}], "kwargs": {}}), "wrong: unknown field"),
    ],
)
async def test_an_invalid_correction_changes_nothing_and_says_what_is_wrong(
    planted: Planted, page: Page, arguments: str, problem: str
) -> None:
    await plant_dead_letter(planted, JOB, PAYLOAD)
    browser = await page.log_in("operator")
    before = await planted.redis.get(keys.DEAD_PAYLOAD + JOB)
    digest, _ = form_of((await browser.get("/dead/edit", params={"id": JOB})).text)

    answer = await post(browser, "/dead/edit", JOB, arguments=arguments, digest=digest, reason='a "typo"')

    assert answer.status_code == 422
    assert 'name="reason" maxlength="1000" value="a &#34;typo&#34;"' in answer.text
    assert problem in html.unescape(answer.text)
    assert await planted.redis.get(keys.DEAD_PAYLOAD + JOB) == before
    assert await planted.redis.hexists(keys.DEAD, JOB)


async def test_a_correction_of_what_somebody_else_has_changed_is_refused(planted: Planted, page: Page) -> None:
    await plant_dead_letter(planted, JOB, PAYLOAD)
    browser = await page.log_in("operator")
    digest, call = form_of((await browser.get("/dead/edit", params={"id": JOB})).text)
    theirs = Codec().encode({"t": None, "f": "ingest_hospital", "a": [1], "k": {}, "et": 1})
    await planted.redis.set(keys.DEAD_PAYLOAD + JOB, theirs)

    answer = await post(browser, "/dead/edit", JOB, arguments=json.dumps(call), digest=digest)

    assert answer.status_code == 409
    assert await planted.redis.get(keys.DEAD_PAYLOAD + JOB) == theirs


async def test_a_payload_that_is_not_a_message_is_not_editable(planted: Planted, page: Page) -> None:
    await plant_dead_letter(planted, JOB, PAYLOAD)
    await planted.redis.set(keys.DEAD_PAYLOAD + JOB, b"\x80\x04pickle")
    browser = await page.log_in("operator")

    assert "not readable: not a JSON envelope" in (await browser.get("/dead/letter", params={"id": JOB})).text
    answer = await browser.get("/dead/edit", params={"id": JOB})
    assert (answer.status_code, "cannot be edited" in answer.text) == (409, True)


HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e" + "x" * 900


async def test_foreign_text_is_escaped_and_bounded(planted: Planted, page: Page) -> None:
    await plant_dead_letter(planted, HOSTILE, {HOSTILE: HOSTILE})
    browser = await page.log_in("operator")

    for path in ("/dead", "/dead/letter", "/dead/discard", "/dead/edit", "/jobs"):
        shown = (await browser.get(path, params={"id": HOSTILE})).text
        assert "alert(1)" in shown, path
        for forbidden in ("<script>alert", "\x1b", "\u202e"):
            assert forbidden not in re.sub(r"<textarea.*</textarea>|<input[^>]*>", "", shown, flags=re.DOTALL), path
        assert "<script>alert" not in shown, path
    assert "more characters)" in (await browser.get("/dead")).text
    assert (await post(browser, "/dead/retry", HOSTILE)).status_code == 303
    assert (await planted.claim()).job_id == HOSTILE.encode()


@pytest.mark.parametrize("path", ["/dead/retry", "/dead/discard"])
async def test_a_job_that_has_died_anew_since_it_was_shown_is_not_acted_on(
    planted: Planted, page: Page, path: str
) -> None:
    await plant_dead_letter(planted, JOB, {})
    browser = await page.log_in("operator")
    shown = await browser.get("/dead/discard" if path == "/dead/discard" else "/dead/letter", params={"id": JOB})
    failed = re.search(r'name="failed" value="(\d+)"', shown.text)
    assert failed
    letter = await DeadLetterStore(planted.redis).get(JOB)
    later = letter.failure.model_copy(update={"at_ms": letter.failure.at_ms + 1})
    await planted.redis.hset(keys.DEAD, JOB, letter.model_copy(update={"failure": later}).stored())

    refused = await post(browser, path, JOB, failed=failed[1])

    assert (refused.status_code, "its job has failed again since" in refused.text) == (409, True)
    assert await planted.redis.hexists(keys.DEAD, JOB)
    assert not await planted.redis.exists(keys.ACTIONS)
    assert (await post(browser, path, JOB, failed=str(later.at_ms))).status_code == 303
    assert not await planted.redis.hexists(keys.DEAD, JOB)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("1" + "0" * 30, "a number has more than 64 bits"),
        (r'"\ud800"', "half a surrogate pair"),
        ("NaN", "not valid JSON"),
        ("-Infinity", "not valid JSON"),
    ],
)
async def test_what_no_job_can_have_is_refused_and_not_stored_as_something_else(
    planted: Planted, page: Page, value: str, problem: str
) -> None:
    await plant_dead_letter(planted, JOB, {}, f="geocode")
    browser = await page.log_in("operator")
    digest, _ = form_of((await browser.get("/dead/edit", params={"id": JOB})).text)
    text = f'{{"args": [], "kwargs": {{"beds": {value}}}}}'

    answer = await post(browser, "/dead/edit", JOB, arguments=text, digest=digest)

    assert (answer.status_code, problem in answer.text) == (422, True)
    assert await planted.redis.hexists(keys.DEAD, JOB)


async def test_a_job_of_this_service_takes_no_further_arguments(planted: Planted, page: Page) -> None:
    await plant_dead_letter(planted, JOB, {})
    browser = await page.log_in("operator")
    digest, _ = form_of((await browser.get("/dead/edit", params={"id": JOB})).text)
    call = {"args": [{"record": {"hospital_name": "Mercy"}}], "kwargs": {"on_existing": "merge"}}

    answer = await post(browser, "/dead/edit", JOB, arguments=json.dumps(call), digest=digest)

    assert (answer.status_code, "has exactly one element, the payload" in answer.text) == (422, True)
    assert await planted.redis.hexists(keys.DEAD, JOB)


@pytest.mark.parametrize(
    ("path", "done"), [("/dead/retry", "The dead letter was retried"), ("/dead/discard", "was discarded")]
)
async def test_a_second_click_does_nothing_and_says_what_the_first_has_done(
    planted: Planted, page: Page, path: str, done: str
) -> None:
    await plant_dead_letter(planted, JOB, {})
    browser = await page.log_in("operator")
    token = token_of(await browser.get("/dead"))

    answers = [await browser.post(path, params={"id": JOB}, data={"csrf": token}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(await recorded(planted)) == 1
    assert done in (await browser.get(answers[1].headers["location"])).text
    third = await browser.post(path, params={"id": JOB}, data={"csrf": token})
    assert "It is no dead letter any more" in (await browser.get(third.headers["location"])).text
