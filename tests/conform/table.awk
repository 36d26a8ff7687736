# SPDX-License-Identifier: ISC
# usage: awk -f summary.awk -f table.awk conformance.tsv TAP...
# Print tests/oracle/CONFORMANCE.md: the list of upstream cases with what the
# test run has found.  A problem of the list goes to standard error.

# What a rig has said of case i: pass, FAIL, MISSING, or "-" if it has no say.
function result(i, rig, want,    key, r) {
	key = suite[i] ": " name[i] " [" rig "]"
	r = key in found ? found[key] : "-"
	asked[key] = 1
	if (want && r == "-") {
		complain("no test: " key)
		return "MISSING"
	}
	if (!want && r != "-")
		complain("the list does not know of: " key)
	return r
}

FNR == NR {
	if ($0 ~ /^#/)
		next
	if (NF != 6)
		complain(FILENAME ":" FNR ": " NF " fields")
	n++
	suite[n] = $1; name[n] = $2; verdict[n] = $3
	where[n] = $4; asserts[n] = $5; note[n] = $6
	count_case($1, $3)
	next
}

/^(not )?ok [0-9]+ - / {
	key = $0
	sub(/^(not )?ok [0-9]+ - /, "", key)
	found[key] = $0 ~ /^ok/ ? "pass" : "FAIL"
}

END {
	for (i = 1; i <= n; i++) {
		w = where[i]
		on_core = w == "both" || w == "core"
		on_supd = w == "both" || w == "supd"
		if ((verdict[i] == "no") != (w == "-"))
			complain("verdict and place disagree: " name[i])
		core[i] = result(i, "core", on_core)
		supd[i] = result(i, "supd", on_supd)
		ran = core[i] != "-" || supd[i] != "-"
		ok = core[i] !~ /FAIL|MISSING/ && supd[i] !~ /FAIL|MISSING/
		n_ran[suite[i]] += ran
		n_pass[suite[i]] += ran && ok
	}
	for (key in found)
		if (!(key in asked))
			complain("the list does not know of: " key)

	print "# Conformance with OTP's and Elixir's supervisors"
	print ""
	print "Every test case of the three upstream suites, by its upstream name. This table is"
	print "made by the test run (`sh tests/run conformance`), which fails when it is not what"
	print "was found. *core*: the decisions, on a simulated machine. *supd*: the real supd,"
	print "supctl and worker processes. **adapted**: the same assertion in terms of operating"
	print "system processes; **no**: what it tests exists only in Erlang or Elixir."
	print ""
	print "Where supd differs on purpose: D3, an exit 0 in answer to a stop is `shutdown`; D12,"
	print "an unknown key of the configuration is an error and not ignored."
	print ""
	put_summary()
	last = ""
	for (i = 1; i <= n; i++) {
		if (suite[i] != last) {
			printf "\n## %s\n\n", suite[i]
			print "| case | verdict | core | supd | what must be so |"
			print "|---|---|---|---|---|"
			last = suite[i]
		}
		printf "| %s | %s | %s | %s | %s%s |\n", name[i], verdict[i],
		    core[i], supd[i], asserts[i],
		    note[i] == "-" ? "" : " *(" note[i] ")*"
	}
	exit bad
}
