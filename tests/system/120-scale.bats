#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Many workers and many deaths: nothing is lost, nothing leaks.

load helpers

# many N COMMAND [KEYS]
many() {
	config <<EOF
supervisor: root
intensity: 100000
period: 1s
children:
  - worker: w
    instances: $1
    command: $2
    ${3:-description: nothing else}
  - {worker: last, command: [mole, sleep]}
EOF
}

# How many fds the four processes of supd have.
fds() {
	local p
	for p in $(keeper_pid) $(pgrep -P "$(keeper_pid)" -f '^supd: '); do
		find "/proc/$p/fd" -mindepth 1
	done | wc -l
}

fds_are() {
	[ "$(fds)" -le "$1" ]
}

# sum KEY: over all workers.
sum() {
	timeout -k 5 30 "$SUPCTL" --json status |
		jq "map(select(.type == \"worker\") | .$1) | add"
}

sum_is_from() {
	[ "$(sum "$1")" -ge "$2" ]
}

all_ready() {
	timeout -k 5 30 "$SUPCTL" --json status |
		jq -e 'all(.type != "worker" or .state == "ready")'
}

@test "300 workers start, 100 die at once, all come back" {
	many 300 '[mole, sleep]'
	start_supd
	wait_node last state ready 60
	before=$(fds)
	timeout 30 "$SUPCTL" --json status | jq '.[1:101][].pid' |
		xargs kill -KILL
	wait_until 60 sum_is_from restarts 100
	wait_until 60 all_ready
	assert_equal "$(sum restarts)" 100
	assert_equal "$(sum incarnation)" 401
	wait_until "$PATIENCE" fds_are "$before"
	stop_supd 60
	assert_equal "$SUPD_RC" 0
}

@test "300 workers that notify: no READY=1 is lost" {
	many 300 '[notifier, "0"]' 'ready: notify'
	start_supd
	wait_node last state ready 90
	assert_equal "$(sum restarts)" 0
}

@test "50 workers that end at once: each end is counted, nothing leaks" {
	many 50 '[mole, exit, "1"]'
	start_supd
	wait_node last state ready 60
	wait_until 60 sum_is_from restarts 500
	before=$(fds)
	kill -KILL "$(pid_of last)"
	wait_restarted last 1
	wait_until 60 sum_is_from restarts 2000
	run_supctl stop --timeout 30s 'w*'
	# Each incarnation but the first is a restart.
	assert_equal "$(sum incarnation)" $(($(sum restarts) + 51))
	wait_until "$PATIENCE" fds_are "$before"
}
