"""Tests of the plugin's own code, without WebAssembly: `python3 -m unittest discover test`."""

import json
import pathlib
import sys
import unittest

PROJECT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT / "src"), str(PROJECT / "sdk")]

from harness import flatten, play  # noqa: E402
from plugin import FAMILY  # noqa: E402


class Plugin(unittest.TestCase):
    def setUp(self):
        self.example = json.loads((PROJECT / "example/orders.json").read_text())

    def test_the_example_comes_out_as_expected(self):
        expected = self.example["expected"]
        expected["options"] = flatten(expected["options"])
        self.assertEqual(play(FAMILY, self.example), expected)

    def test_an_unverified_certificate_is_noted(self):
        self.example["binding"]["tls"] = "off"
        self.assertEqual(play(FAMILY, self.example)["notes"], ["tls.unverified"])

    def test_the_place_of_another_environment_is_never_used(self):
        del self.example["binding"]["url"]
        failure = {"tag": "incomplete", "val": ["/url"]}
        self.assertEqual(play(FAMILY, self.example), {"failure": failure})


if __name__ == "__main__":
    unittest.main()
