#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Each readiness mode holds the next sibling back until it comes true.

load helpers
load story

# gate KEYS COMMAND: `first` must be ready before `second` is started.
gate() {
	config <<EOF
supervisor: root
children:
  - worker: first
    command: $2
    $1
  - {worker: second, command: [mole, sleep]}
EOF
}

# until_told COMMAND: a command that begins when the file "go" is there.
until_told() {
	echo "[sh, -c, 'until [ -e $T/go ]; do sleep 0.05; done; exec $*']"
}

# The moments of two events in ns: first's ready, second's starting.
in_order() {
	timeout -k 5 30 "$SUPCTL" --json events -n 100 | jq -rse '
		(map(select(.path == "root/first" and .kind == "ready"))[0].seq) <
		(map(select(.path == "root/second" and .kind == "starting"))[0].seq)'
}

@test "exec: ready once the exec has succeeded" {
	gate 'ready: exec' '[mole, sleep]'
	start_supd
	wait_node second state ready
	in_order
}

@test "notify: ready when it says READY=1" {
	gate 'ready: notify' "$(until_told notifier 0)"
	start_supd
	wait_node first state starting
	assert_node second state stopped
	touch "$T/go"
	wait_node second state ready
	in_order
}

@test "notify_fd: ready when it writes a newline" {
	gate 'ready: {notify_fd: 5}' "$(until_told mole slow-start 0 5)"
	start_supd
	wait_node first state starting
	assert_node second state stopped
	touch "$T/go"
	wait_node second state ready
	in_order
}

@test "tcp: ready when it accepts a connection" {
	port=$(free_port)
	gate "ready: {tcp: \"127.0.0.1:$port\"}" "[web, \"$port\"]"
	start_supd
	wait_node second state ready
	in_order
}

@test "unix: ready when its socket accepts" {
	command -v redis-server >/dev/null
	gate "ready: {unix: $T/redis.sock}" \
		"[redis-server, --port, '0', --unixsocket, $T/redis.sock, --save, '']"
	start_supd
	wait_node second state ready
	in_order
}

@test "delay: ready after a time" {
	gate 'ready: {delay: 300ms}' '[mole, sleep]'
	start_supd
	wait_node second state ready
	in_order
}

@test "a start that takes too long is killed and fails the boot" {
	gate "ready: notify
    start_timeout: 500ms" '[mole, ignore-term]'
	launch_supd
	wait_supd
	assert_equal "$SUPD_RC" 70
	supd_log_has "first"
	supd_log_has "not ready"
}

@test "an end before it is ready is a start error, with its exit code" {
	gate 'ready: notify' '[mole, exit, "4", "100"]'
	launch_supd
	wait_supd
	assert_equal "$SUPD_RC" 70
	supd_log_has "exit 4"
}

@test "start_grace: an end soon after the exec is a start error" {
	gate 'start_grace: 5s' '[mole, exit, "0", "100"]'
	launch_supd
	wait_supd
	assert_equal "$SUPD_RC" 70
}

@test "start --wait tells what it waits for when time is over" {
	port=$(free_port)
	config <<EOF
supervisor: root
children:
  - worker: deaf
    command: [mole, sleep]
    enabled: true
    ready: {tcp: "127.0.0.1:$port"}
    start_timeout: 60s
EOF
	start_supd
	wait_node deaf state starting
	run_supctl 7 wait deaf --for ready --timeout 1s
	assert_regex "$stderr" "$port"
}
