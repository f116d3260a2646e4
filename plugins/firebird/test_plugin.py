import json
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "sdk-python"))

from harness import flatten, play  # noqa: E402
from plugin import FAMILY  # noqa: E402


class Firebird(unittest.TestCase):
    def setUp(self):
        self.example = json.loads((HERE / "example/stock.json").read_text())

    def test_the_example_comes_out_as_expected(self):
        expected = self.example["expected"]
        expected["options"] = flatten(expected["options"])
        self.assertEqual(play(FAMILY, self.example), expected)

    def test_an_administrator_is_known_by_account_and_by_role(self):
        for account, role, privileged in [("Sysdba", "", True), ("app", "rdb$admin", True), ("app", "READER", False)]:
            self.example["binding"].update(username=account, role=role)
            played = play(FAMILY, self.example)
            told = (played["traits"]["privileged"], "account.privileged" in played["notes"])
            self.assertEqual(told, (privileged, privileged), (account, role))

    def test_the_host_of_another_environment_is_never_used(self):
        del self.example["binding"]["host"]
        failure = {"tag": "incomplete", "val": ["/host"]}
        self.assertEqual(play(FAMILY, self.example), {"failure": failure})


if __name__ == "__main__":
    unittest.main()
