# The newest report of tests of this bundle, from where it comes from, has ten tests and no failure.
package sluice.rules.tested

now := time.parse_rfc3339_ns(input.now)

reports := [report |
	some statement in input.evidence
	tests := statement.payload.tests
	statement.bundle == input.plan.bundle
	statement.environment == input.transition.from.name
	statement.issuer.name != null
	claimed := time.parse_rfc3339_ns(statement.claimed_at)
	received := time.parse_rfc3339_ns(statement.received_at)
	report := {"tests": tests, "age": now - min([claimed, received]), "is_future": max([claimed, received]) > now}
]

is_future if {
	some report in reports
	report.is_future
}

youngest := min([report.age | some report in reports])

newest := [report.tests | some report in reports; report.age == youngest][0]

broken := newest.failed + newest.errors

is_good if {
	broken == 0
	newest.executed >= 10
	youngest <= ((7 * 24) * 3600) * 1000000000
}

findings contains {"verdict": "undecided", "message": sprintf("no report of tests of this bundle from %s", [input.transition.from.name])} if count(reports) == 0

findings contains {"verdict": "fault", "message": "a report is dated after now"} if is_future

findings contains {"verdict": "deny", "message": sprintf("%d tests ran, %d failed", [newest.executed, broken]), "actual": {"executed": newest.executed, "broken": broken}, "expected": {"executed": 10, "broken": 0}} if {
	count(reports) > 0
	not is_future
	not is_good
}

findings contains {"verdict": "pass", "actual": newest.executed, "expected": 10} if {
	not is_future
	is_good
}
