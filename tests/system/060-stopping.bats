#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Every way to stop a worker, and that nothing is left of it.

load helpers
load story

one() {
	config <<EOF
supervisor: root
children:
  - worker: w
    command: $1
    ${2:-description: nothing else}
EOF
	start_supd
	wait_node w state ready
	# Ready is the exec; what it does about signals it says itself.
	[ -z "${3:-}" ] || armed root/w "$3"
}

# armed PATH TEXT: the worker has said that text.
armed() {
	wait_until "$PATIENCE" log_has "$1" "$2"
}

@test "SIGTERM, and an exit 0 in answer is a clean stop (D3)" {
	one '[mole, clean-after-term, "100"]' '' SIGTERM
	run_supctl stop w
	assert_node w state stopped
	assert_node w last_exit stopped
	assert_node w desired down
	run_supctl start w
	assert_node w state ready
	assert_node w desired up
}

@test "one that ignores SIGTERM is killed after its shutdown time" {
	one '[mole, ignore-term]' 'shutdown: 300ms' SIGTERM
	run_supctl stop w
	assert_node w state stopped
	assert_node w last_exit "killed by supd"
}

@test "brutal_kill asks no questions" {
	one '[mole, clean-after-term, "60000"]' 'shutdown: brutal_kill' SIGTERM
	run_supctl stop w
	assert_node w last_exit "killed by supd"
}

@test "shutdown: infinity waits as long as it takes" {
	one '[mole, clean-after-term, "1500"]' 'shutdown: infinity' SIGTERM
	run_supctl stop w
	assert_node w last_exit stopped
}

@test "stop_signal is the signal that is sent" {
	one '[sh, -c, "trap \"echo got it; exit 0\" USR2; echo armed; while :; do mole exit 0 50; done"]' \
		'stop_signal: USR2' armed
	run_supctl stop w
	assert_node w last_exit stopped
	wait_until "$PATIENCE" log_has root/w "got it"
}

@test "stop_sequence goes on to the next when one is not enough" {
	one '[sh, -c, "trap \"echo int\" INT; trap \"echo bye; exit 0\" TERM; echo armed; while :; do mole exit 0 50; done"]' \
		'stop_sequence: [INT 500ms, TERM 5s, KILL]' armed
	run_supctl stop w
	assert_node w last_exit stopped
	wait_until "$PATIENCE" log_has root/w bye
	log_has root/w int
}

@test "a worker that is stopped by SIGSTOP can be stopped" {
	one '[mole, sleep]'
	kill -STOP "$(pid_of w)"
	run_supctl stop w
	assert_node w last_exit stopped
}

@test "grandchildren that ignore SIGTERM do not outlive the group" {
	config <<EOF
supervisor: root
children:
  - worker: w
    command: [mole, fork-grandchildren, '3', $T/pids]
    restart: transient
EOF
	start_supd
	wait_node w state stopped
	while read -r p; do
		wait_until "$PATIENCE" gone "$p"
	done <"$T/pids"
}

@test "kill_mode process leaves the rest of the group alone" {
	config <<EOF
supervisor: root
children:
  - worker: w
    command: [mole, fork-grandchildren, '1', $T/pids]
    kill_mode: process
    restart: transient
EOF
	start_supd
	wait_node w state stopped
	p=$(cat "$T/pids")
	alive "$p"
	# supd is their subreaper: with it they go.
	stop_supd
	wait_until "$PATIENCE" gone "$p"
}

@test "children are stopped last first, each after the other is down" {
	config <<-'EOF'
	supervisor: root
	children:
	  - {worker: a, command: [mole, clean-after-term, "100"]}
	  - {worker: b, command: [mole, clean-after-term, "100"]}
	  - supervisor: sub
	    strategy: one_for_one
	    children:
	      - {worker: c, command: [mole, clean-after-term, "100"]}
	      - {worker: d, command: [mole, clean-after-term, "100"]}
	EOF
	start_supd
	wait_node root state up
	for w in a b sub/c sub/d; do
		armed "root/$w" SIGTERM
	done
	remember
	run_supctl stop sub
	assert_equal "$(story)" "stop d, stop c"
	# What is down may be stopped again, with its supervisor or alone.
	run_supctl stop sub
	run_supctl stop sub/c
	run_supctl start sub
	assert_node sub state up
	assert_node sub/d state ready
}

@test "a stop of supd ends all workers and exits 0" {
	one '[mole, clean-after-term, "200"]' '' SIGTERM
	p=$(pid_of w)
	stop_supd
	assert_equal "$SUPD_RC" 0
	gone "$p"
}

@test "a restart by hand gives a new process and clears the window" {
	one '[mole, sleep]'
	kill -KILL "$(pid_of w)"
	wait_restarted w 1
	assert_node root used 1
	old=$(pid_of w)
	run_supctl restart w
	assert_not_equal "$(pid_of w)" "$old"
	assert_node root used 0
}

@test "shutdown_deadline bounds the stop of a whole subtree" {
	config <<-'EOF'
	supervisor: root
	children:
	  - supervisor: sub
	    strategy: one_for_one
	    shutdown_deadline: 500ms
	    children:
	      - {worker: a, command: [mole, ignore-term], shutdown: 60s}
	      - {worker: b, command: [mole, ignore-term], shutdown: 60s}
	EOF
	start_supd
	wait_node root state up
	armed root/sub/a SIGTERM
	armed root/sub/b SIGTERM
	run_supctl stop --timeout 20s sub
	assert_node sub state stopped
}
