#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Workers in Python and in C in one tree, and supctl, talk to each other.

load helpers
load story

setup() {
	setup_supd
	[ -n "${PYTHON:-}" ] || skip "no Python 3.11 with msgpack"
	PY="$PYTHON, $BATS_TEST_DIRNAME/../../workers/python"
	PYTHONPATH=$BATS_TEST_DIRNAME/../../libmsg/bindings/python
	PYTHONDONTWRITEBYTECODE=1
	export PYTHONPATH PYTHONDONTWRITEBYTECODE
}

@test "a counter in Python answers the operator as one in C does" {
	config <<-EOF
	supervisor: root
	intensity: 10
	children:
	  - {worker: c, command: [counter, c], ready: notify}
	  - {worker: py, command: [$PY/counter.py, py], ready: notify}
	  - {worker: tally, command: [$PY/tally.py, tally], ready: notify}
	EOF
	start_supd
	for name in c py tally; do
		wait_node $name state ready
		run_supctl call $name '["increment"]'
		assert_output 1
		run_supctl call $name '["increment"]'
		assert_output 2
		kill -KILL "$(pid_of $name)"
		wait_restarted $name 1
		run_supctl call $name '["value"]'
		assert_output 0
	done
	run_supctl 1 call py '["fly"]'
	run_supctl names
	assert_output --partial py
}

# play PING PONG: one of the two plays, is killed, and the other learns it.
play() {
	config <<-EOF
	supervisor: root
	intensity: 10
	period: 60s
	children:
	  - {worker: pong, command: [$2, pong], ready: notify}
	  - {worker: ping, command: [$1, ping, pong, "50"], ready: notify}
	EOF
	start_supd
	wait_node ping state ready
	wait_until "$PATIENCE" log_has root/ping "pong in"
	remember
	kill -KILL "$(pid_of pong)"
	wait_restarted pong 1
	wait_until "$PATIENCE" log_has root/ping DOWN
	assert_kept_pid ping
	had=$(grep -c "pong in" "$LOGS/root/ping.log")
	wait_until "$PATIENCE" more_pongs_than "$had"
}

more_pongs_than() {
	[ "$(grep -c "pong in" "$LOGS/root/ping.log")" -gt "$1" ]
}

@test "C plays with Python, which is killed" {
	play pingpong "$PY/pingpong.py"
}

@test "Python plays with C, which is killed" {
	play "$PY/pingpong.py" pingpong
}

@test "the tutorials' servers: keys, a cache that forgets, a limit of calls" {
	config <<-EOF
	supervisor: root
	children:
	  - {worker: kv, command: [$PY/kv.py], ready: notify}
	  - {worker: cache, command: [$PY/cache.py, cache, "500"], ready: notify}
	  - {worker: limit, command: [$PY/ratelimiter.py, limit, "3"], ready: notify}
	EOF
	start_supd
	wait_node limit state ready
	run_supctl call kv '["put", "a", [1, 2]]'
	run_supctl call kv '["get", "a"]'
	assert_output '[1,2]'
	run_supctl call kv '["set_state", {"b": 1}]'
	run_supctl call kv '["get", "a"]'
	assert_output null
	run_supctl call kv '["get_state"]'
	assert_output '{"b":1}'

	for key in 1 2 3 4 5; do
		run_supctl call cache "[\"put\", \"$key\", $key]"
	done
	run_supctl call cache '["put", "6", 6, 600000]'
	wait_until "$PATIENCE" cache_has 1
	run_supctl call cache '["get", "1"]'
	assert_output null
	run_supctl call cache '["get", "6"]'
	assert_output 6

	for answer in true true true false; do
		run_supctl call limit '["request", "me"]'
		assert_output "$answer"
	done
	run_supctl call limit '["request", "you"]'
	assert_output true
}

cache_has() {
	[ "$(timeout 10 "$SUPCTL" call cache '["size"]')" = "$1" ]
}

# messengers SERVER: users in C and in Python log on and talk.
messengers() {
	config <<-EOF
	supervisor: root
	strategy: rest_for_one
	intensity: 10
	children:
	  - {worker: server, command: [$1, server], ready: notify}
	  - {worker: ann, command: [messenger, user, ann], ready: notify}
	  - {worker: bob, command: [$PY/messenger.py, user, bob], ready: notify}
	EOF
	start_supd
	wait_node bob state ready
	run_supctl call ann '["tell", "bob", "hello"]'
	wait_until "$PATIENCE" log_has root/bob "Message from ann: hello"
	run_supctl call bob '["tell", "ann", "you too"]'
	wait_until "$PATIENCE" log_has root/ann "Message from bob: you too"
	run_supctl 1 call bob '["tell", "eve", "who?"]'
	kill -KILL "$(pid_of server)"
	wait_restarted bob 1
	run_supctl call ann '["tell", "bob", "again"]'
	wait_until "$PATIENCE" log_has root/bob "Message from ann: again"
}

@test "users in C and Python talk by a server in Python" {
	messengers "$PY/messenger.py"
}

@test "users in C and Python talk by a server in C" {
	messengers messenger
}

@test "a child is greeted and dies; a link takes along, or is trapped" {
	config <<-EOF
	supervisor: root
	intensity: 10
	period: 60s
	children:
	  - supervisor: pool
	    strategy: simple_one_for_one
	    template: {command: [$PY/greet.py, child], restart: temporary}
	  - supervisor: demos
	    defaults: {restart: temporary, allow: [pool]}
	    children:
	      - {worker: greet, command: [$PY/greet.py, greet, pool]}
	      - {worker: link, command: [$PY/greet.py, link, pool]}
	      - {worker: trap, command: [$PY/greet.py, trap, pool]}
	EOF
	start_supd
	wait_until "$PATIENCE" log_has root/demos/greet ": normal"
	wait_until "$PATIENCE" log_has root/demos/trap ": crashed"
	wait_until "$PATIENCE" supd_log_has "demos/link: crashed"
	assert_node demos/trap state ready
}

@test "an echo in asyncio answers many callers" {
	config <<-EOF
	supervisor: root
	children:
	  - {worker: echo, command: [$PY/echo.py], ready: notify}
	EOF
	start_supd
	wait_node echo state ready
	for i in 1 2 3 4 5 6 7 8; do
		timeout 30 "$SUPCTL" call echo "[\"x\", $i]" >"$T/out.$i" 3>&- &
	done
	wait_until "$PATIENCE" all_are_there
	for i in 1 2 3 4 5 6 7 8; do
		assert_equal "$(cat "$T/out.$i")" "[\"x\",$i]"
	done
}

all_are_there() {
	for i in 1 2 3 4 5 6 7 8; do
		[ -s "$T/out.$i" ] || return 1
	done
}
