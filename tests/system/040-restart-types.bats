#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Restart type x way of ending (table 1.3), on real exit codes and signals.

load helpers
load story

# one TYPE COMMAND-LIST [KEYS]: a tree with one worker of interest.
one() {
	config <<EOF
supervisor: root
intensity: 1000
period: 60s
children:
  - worker: w
    command: $2
    restart: $1
    ${3:-description: nothing else}
  - {worker: quiet, command: [mole, sleep]}
EOF
	start_supd
}

@test "permanent is restarted after exit 0" {
	one permanent '[mole, exit, "0", "200"]'
	wait_restarted w 1
	assert_node w last_exit "exit 0"
}

@test "permanent is restarted after exit 3 and after a signal" {
	one permanent '[mole, exit, "3", "200"]'
	wait_restarted w 1
	assert_node w last_exit "exit 3"
}

@test "permanent is restarted after a foreign SIGTERM" {
	one permanent '[mole, sleep]'
	wait_node w state ready
	kill -TERM "$(pid_of w)"
	wait_restarted w 1
}

@test "transient stays down after exit 0" {
	one transient '[mole, exit, "0", "200"]'
	wait_node w state stopped
	assert_node w last_exit "exit 0"
	assert_node w restarts 0
}

@test "transient stays down after a foreign SIGTERM (D4)" {
	one transient '[mole, sleep]'
	wait_node w state ready
	kill -TERM "$(pid_of w)"
	wait_node w state stopped
	assert_node w restarts 0
}

@test "transient is restarted after exit 1" {
	one transient '[mole, exit, "1", "200"]'
	wait_restarted w 1
}

@test "transient is restarted after SIGSEGV" {
	one transient '[mole, signal, "11", "200"]'
	wait_restarted w 1
	run_supctl --json status w
	assert_output --partial SIGSEGV
}

@test "success_exit makes other codes and signals clean" {
	one transient '[mole, exit, "3", "200"]' 'success_exit: [0, "2-4", USR1]'
	wait_node w state stopped
	assert_node w restarts 0
}

@test "fatal_exit is never restarted, not even permanent" {
	one permanent '[mole, exit, "78", "200"]' 'fatal_exit: [78]'
	wait_node w state stopped
	assert_node w restarts 0
	run_supctl why w
	assert_output --partial "78"
}

@test "temporary is forgotten, however it ends" {
	one temporary '[mole, exit, "1", "300"]'
	wait_until "$PATIENCE" not timeout 5 "$SUPCTL" -q show w
	run_supctl 4 show w
	assert_node root used 0
}

@test "enabled: false is not started, and its siblings are" {
	one permanent '[mole, sleep]' 'enabled: false'
	wait_node quiet state ready
	assert_node w state stopped
	assert_node w pid null
}

@test "instances are workers of their own" {
	config <<-'EOF'
	supervisor: root
	children:
	  - worker: w
	    instances: 3
	    command: [sh, -c, 'echo "I am $SUPD_INSTANCE of ${instance}"; exec mole sleep']
	EOF
	sed -i 's/\$SUPD_INSTANCE/$$SUPD_INSTANCE/' "$T/supd.yaml"
	start_supd
	wait_node w.3 state ready
	remember
	wait_until "$PATIENCE" log_has root/w.2 "I am 2 of 2"
	kill -KILL "$(pid_of w.2)"
	wait_restarted w.2 1
	assert_kept_pid w.1 w.3
}
