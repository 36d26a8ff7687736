#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Pauses between restarts, and giving up on one child: backoff, max_attempts.

load helpers
load story
load one

# kinds PATH: what has happened to it since remember().
kinds() {
	timeout -k 5 30 "$SUPCTL" --json events -n 1000 |
		jq -rs --arg p "root/$1" --argjson since "$SINCE" '
			map(select(.seq > $since and .path == $p) | .kind) | join(" ")'
}

@test "without backoff a restart is made at once, every time" {
	one
	for i in 1 2 3; do
		kill -KILL "$(pid_of w)"
		wait_restarted w "$i"
	done
	refute_regex "$(kinds w)" waiting
}

@test "the first restart is made at once, the next after a pause" {
	one 'backoff: {min: 1h, max: 1h, reset_after: 2h, jitter: 0%}'
	kill -KILL "$(pid_of w)"
	wait_restarted w 1
	kill -KILL "$(pid_of w)"
	wait_node w state waiting
	assert_node w pid null
	assert_regex "$(node w detail)" '^next try in (1h|59m)'
	assert_equal "$(kinds w)" \
		"exited starting ready exited waiting"
	assert_kept_pid quiet
	run_supctl status
	assert_output --partial "next try in"
}

@test "why tells of the pause" {
	one 'backoff: {min: 1h, max: 1h, reset_after: 2h, jitter: 0%}' '[mole, exit, "3", "100"]'
	wait_node w state waiting
	run_supctl why w
	assert_output --partial "exit 3"
	assert_output --partial "next try in"
	assert_output --partial "waiting 1h00m before it is tried again"
	run_supctl events
	assert_output --regexp "waiting +1h00m before it is tried again"
}

@test "a pause ends by itself and the worker comes back" {
	one 'backoff: {min: 300ms, max: 300ms}'
	kill -KILL "$(pid_of w)"
	wait_restarted w 1
	kill -KILL "$(pid_of w)"
	wait_restarted w 2
	assert_regex "$(kinds w)" 'exited waiting starting ready$'
}

@test "a manual start ends the pause, and begins a new row" {
	one 'backoff: {min: 1h, max: 1h, reset_after: 2h}'
	kill -KILL "$(pid_of w)"
	wait_restarted w 1
	kill -KILL "$(pid_of w)"
	wait_node w state waiting
	run_supctl start w
	assert_node w state ready
	# The first restart of the new row is made at once again.
	inc=$(inc_of w)
	kill -KILL "$(pid_of w)"
	wait_restarted w "$inc"
}

@test "a manual start that fails again says so at once" {
	one "backoff: {min: 1h, max: 1h, reset_after: 2h}
    ready: {notify_fd: 5}" \
		"[sh, -c, 'test -e $T/bad && exit 9; echo >&5; exec sleep 1000']"
	touch "$T/bad"
	kill -KILL "$(pid_of w)"
	wait_node w state waiting
	run_supctl 1 start --timeout 30s w
	assert_regex "$stderr" "exit 9 .*next try in"
	assert_node w state waiting
}

@test "a stopped worker's pause never ends in a start" {
	one 'backoff: {min: 500ms, max: 500ms}'
	kill -KILL "$(pid_of w)"
	wait_restarted w 1
	kill -KILL "$(pid_of w)"
	wait_node w state waiting
	run_supctl stop w
	assert_node w state stopped
	inc=$(inc_of w)
	# Twice the pause.
	wait_until "$PATIENCE" older_than w 1000000000
	assert_node w state stopped
	assert_equal "$(inc_of w)" "$inc"
}

@test "restart ends the pause as well" {
	one 'backoff: {min: 1h, max: 1h, reset_after: 2h}'
	kill -KILL "$(pid_of w)"
	wait_restarted w 1
	kill -KILL "$(pid_of w)"
	wait_node w state waiting
	run_supctl restart w
	assert_node w state ready
}

@test "supd stops at once while a worker waits" {
	one 'backoff: {min: 1h, max: 1h, reset_after: 2h}'
	kill -KILL "$(pid_of w)"
	wait_restarted w 1
	kill -KILL "$(pid_of w)"
	wait_node w state waiting
	stop_supd
	assert_equal "$SUPD_RC" 0
}

@test "max_attempts: one more and its supervisor gives up" {
	config <<-'EOF'
	supervisor: root
	intensity: 5
	period: 5s
	children:
	  - {worker: quiet, command: [mole, sleep]}
	  - supervisor: sub
	    intensity: 50
	    period: 5s
	    restart: temporary
	    children:
	      - {worker: w, command: [mole, sleep], max_attempts: 2}
	EOF
	start_supd
	wait_node root state up
	for i in 1 2; do
		kill -KILL "$(pid_of sub/w)"
		wait_restarted sub/w "$i"
	done
	kill -KILL "$(pid_of sub/w)"
	wait_until "$PATIENCE" supd_log_has "max_attempts"
	supd_log_has "w was restarted 2 times in a row"
	# A temporary supervisor that gave up is forgotten.
	wait_until "$PATIENCE" not "$SUPCTL" status sub
	assert_node quiet state ready
}

@test "with max_attempts, the detail counts" {
	one 'backoff: {min: 1h, max: 1h, reset_after: 2h}
    max_attempts: 5'
	kill -KILL "$(pid_of w)"
	wait_restarted w 1
	kill -KILL "$(pid_of w)"
	wait_node w state waiting
	assert_regex "$(node w detail)" 'attempt 2 of 5$'
}
