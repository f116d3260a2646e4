# No data source is deleted or left out.
package sluice.rules.sources_kept

lost := [change |
	some change in input.plan.changes
	change.kind == "data-source"
	change.action in {"delete", "skip"}
]

findings contains {"verdict": "deny", "message": sprintf("the data source \"%s\" would be lost", [change.name]), "actual": change.action, "object": change.object} if {
	some change in lost
}

findings contains {"verdict": "pass", "actual": 0} if count(lost) == 0
