"""The program of docs/guides/django.md, as it is printed there, in a Django site."""

import json
import os

from tests.acceptance.conftest import Site
from tests.support.guides import GUIDES, ROOT, save
from worker.mongo.client import MongoHandle

DJANGO_SITE = """
import json
import os

import django
from django.conf import settings

settings.configure(ROOT_URLCONF="registry_views", ALLOWED_HOSTS=["testserver"], SECRET_KEY="for a test")
django.setup()
from django.test import Client

client = Client()
record = {"hospital_name": "Sunrise Clinic", "source": "hr", "external_id": "42"}
body = {"record": record, "reason": "licence 4711"}
for given in (body, body, {**body, "reason": "another"}, {**body, "record": {"hospital_name": ""}}, {}, []):
    answer = client.post(
        "/registrations", given, content_type="application/json", REMOTE_USER="dr-ito", HTTP_IDEMPOTENCY_KEY="hr-42"
    )
    print(answer.status_code, json.dumps(answer.json()))

import registry_views
from worker.contract import REGISTER_HOSPITAL

registry_views.producer.receipt(REGISTER_HOSPITAL, "register_hospital:hr-42").outcome(timeout=20)
print(json.dumps(client.get("/jobs/register_hospital:hr-42").json()))

from producers import SyncHospitalProducer
from producers.testing import RecordingProducer

os.environ["REDIS_URL"] = "redis://127.0.0.1:1"
registry_views.producer = SyncHospitalProducer.connect(lazy=True, patience=0.1)
answer = client.get("/jobs/register_hospital:hr-42")
print(answer.status_code, answer.headers.get("Retry-After"))

recording = RecordingProducer()
recording.bound_queues({"arq:queue": 1})
registry_views.producer = SyncHospitalProducer(recording)
for key in ("one", "two"):
    answer = client.post(
        "/registrations", body, content_type="application/json", REMOTE_USER="dr-ito", HTTP_IDEMPOTENCY_KEY=key
    )
    print(answer.status_code, answer.headers.get("Retry-After"))
"""


async def test_the_django_site_registers(site: Site, registry: MongoHandle) -> None:
    save(GUIDES / "django.md", site.folder)
    (site.folder / "visit.py").write_text(DJANGO_SITE)
    await site.worker()

    visited = await site.run("visit", PYTHONPATH=os.pathsep.join((str(ROOT), str(site.folder))))
    # Django logs each refused request.
    assert visited.code == 0, visited.err
    first, again, used, invalid, empty, a_list, job, without_redis, *with_room_for_one = visited.out.splitlines()
    assert first == '202 {"job": "register_hospital:hr-42", "state": "new"}'
    assert again.startswith("202 ")
    assert used.startswith('409 {"problems": ["register_hospital:hr-42 was enqueued with another payload')
    assert invalid.startswith('422 {"problems": ["hospital_name: ')
    assert empty.startswith("400 ")
    assert a_list == empty
    assert json.loads(job)["outcome"]["status"] == "registered"
    assert without_redis == "503 5"
    assert with_room_for_one == ["202 None", "429 1"]
    entry = await registry.logs.find_one({"hospital_id": "hr:42"})
    assert entry is not None
    assert (entry["actor"], entry["reason"]) == ("dr-ito", "licence 4711")
