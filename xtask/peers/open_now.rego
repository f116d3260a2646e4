# The calendar of releases is open.
package sluice.rules.open_now

now := time.parse_rfc3339_ns(input.now)

holds(interval) if {
	time.parse_rfc3339_ns(interval.from) <= now
	now < time.parse_rfc3339_ns(interval.until)
}

calendar := [calendar | some calendar in input.calendars; calendar.name == "releases"][0]

is_known if holds(calendar.windows.known)

is_open if {
	some interval in calendar.windows.open
	holds(interval)
}

is_frozen if {
	some freeze in calendar.windows.frozen
	holds(freeze.when)
}

findings contains {"verdict": "fault", "message": "the calendar is not known now"} if not is_known

findings contains {"verdict": "pass", "actual": input.now} if {
	is_known
	is_open
	not is_frozen
}

findings contains {"verdict": "deny", "message": "the calendar is closed", "actual": input.now} if {
	is_known
	not is_open
}

findings contains {"verdict": "deny", "message": "the calendar is closed", "actual": input.now} if {
	is_known
	is_frozen
}
