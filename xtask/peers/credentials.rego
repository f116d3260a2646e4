# Credentials were set in the last 90 days, and no other environment has them.
package sluice.rules.credentials

now := time.parse_rfc3339_ns(input.now)

ages := [age |
	some credential in input.plan.credentials
	age := now - time.parse_rfc3339_ns(credential.set_at)
]

unset := count(input.plan.credentials) - count(ages)

old := count([age | some age in ages; age > ((90 * 24) * 3600) * 1000000000])

reused := count([credential | some credential in input.plan.credentials; count(credential.shared_with) > 0])

is_future if {
	some age in ages
	age < 0
}

findings contains {"verdict": "fault", "message": "a credential is dated after now"} if is_future

findings contains {"verdict": "undecided", "message": sprintf("%d credentials have no value", [unset])} if unset > 0

findings contains {"verdict": "deny", "message": sprintf("%d credentials are old, %d are used elsewhere too", [old, reused]), "actual": [old, reused]} if old + reused > 0

findings contains {"verdict": "pass", "actual": count(input.plan.credentials)} if {
	not is_future
	(unset + old) + reused == 0
}
