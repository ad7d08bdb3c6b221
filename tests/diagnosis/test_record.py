"""diagnosis/record.py: facts as a file, without secrets, and the recorded ones of this folder."""

from pathlib import Path

import pytest

from labkit.diagnosis import record, report
from labkit.errors import LabError
from tests.diagnosis.shapes import container, facts, pod, service
from tests.diagnosis.test_ranking import ALL

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.yaml"))
SECRETS = {
    "API_TOKEN": "s3cr3t",
    "PASSWORD": "hunter2",
    "URL": "https://me:hunter2@reg.corp/v2",
    "OTHER": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "PLAIN": "hf_" + "abcdefghijklmnopqrstuvwxyz",
    "RANDOM": "q7Zp" * 12,
}
KEPT = {"OLLAMA_HOST": "0.0.0.0:11434", "MODEL": "models.lab-system:5001/library/lab-llama"}


def test_no_secret_is_in_the_record_and_the_rest_is():
    one = container(env={**SECRETS, **KEPT})
    last = {"kubectl.kubernetes.io/last-applied-configuration": '{"PASSWORD":"hunter2"}'}
    made = pod(one, meta={"annotations": last, "managedFields": [{"manager": "kubectl"}]})
    log = "GET /?token=hunter2 Authorization: Bearer s3cr3t-s3cr3t\n"
    text = record.dump(facts(made, log=log))
    for value in ("s3cr3t", "hunter2", "eyJhbGci", "abcdefghijkl", "q7Zpq7Zp", "managedFields"):
        assert value not in text, value
    assert all(value in text for value in KEPT.values())
    assert "ollama-7cbf9c48bf-8rzzw" in text


@pytest.mark.parametrize("name", ALL)
def test_a_record_gets_the_diagnosis_of_what_was_recorded(name):
    given = ALL[name][1]
    again = record.load(record.dump(given))
    found = [one.id for one in report.of(again).found]
    assert found == [one.id for one in report.of(given).found]


@pytest.mark.parametrize("text", ["[", "a: 1", "pods: []\nlogs: 3", "[]"])
def test_what_are_no_facts_is_told_in_three_lines(text):
    with pytest.raises(LabError, match="these are not recorded facts"):
        record.load(text)


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_a_recorded_namespace_gets_the_names_in_its_files_first_line(file):
    first = file.read_text().splitlines()[0]
    wanted = first.removeprefix("# expected:").split()
    assert [one.id for one in report.of(record.read(file)).found] == wanted


def test_there_are_recorded_namespaces():
    assert len(RECORDED) >= 3


def test_a_service_is_recorded_as_it_is():
    again = record.load(record.dump(facts(services=[service()])))
    assert again.services == [service()]
