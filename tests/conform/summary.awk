# SPDX-License-Identifier: ISC
# What the tables of upstream cases have in common: awk -f summary.awk -f
# table.awk.  A table's own file reads the list and the results; it fills n_ran
# and n_pass for each suite.

# A problem of the list: on standard error, and the run fails.
function complain(text) {
	print text >"/dev/stderr"
	bad = 1
}

# One more case of the list.
function count_case(s, v) {
	n_verdict[s, v]++
	if (!(s in n_suite))
		suites[++n_suites] = s
	n_suite[s]++
}

# The table of the suites.
function put_summary(    s, k, t_n, t_yes, t_ad, t_no, t_ran, t_pass) {
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
}

BEGIN { FS = "\t" }
