# No secret, no data of people, and nothing of a lower environment goes along.
package sluice.rules.clean

secrets := count(input.scan.secrets)

personal := count(input.scan.personal_data)

left_over := count([value |
	some value in input.plan.still_pointing_at_source
	value.environment == input.transition.from.name
])

findings contains {"verdict": "deny", "message": sprintf("%d secrets, %d data of people, %d values left over", [secrets, personal, left_over]), "actual": [secrets, personal, left_over]} if (secrets + personal) + left_over > 0

findings contains {"verdict": "pass", "actual": 0} if (secrets + personal) + left_over == 0
