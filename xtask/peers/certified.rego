# Every plugin that rendered something is certified now, and a publisher signed it.
package sluice.rules.certified

now := time.parse_rfc3339_ns(input.now)

is_certified(plugin) if {
	not plugin.is_revoked
	now < time.parse_rfc3339_ns(plugin.certified_until)
}

open := count([plugin | some plugin in input.plugins; not is_certified(plugin)])

unsigned := count([plugin | some plugin in input.plugins; not plugin.publisher])

findings contains {"verdict": "pass", "actual": count(input.plugins)} if open + unsigned == 0

findings contains {"verdict": "deny", "message": sprintf("%d plugins are not certified, %d not signed", [open, unsigned]), "actual": [open, unsigned]} if open + unsigned > 0
