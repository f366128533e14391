"""Builds the component, and runs it on the sample events, as a host would."""

import json
import subprocess
import unittest
from pathlib import Path

PROJECT = Path(__file__).parent


def outcomes(*names):
    """What comes of each of these events: {"deliver": bodies}, {"skip": why} or {"park": why}."""
    events = ",".join((PROJECT / "events" / f"{name}.json").read_text("utf-8") for name in names)
    # All in one run, since each run compiles the component.
    command = ["hookmill", "plugin", "run", "{{name}}.wasm", "--json", "--event", "-"]
    run = subprocess.run(command, cwd=PROJECT, input=f"[{events}]", capture_output=True, encoding="utf-8")
    lines = run.stdout.split("\n")[:-1]
    if len(lines) != len(names):
        raise AssertionError(run.stdout + run.stderr)
    return [outcome(json.loads(line)) for line in lines]


def outcome(told):
    bodies = [json.loads(request["body"]) for request in told["requests"]]
    return {told["outcome"]: told.get("reason", bodies)}


class AppTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run(["hookmill", "plugin", "build", "-o", "{{name}}.wasm"], cwd=PROJECT, check=True)
        cls.predict, cls.text = outcomes("document_predict", "document_text")

    def test_a_prediction_gives_its_total(self):
        self.assertEqual(self.predict, {"deliver": [{"document": "5e7a0daf255bf93741177061", "total": 152.11}]})

    def test_other_kinds_are_skipped(self):
        self.assertEqual(self.text, {"skip": "document_text has no total"})
