# Two distinct people who are not the plan's authors approved it in the last three days.
package sluice.rules.four_eyes

now := time.parse_rfc3339_ns(input.now)

ours := [{"person": approval.person, "age": now - time.parse_rfc3339_ns(approval.at)} |
	some approval in input.approvals
	approval.plan == input.plan.digest
	not approval.person in input.plan.authors
]

is_future if {
	some approval in ours
	approval.age < 0
}

people := {approval.person | some approval in ours; approval.age <= ((3 * 24) * 3600) * 1000000000}

findings contains {"verdict": "fault", "message": "an approval is dated after now"} if is_future

findings contains {"verdict": "pass", "actual": people, "expected": 2} if {
	not is_future
	count(people) >= 2
}

findings contains {"verdict": "undecided", "message": sprintf("%d more people must approve", [2 - count(people)])} if {
	not is_future
	count(people) < 2
}
