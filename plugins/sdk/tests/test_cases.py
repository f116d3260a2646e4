"""The cases that the SDKs of all languages play: what one makes of them, all do."""

import json
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "sdk-python"))

from harness import flatten, play  # noqa: E402
from sluice import (  # noqa: E402
    Family,
    Kind,
    Traits,
    choice,
    fixed,
    needed_when,
    owned,
    per_environment,
    place,
    secret,
    unless,
    url_secret,
)

OPTIONS = [
    unless("url", place("host", "text", "")),
    place("port", "number", ""),
    place("url", "url", ""),
    owned("user", "text", ""),
    owned("auth/user", "text", ""),
    per_environment(fixed("ssl", "flag", "")),
    choice("mode", ["fast", "safe"], ""),
    owned("labels", "list-of-pairs", ""),
    owned("extra", "json", ""),
    fixed("fixedJson", "json", ""),
    fixed("pageSize", "number", ""),
]
SLOTS = [
    needed_when("mode", ["safe"], secret("password", "password", "")),
    secret("token", "token", ""),
    url_secret("url-password", "url", ""),
]
FAMILY = Family([Kind(platform, "case", OPTIONS, SLOTS) for platform in ("tooljet", "lowcoder")], lambda options: Traits())


class Cases(unittest.TestCase):
    def test_the_cases_of_all_languages_come_out_as_expected(self):
        for case in json.loads((HERE / "cases.json").read_text()):
            with self.subTest(case["title"]):
                expected = case["expected"]
                played = play(FAMILY, case)
                played.pop("traits", None)
                if "options" in expected:
                    expected["options"] = flatten(expected["options"])
                    played["notes"].sort()
                self.assertEqual(played, expected)


if __name__ == "__main__":
    unittest.main()
