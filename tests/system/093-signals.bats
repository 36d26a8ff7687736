#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Exit signals, links and declared reasons, on real processes.

load helpers
# shellcheck disable=SC2154 # bats sets stderr
load story

setup_ender() {
	PATH=$(dirname "$AUDITOR"):$PATH
}

@test "what a worker declares decides whether a transient one is restarted" {
	setup_ender
	config <<-'EOF'
	supervisor: root
	intensity: 10
	period: 60s
	defaults: {restart: transient, command: [ender], ready: notify}
	children:
	  - worker: leaver
	  - worker: crash
	EOF
	start_supd
	wait_node crash state ready
	run_supctl cast leaver '["exit", "shutdown: no more work"]'
	wait_node leaver state stopped
	assert_node leaver last_exit "shutdown: no more work"
	run_supctl cast crash '["exit", "out of cheese"]'
	wait_restarted crash 1
	assert_node crash last_exit "out of cheese"
	run_supctl why crash
	assert_output --partial "out of cheese"
	# A signal is a signal, whatever was said.
	kill -KILL "$(pid_of crash)"
	wait_restarted crash 2
	assert_node crash last_exit SIGKILL
}

@test "linked programs end together, whatever they are" {
	config <<-'EOF'
	supervisor: root
	intensity: 10
	period: 60s
	children:
	  - {worker: a, command: [mole, sleep], link: b}
	  - {worker: b, command: [mole, sleep]}
	  - {worker: c, command: [mole, sleep]}
	EOF
	start_supd
	wait_node c state ready
	remember
	kill -KILL "$(pid_of b)"
	wait_restarted a 1
	wait_restarted b 1
	assert_node a last_exit killed
	kill -SEGV "$(pid_of a)"
	wait_restarted b 2
	wait_restarted a 2
	assert_kept_pid c
	# Once each, and not for ever.
	assert_node a incarnation 3
	assert_node b incarnation 3
}

@test "a linked program that does not obey is killed" {
	config <<-'EOF'
	supervisor: root
	intensity: 10
	period: 60s
	children:
	  - {worker: a, command: [mole, ignore-term], link: [b], restart: temporary}
	  - {worker: b, command: [mole, sleep], restart: transient}
	EOF
	start_supd
	wait_node b state ready
	kill -SEGV "$(pid_of b)"
	wait_restarted b 1
	wait_until "$PATIENCE" supd_log_has "SIGKILL for an exit signal"
}

@test "who traps exits is told to stop, and who does not is signalled" {
	setup_ender
	config <<-'EOF'
	supervisor: root
	intensity: 10
	period: 60s
	children:
	  - {worker: traps, command: [ender, -t], ready: notify, shutdown: 30s}
	  - {worker: plain, command: [ender], ready: notify, shutdown: 30s}
	EOF
	start_supd
	wait_node plain state ready
	run_supctl stop traps plain
	wait_until "$PATIENCE" log_has root/traps "EXIT shutdown"
	run ! log_has root/plain EXIT
	assert_node traps last_exit stopped
	assert_node plain last_exit stopped
}

@test "names and monitors of the configuration, for any program" {
	setup_ender
	config <<-'EOF'
	supervisor: root
	intensity: 10
	period: 60s
	children:
	  - {worker: db, command: [mole, sleep], register: [store, cache]}
	  - {worker: watcher, command: [ender], ready: notify, monitor: store}
	EOF
	start_supd
	wait_node watcher state ready
	run_supctl names
	assert_output --partial store
	assert_output --partial cache
	kill -KILL "$(pid_of db)"
	wait_until "$PATIENCE" log_has root/watcher "DOWN killed"
	wait_restarted db 1
	kill -TERM "$(pid_of db)"
	wait_until "$PATIENCE" log_has root/watcher "DOWN shutdown"
	run_supctl names
	assert_output --partial store
}

@test "who says before it is ready that it does not want to run stays down" {
	setup_ender
	config <<-'EOF'
	supervisor: root
	strategy: one_for_all
	children:
	  - {worker: a, command: [mole, sleep]}
	  - {worker: no, command: [ender, -i], ready: notify}
	  - {worker: once, command: [ender, -i], ready: notify, restart: temporary}
	  - {worker: b, command: [mole, sleep]}
	EOF
	start_supd
	wait_node b state ready
	assert_node no state stopped
	assert_node no desired up
	assert_node no incarnation 1
	run_supctl 4 status once
	run_supctl status
	assert_line --regexp '^no +stopped .*does not want to run'
	run_supctl why no
	assert_output --partial "it does not want to run"
	run_supctl 1 start no
	[[ $stderr = *"does not want to run"* ]]
	# It is no failure, and a restart of all asks it again.
	kill -KILL "$(pid_of a)"
	wait_restarted b 1
	assert_node no state stopped
	assert_node no incarnation 3
	run ! supd_log_has "failed to start"
}
