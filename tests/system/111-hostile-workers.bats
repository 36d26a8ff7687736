#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Workers that mean harm (hostile.c), beside one that must not miss a call.

load helpers

# A counter, a quiet one, and what standard input says.
tree() {
	{
		cat <<-EOF
		supervisor: root
		intensity: 1000
		period: 1s
		children:
		  - {worker: counter, command: [counter], ready: notify}
		  - {worker: quiet, command: [mole, sleep]}
		EOF
		cat
	} | config
	start_supd
	wait_node quiet state ready
	COUNTER=$(pid_of counter)
	QUIET=$(pid_of quiet)
}

WAYS="line-noise line-truncated line-forged line-lengths line-names line-deaf
	pipe-noise pipe-truncated pipe-forged"

@test "beside ten hostile workers a counter misses no call" {
	for way in $WAYS; do
		echo "  - {worker: $way, command: [$HOSTILE, $way, counter]}"
	done >"$T/hostile"
	echo "  - {worker: again, command: [$HOSTILE, line-names, counter]}" \
		>>"$T/hostile"
	tree <"$T/hostile"
	for way in $WAYS; do
		wait_until 60 log_has "root/$way" "1000 times"
	done
	# They go on while it counts.
	run_supctl add root "{worker: auditor, command: [$AUDITOR, 3000]}"
	wait_until 100 log_has root/auditor "3000 calls, none missed"
	assert_node counter pid "$COUNTER"
	assert_node quiet pid "$QUIET"
	assert_node auditor restarts 0
	run_supctl call counter '["value"]'
	assert_output 3000
	run_supctl names
	refute_output --partial "name-5 "
	supd_log_has "malformed frame"
	refute supd_log_has "ended by signal"
}

# nanomsg 1.1.5 asserts on the first byte of a message (sipc.c).
@test "a wrong byte on a mailbox ends that worker only, and it is restarted" {
	tree <<-EOF
	  - {worker: evil, command: [$HOSTILE, pipe-abort, counter, "1"]}
	EOF
	wait_restarted counter 1
	assert_node counter last_exit SIGABRT
	run_supctl call counter '["increment"]'
	assert_output 1
	assert_node quiet pid "$QUIET"
	assert_node evil restarts 0
	run_supctl why counter
	assert_output --partial SIGABRT
}

@test "another user cannot reach a mailbox" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	tree </dev/null
	mailbox=$(find "$T/r/m/0" -type s)
	assert_equal "$(stat -c %a "$T/r/m/0")" 700
	# So that nothing but that directory is in its way.
	chmod 755 "$T" "$T/r" "$T/r/m"
	cp "$HOSTILE" "$T/hostile"
	run "$T/hostile" connect "$mailbox"
	assert_output connected
	run setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$T/hostile" connect "$mailbox"
	assert_failure
	assert_output --partial "Permission denied"
	run_supctl call counter '["increment"]'
	assert_node counter pid "$COUNTER"
}

@test "a hostile worker of another user harms no mailbox" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	chmod 755 "$T"
	cp "$HOSTILE" "$T/hostile"
	for way in $WAYS pipe-abort; do
		echo "  - {worker: $way, user: nobody," \
			"command: [$T/hostile, $way, counter, '2000']}"
	done >"$T/evil"
	tree <"$T/evil"
	for way in $WAYS pipe-abort; do
		wait_until 60 log_has "root/$way" "done"
	done
	run_supctl add root "{worker: auditor, command: [$AUDITOR, 1000]}"
	wait_until 60 log_has root/auditor "1000 calls, none missed"
	assert_node counter pid "$COUNTER"
}
