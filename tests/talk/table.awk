# SPDX-License-Identifier: ISC
# usage: awk -f summary.awk -f table.awk conformance.tsv PROGRAM.tap...
# Print CONFORMANCE.md: the upstream cases that libmsg has counterparts of, with
# what the test run has found.  A case is called "NAME" or "SUITE: NAME" by its
# program.  A problem of the list goes to standard error.

function result(i,    key) {
	if (program[i] == "-")
		return "-"
	key = program[i] SUBSEP suite[i] ": " name[i]
	if (!(key in found))
		key = program[i] SUBSEP name[i]
	if (key in found) {
		asked[key] = 1
		return found[key]
	}
	complain("no test: " suite[i] ": " name[i])
	return "MISSING"
}

FNR == NR {
	if ($0 ~ /^#/)
		next
	if (NF != 6)
		complain(FILENAME ":" FNR ": " NF " fields")
	n++
	program[n] = $1; suite[n] = $2; name[n] = $3
	verdict[n] = $4; asserts[n] = $5; note[n] = $6
	count_case($2, $4)
	next
}

FNR == 1 {
	from = FILENAME
	sub(/.*\//, "", from)
	sub(/\.tap$/, "", from)
}

/^(not )?ok [0-9]+ - / {
	key = $0
	sub(/^(not )?ok [0-9]+ - /, "", key)
	found[from, key] = $0 ~ /^ok/ ? "pass" : "FAIL"
	next
}

END {
	for (i = 1; i <= n; i++) {
		if ((verdict[i] == "no") != (program[i] == "-"))
			complain("verdict and program disagree: " name[i])
		res[i] = result(i)
		n_ran[suite[i]] += res[i] != "-"
		n_pass[suite[i]] += res[i] == "pass"
	}
	# What names a suite must be in the list; the others are our own.
	for (key in found)
		for (s = 1; s <= n_suites; s++)
			if (index(key, SUBSEP suites[s] ": ") && !(key in asked))
				complain("the list does not know of: " key)

	print "# Conformance with Elixir's behaviours"
	print ""
	print "Every test case of the upstream suites that libmsg has a counterpart of, by its"
	print "upstream name. This table is made by the test run (`sh tests/run conformance`),"
	print "which fails when it is not what was found: workers of a real supd. **adapted**: the"
	print "same assertion in terms of operating system processes; **no**: what it tests exists"
	print "only in Erlang or Elixir."
	print ""
	put_summary()
	last = ""
	for (i = 1; i <= n; i++) {
		if (suite[i] != last) {
			printf "\n## %s\n\n", suite[i]
			print "| case | verdict | result | what must be so |"
			print "|---|---|---|---|"
			last = suite[i]
		}
		printf "| %s | %s | %s | %s%s |\n", name[i], verdict[i], res[i],
		    asserts[i], note[i] == "-" ? "" : " *(" note[i] ")*"
	}
	exit bad
}
