# No more than two objects that are not pages are deleted.
package sluice.rules.deletions

deleted := count([change |
	some change in input.plan.changes
	change.action == "delete"
	change.kind != "page"
])

findings contains {"verdict": "deny", "message": sprintf("%d objects would be deleted", [deleted]), "actual": deleted, "expected": 2} if deleted > 2

findings contains {"verdict": "pass", "actual": deleted, "expected": 2} if deleted <= 2
