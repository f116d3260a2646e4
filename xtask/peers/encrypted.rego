# Connections are encrypted; where the plugin cannot tell, nobody can.
package sluice.rules.encrypted

known(source) if source.tls != null

unknown := count([source | some source in input.plan.sources; not known(source)])

open := [source | some source in input.plan.sources; source.tls == false]

findings contains {"verdict": "deny", "message": sprintf("the connection of \"%s\" is not encrypted", [source.name]), "actual": false, "expected": true, "object": source.id} if {
	some source in open
}

findings contains {"verdict": "undecided", "message": sprintf("whether the connections of %d data sources are encrypted", [unknown])} if unknown > 0

findings contains {"verdict": "pass", "actual": count(input.plan.sources)} if {
	unknown == 0
	count(open) == 0
}
