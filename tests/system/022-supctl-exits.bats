#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# supctl as a script meets it: each exit code.

load helpers
load supctl-tree

# In the bus: a process of supd that answers no more, but is there.
bus_pid() {
	pgrep -P "$(keeper_pid)" -f '^supd: bus'
}

@test "a name that does not exist is 4, with a guess" {
	tree
	run_supctl 4 status web/ap
	[[ $stderr = *'did you mean "web/api"?'* ]]
	[ -z "$output" ]
	for verb in show why start stop restart kill remove is-up is-ready \
		is-failed wait logs; do
		run_supctl 4 "$verb" web/ap
	done
	run_supctl 4 call nobody '[]'
	run_supctl 4 add nowhere '{worker: x, command: [sleep, 10s]}'
	run_supctl 4 start 'nothing*'
}

@test "several targets are told in their order; one failure is the exit code" {
	tree
	run_supctl stop web/queue a
	assert_output $'web/queue: stopped\na: stopped'
	run_supctl 4 start a nosuch web/queue
	assert_line --index 0 --regexp '^a: ready, '
	assert_line --index 1 --regexp '^web/queue: ready, '
	# Of different failures: 1.
	run_supctl 1 stop nosuch root
}

@test "what does not become ready in time is 7, and says what it waits for" {
	tree
	run_supctl 7 add --timeout 300ms lab \
		'{worker: slow, command: [sleep, 1000s], ready: notify}'
	[[ $stderr = *'within 0.3s (starting, pid '*' alive)'* ]]
	[[ $stderr = *'waiting for: '* ]]
	run_supctl 7 wait --timeout 300ms --for down a
	run_supctl 7 wait --timeout 300ms --for ready lab/slow
}

@test "check judges a file without supd" {
	config <<<'supervisor: root'
	run_supctl check "$T/supd.yaml"
	assert_output --partial 'supd.yaml: ok, 1 supervisors, 0 workers'
	config <<<'supervisr: root'
	run_supctl 8 check "$T/supd.yaml"
	[[ $stderr = *'supd.yaml:1:1: error: '* ]]
	run_supctl 8 --json check "$T/supd.yaml"
	[ "$(jq .ok <<<"$output")" = false ]
	run_supctl 8 check "$T/nosuch.yaml"
}

@test "check --strict takes warnings for errors" {
	config <<'EOF'
supervisor: root
intensity: 3
period: 10s
children:
  - worker: once
    command: [echo, hello]
EOF
	run_supctl check "$T/supd.yaml"
	[[ $stderr = *'supd.yaml:6:14: warning: "echo" ends by itself'* ]]
	run_supctl 8 check --strict "$T/supd.yaml"
	config <<'EOF'
supervisor: root
intensity: 3
period: 10s
children:
  - worker: once
    command: [echo, hello]
    restart: transient
EOF
	run_supctl check --strict "$T/supd.yaml"
	[ "$stderr" = "" ]
}

@test "a wrong command line is 2, with the usage of its verb" {
	run_supctl 2 start
	[[ $stderr = *'usage: supctl start '* ]]
	run_supctl 2 frobnicate
	run_supctl 2 scale
	[[ $stderr = *'not supported yet'* ]]
	run_supctl 2 ping --timeout 10
	run_supctl 2 call a nojson
	run_supctl help start
	assert_line --index 0 --partial 'usage: supctl start'
	run_supctl help
	((${#lines[@]} <= 40))
}

@test "without supd every verb says so at once: 6" {
	local before
	for words in status list 'show a' 'why a' events 'logs a' names ping \
		'start a' 'stop a' 'restart a' 'kill a' 'add a b' 'remove a' \
		'is-up a' 'is-ready a' 'is-failed a' 'wait a' 'call a []' \
		shutdown 'events -f'; do
		before=$(now_us)
		# shellcheck disable=SC2086 # words
		run_supctl 6 $words
		[[ $stderr = "supctl: supd is not running (no $SUPD_SOCKET); start it"* ]]
		(($(now_us) - before < 5000000))
	done
	run_supctl version
	assert_output --partial 'not running'
}

@test "a socket that a killed supd left is 6, too" {
	MAY_LEAVE_FILES=1
	mkdir -p "$T/r"
	timeout 20 python3 -c 'import socket,sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$SUPD_SOCKET"
	run_supctl 6 ping
	[[ $stderr = *'nobody listens'* ]]
}

@test "another user is not permitted: 5" {
	[ "$(id -u)" -eq 0 ] || skip "only root can become somebody else"
	tree
	cp "$SUPCTL" "$T/supctl"
	chmod 755 "$T/supctl"
	chmod 711 "$T"
	stranger() {
		run --separate-stderr timeout 20 setpriv --reuid=65534 \
			--regid=65534 --clear-groups "$T/supctl" "$@"
		echo "$* -> $status: $stderr"
		[ "$status" -eq 5 ]
		[ -z "$output" ]
	}
	stranger status
	[[ $stderr = *'Permission denied'* ]]
	# Where he can reach the socket, supd itself refuses.
	chmod 755 "$T/r"
	chmod 666 "$SUPD_SOCKET"
	for words in ping status 'stop a' shutdown events names 'call a []'; do
		# shellcheck disable=SC2086 # words
		stranger $words
		[[ $stderr = *'not permitted'* ]]
	done
	run_supctl is-ready a
}

@test "a supd that does not answer meets the deadline: 7" {
	tree
	local bus before
	bus=$(bus_pid)
	kill -STOP "$bus"
	before=$(now_us)
	run_supctl 7 --timeout 300ms ping
	[[ $stderr = *'did not answer within 300ms'* ]]
	run_supctl 7 --timeout 300ms stop a
	(($(now_us) - before < 10000000))
	kill -CONT "$bus"
	run_supctl ping
}

@test "shutdown --wait returns when supd has ended" {
	tree
	local a keeper
	a=$(pid_of a)
	keeper=$(keeper_pid)
	run_supctl shutdown --wait --timeout 30s
	assert_output 'supd has ended'
	gone "$a"
	gone "$keeper"
	wait_supd
	[ "$SUPD_RC" -eq 0 ]
}
