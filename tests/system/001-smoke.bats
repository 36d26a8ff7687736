#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# If these fail, look at nothing else.

load helpers

one_worker() {
	config <<-'EOF'
		supervisor: root
		children:
		  - worker: tick
		    command: [ticker, "100"]
	EOF
}

@test "supd -n prints the tree and exits 0" {
	one_worker
	run timeout 20 "$SUPD" -n -c "$T/supd.yaml"
	assert_success
	assert_output --partial "worker: tick"
}

@test "supd --schema prints the schema for editors" {
	run timeout 20 "$SUPD" --schema
	assert_success
	[ "$(jq -r .definitions.worker.properties.restart.default \
		<<<"$output")" = permanent ]
}

@test "a broken configuration is told with its place, exit 78" {
	config <<-'EOF'
		supervisor: root
		strategy: one_for_al
		children: []
	EOF
	run timeout 20 "$SUPD" -c "$T/supd.yaml" -s "$SUPD_SOCKET"
	assert_failure 78
	assert_output --partial "supd.yaml:2:11: error:"
	assert_output --partial 'did you mean "one_for_all"?'
}

@test "no supd: supctl says so at once, exit 6" {
	local before
	before=$(now_us)
	run_supctl 6 status
	(($(now_us) - before < 3000000))
}

@test "it comes up, shows its tree, and ends with 0 and nothing left" {
	one_worker
	start_supd
	wait_node root/tick state ready
	run_supctl status -t
	assert_output --partial tick
	assert_node root state up
	assert_node root/tick restarts 0
	local pid
	pid=$(pid_of root/tick)
	alive "$pid"
	stop_supd
	[ "$SUPD_RC" -eq 0 ]
	gone "$pid"
}

@test "a worker that is killed is started again" {
	one_worker
	start_supd
	wait_node root/tick state ready
	local pid
	pid=$(pid_of root/tick)
	kill -KILL "$pid"
	wait_restarted root/tick 1
	assert_node root/tick incarnation 2
	assert_node root/tick restarts 1
	gone "$pid"
	run_supctl why tick
	assert_output --partial SIGKILL
}

@test "supctl shutdown ends it" {
	one_worker
	start_supd
	run_supctl shutdown
	wait_supd
	[ "$SUPD_RC" -eq 0 ]
}

@test "a second supd in the same directory is refused, exit 75" {
	one_worker
	start_supd
	run timeout 20 "$SUPD" -c "$T/supd.yaml" -s "$SUPD_SOCKET"
	assert_failure 75
	assert_output --partial "already running"
	run_supctl ping
}

@test "its processes have titles" {
	one_worker
	start_supd
	local keeper
	keeper=$(keeper_pid)
	grep -q '^supd: keeper' "/proc/$keeper/cmdline"
	for role in engine bus logger; do
		wait_until 5 has_child_titled "$keeper" "supd: $role"
	done
}

has_child_titled() {
	local p pids
	read -ra pids <"/proc/$1/task/$1/children" || true
	for p in "${pids[@]}"; do
		tr '\0' ' ' <"/proc/$p/cmdline" | grep -q "^$2" && return 0
	done
	return 1
}
