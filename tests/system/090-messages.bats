#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The first words: names, calls, messages between workers, DOWN.

load helpers
load story

@test "a counter answers calls from the operator" {
	config <<-'EOF'
	supervisor: root
	children:
	  - {worker: counter, command: [counter], ready: notify}
	EOF
	start_supd
	wait_node counter state ready
	run_supctl call counter '["increment"]'
	assert_output 1
	run_supctl call counter '["increment"]'
	assert_output 2
	run_supctl call counter '["decrement"]'
	assert_output 1
	run_supctl call counter '["value"]'
	assert_output 1
	run_supctl 1 call counter '["fly"]'
	run_supctl 4 call nobody '["value"]'
	run_supctl names
	assert_output --partial counter
	# A new incarnation answers under the name, with its own state.
	kill -KILL "$(pid_of counter)"
	wait_restarted counter 1
	run_supctl call counter '["value"]'
	assert_output 0
}

@test "two workers talk over a pipe; one is killed, the other learns it" {
	config <<-'EOF'
	supervisor: root
	strategy: one_for_one
	intensity: 10
	period: 60s
	children:
	  - {worker: pong, command: [pingpong, pong], ready: notify}
	  - {worker: ping, command: [pingpong, ping, pong], ready: notify}
	EOF
	start_supd
	wait_node ping state ready
	wait_until "$PATIENCE" grep -qiE 'rtt|pong' "$LOGS/root/ping.log"
	remember
	kill -KILL "$(pid_of pong)"
	wait_restarted pong 1
	wait_until "$PATIENCE" log_has root/ping DOWN
	assert_kept_pid ping
	# It goes on with the new incarnation.
	had=$(wc -l <"$LOGS/root/ping.log")
	wait_until "$PATIENCE" more_lines_than "$had"
}

more_lines_than() {
	[ "$(wc -l <"$LOGS/root/ping.log")" -gt "$1" ]
}

@test "a call to a worker that dies over it fails with its reason" {
	config <<-'EOF'
	supervisor: root
	children:
	  - {worker: counter, command: [counter], ready: notify}
	EOF
	start_supd
	wait_node counter state ready
	kill -STOP "$(pid_of counter)"
	run_supctl 7 --timeout 500ms call counter '["value"]'
	timeout 30 "$SUPCTL" --timeout 20s call counter '["value"]' \
		>"$T/out" 2>&1 3>&- &
	caller=$!
	kill -KILL "$(pid_of counter)"
	rc=0
	wait "$caller" || rc=$?
	# Killed before or after the call arrived: told either way.
	[ "$rc" = 1 ] || [ "$rc" = 4 ] || [ "$rc" = 0 ]
	[ -s "$T/out" ]
}
