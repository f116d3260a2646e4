# Not more than four times as many objects change as in the median of this app's promotions that stand.
package sluice.rules.usual

past := sort([past.objects |
	some past in input.history
	past.kind == "promotion"
	past.environment == input.transition.to.name
	past.outcome == "done"
])

changed := count([1 | some change in input.plan.changes; change.action in {"create", "update", "delete"}])

median := past[floor((count(past) - 1) / 2)]

findings contains {"verdict": "pass", "actual": count(past), "expected": 3} if count(past) < 3

findings contains {"verdict": "deny", "message": sprintf("%d objects change, %d usually do", [changed, median]), "actual": changed, "expected": 4 * median} if {
	count(past) >= 3
	changed > 4 * median
}

findings contains {"verdict": "pass", "actual": changed, "expected": 4 * median} if {
	count(past) >= 3
	changed <= 4 * median
}
