# The ten rules together, as Sluice takes them: each with its worst verdict, and what all come to.
package sluice

decision := {"allowed": allowed, "gates": gates}

gates[name] := {"verdict": worst(findings), "findings": findings} if {
	some name
	findings := data.sluice.rules[name].findings
}

default allowed := false

allowed if {
	every gate in gates {
		gate.verdict == "pass"
	}
}

worst(findings) := verdict if {
	some verdict in ["fault", "deny", "undecided", "pass"]
	some finding in findings
	finding.verdict == verdict
	not worse(findings, verdict)
}

worse(findings, verdict) if {
	some finding in findings
	order[finding.verdict] > order[verdict]
}

order := {"pass": 0, "undecided": 1, "deny": 2, "fault": 3}
