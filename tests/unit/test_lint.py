"""Each rule of the tests' own lint rejects bad samples and accepts similar good ones."""

import pytest

from tests.lint import check_dependencies, check_source

BAD = {
    "sleep": [
        "import time\ntime.sleep(0.1)",
        "async def wait():\n    await asyncio.sleep(2)",
        "from time import sleep\nPAUSE = 0.5\nsleep(PAUSE)",
    ],
    "no-assertion": [
        "def test_x():\n    run()",
        "async def test_x():\n    await run()",
        "class TestX:\n    def test_x(self):\n        pass",
    ],
    "skip": [
        "@pytest.mark.skip\ndef helper(): ...",
        "@pytest.mark.skipif(True)\ndef helper(): ...",
        "@pytest.mark.xfail(reason='')\ndef helper(): ...",
        "pytest.skip()",
        "@pytest.mark.xfail('win' in PLATFORM)\ndef helper(): ...",
        "pytest.importorskip('nicegui')",
    ],
    "key-space": [
        "client.flushdb()",
        "async def clean():\n    await client.flushall()",
        "client.keys('arq:*')",
        "async def look():\n    await client.keys()",
        "client.execute_command('FLUSHALL ASYNC')",
        "client.execute_command('keys', '*')",
    ],
    "port": [
        "connect(port=6379)",  # lint: allow port: the sample
        "connect('mongodb://localhost:27017/x')",  # lint: allow port: the sample
        "connect(f'redis://{host}:6379')",  # lint: allow port: the sample
    ],
    "reruns": ["@pytest.mark.flaky(reruns=3)\ndef helper(): ..."],
}

GOOD = [
    "async def wait():\n    await asyncio.sleep(0)\n    await asyncio.sleep(0.05)",
    "def test_x():\n    assert run()",
    "def test_x():\n    with pytest.raises(ValueError):\n        run()",
    "def test_x():\n    expect_outcome(run())",
    "class Machine(RuleBasedStateMachine): ...\nTestMachine = Machine.TestCase",
    "@pytest.mark.skipif(WINDOWS, reason='no Unix sockets')\ndef helper(): ...",
    "pytest.skip('no IPv6 on this machine')",
    "for name in mapping.keys(): use(name)",
    "connect(port=26379, text='a16379')",
    "time.sleep(1)  # lint: allow sleep: the frozen server must outlive the timeout",
]


@pytest.mark.parametrize(("rule", "source"), [(rule, source) for rule, many in BAD.items() for source in many])
def test_bad_sample_is_refused(rule: str, source: str) -> None:
    assert [finding.rule for finding in check_source(source, "sample.py")] == [rule]


@pytest.mark.parametrize("source", GOOD)
def test_good_sample_passes(source: str) -> None:
    assert check_source(source, "sample.py") == []


@pytest.mark.parametrize("comment", ["# lint: allow port: another rule", "# lint: allow sleep:"])
def test_exception_needs_its_rule_and_a_reason(comment: str) -> None:
    assert check_source(f"time.sleep(1)  {comment}", "sample.py") != []


@pytest.mark.parametrize("line", ["pytest-rerunfailures==15.0", "flaky==3.8", 'addopts = ["--reruns=2"]'])
def test_rerun_plugin_is_refused(line: str) -> None:
    findings = check_dependencies(f"pytest==9.0\n{line}\n", "requirements.lock")

    assert [(finding.line, finding.rule) for finding in findings] == [(2, "reruns")]
