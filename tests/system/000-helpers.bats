#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The helpers themselves: a test that cannot fail is worth nothing.

load helpers

@test "wait_until returns once its condition is true" {
	( sleep 0.2; touch "$T/there" ) 3>&- &
	wait_until 10 test -e "$T/there"
	wait
}

@test "wait_until fails at its deadline and tells what for" {
	local before
	before=$(now_us)
	run wait_until 1 test -e "$T/never"
	assert_failure 1
	assert_output "timed out waiting for: test -e $T/never"
	(($(now_us) - before >= 1000000))
	(($(now_us) - before < 10000000))
}

@test "run_supctl fails when the exit code is another one" {
	SUPCTL=false
	run run_supctl ping
	assert_failure
	assert_output --partial "supctl exited with 1, not 0"
	run_supctl 1 ping
}

@test "a process left behind is found by its marker" {
	setsid sleep 300 3>&- &
	local pid=$!
	wait_until 10 grep -q "" "/proc/$pid/environ"
	run left_processes
	assert_output "$pid"
	kill -KILL "$pid"
	wait "$pid" || true
	run left_processes
	assert_output ""
}

@test "a process without the marker is found by its files" {
	env -i /bin/sleep 300 >"$T/out" 3>&- &
	local pid=$!
	wait_until 10 test -e "$T/out"
	run left_processes
	assert_output "$pid"
	kill -KILL "$pid"
	wait "$pid" || true
}

@test "sockets and FIFOs left behind are found" {
	mkdir "$T/r"
	mkfifo "$T/r/fifo"
	run left_files
	assert_output "$T/r/fifo"
	rm "$T/r/fifo"
}

@test "teardown fails a test that left a process, and ends it" {
	sleep 300 3>&- &
	local pid=$! t=$T
	run teardown_supd
	assert_failure
	assert_output --partial "left behind: $pid sleep 300"
	wait "$pid" || true
	assert_not_exist "$t"
	setup_supd
}
