# SPDX-License-Identifier: ISC
# usage: awk -f table.awk conformance.tsv TAP...
# Print tests/oracle/CONFORMANCE.md: the list of upstream cases with what the
# test run has found.  A problem of the list goes to standard error.

function complain(text) {
	print text >"/dev/stderr"
	bad = 1
}

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

BEGIN { FS = "\t" }

FNR == NR {
	if ($0 ~ /^#/)
		next
	if (NF != 6)
		complain(FILENAME ":" FNR ": " NF " fields")
	n++
	suite[n] = $1; name[n] = $2; verdict[n] = $3
	where[n] = $4; asserts[n] = $5; note[n] = $6
	n_verdict[$1, $3]++
	if (!($1 in n_suite))
		suites[++n_suites] = $1
	n_suite[$1]++
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
	print "| suite | cases | yes | adapted | no | tested here | pass |"
	print "|---|---|---|---|---|---|---|"
	for (s = 1; s <= n_suites; s++) {
		k = suites[s]
		printf "| %s | %d | %d | %d | %d | %d | %d |\n", k, n_suite[k],
		    n_verdict[k, "yes"], n_verdict[k, "adapted"],
		    n_verdict[k, "no"], n_ran[k], n_pass[k]
		t_n += n_suite[k]; t_yes += n_verdict[k, "yes"]
		t_ad += n_verdict[k, "adapted"]; t_no += n_verdict[k, "no"]
		t_ran += n_ran[k]; t_pass += n_pass[k]
	}
	printf "| **all** | %d | %d | %d | %d | %d | %d |\n", t_n, t_yes, t_ad,
	    t_no, t_ran, t_pass
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
