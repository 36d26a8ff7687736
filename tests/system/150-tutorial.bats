#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What the tutorials build, each as a worker of a real supd.

load helpers

# tree WORKER...: each "NAME: COMMAND", restarted and quick to be ready.
tree() {
	{
		echo "supervisor: root"
		echo "intensity: 100"
		echo "period: 1s"
		echo "children:"
		for w; do
			echo "  - {worker: ${w%%:*}, command: [${w#*: }], ready: notify}"
		done
	} >"$T/supd.yaml"
	start_supd
	wait_node "${w%%:*}" state ready
}

# says NAME REQUEST ANSWER: a call is answered so.
says() {
	run_supctl call "$1" "$2"
	assert_output "$3"
}

answers() {
	[ "$(timeout 10 "$SUPCTL" call "$1" "$2")" = "$3" ]
}

@test "tally: state in a loop" {
	tree "tally: tally"
	says tally '["value"]' 0
	says tally '["increment"]' 1
	run_supctl send tally '["increment"]'
	run_supctl cast tally '["decrement"]'
	run_supctl send tally '["increment"]'
	says tally '["value"]' 2
	# What it does not know it drops, and goes on.
	run_supctl send tally '"noise"'
	says tally '["value"]' 2
}

@test "kv: put, get, delete, get_state, set_state" {
	tree "kv: kv"
	says kv '["get", "a"]' null
	says kv '["put", "a", 1]' null
	says kv '["put", "b", {"deep": [1, "two", null]}]' null
	says kv '["put", "a", "again"]' null
	says kv '["get", "a"]' '"again"'
	says kv '["get", "b"]' '{"deep":[1,"two",null]}'
	says kv '["delete", "a"]' null
	says kv '["get_state"]' '{"b":{"deep":[1,"two",null]}}'
	says kv '["set_state", {"x": 1, "y": 2}]' null
	says kv '["get", "b"]' null
	says kv '["get", "y"]' 2
	# All or nothing.
	run_supctl 1 call kv '["set_state", 7]'
	run_supctl 1 call kv '["put", 7, 7]'
	says kv '["get_state"]' '{"x":1,"y":2}'
}

@test "cache: five keys, and gone when their time is over" {
	tree "cache: cache"
	for i in 1 2 3 4 5; do
		says cache "[\"put\", \"k$i\", \"v$i\", 3000]" 3000
	done
	for i in 1 2 3 4 5; do
		says cache "[\"get\", \"k$i\"]" "\"v$i\""
	done
	says cache '["size"]' 5
	# One that is put again has its time anew.
	says cache '["put", "k3", "longer", 600000]' 600000
	wait_until "$PATIENCE" answers cache '["size"]' 1
	says cache '["get", "k1"]' null
	says cache '["get", "k3"]' '"longer"'
	says cache '["put", "k6", "v6"]' 60000
}

@test "ratelimiter: of 20 requests each of five clients, ten are accepted" {
	tree "ratelimiter: ratelimiter, ratelimiter, \"10\", \"600000\""
	for c in 1 2 3 4 5; do
		for _ in $(seq 20); do
			timeout 30 "$SUPCTL" call ratelimiter "[\"request\", \"c$c\"]"
		done >"$T/client$c" 2>&1 3>&- &
		eval "pid$c=$!"
	done
	# shellcheck disable=SC2154 # eval sets them
	wait "$pid1" "$pid2" "$pid3" "$pid4" "$pid5"
	for c in 1 2 3 4 5; do
		assert_equal "$(grep -c true "$T/client$c")" 10
		assert_equal "$(grep -c false "$T/client$c")" 10
	done
}

@test "ratelimiter: a client's time over, it begins anew" {
	tree "limit: ratelimiter, limit, \"2\", \"1500\""
	says limit '["request", "a"]' true
	says limit '["request", "a"]' true
	says limit '["request", "a"]' false
	says limit '["request", "b"]' true
	wait_until "$PATIENCE" answers limit '["request", "a"]' true
}

@test "messenger: log on, tell, and be told why not" {
	tree "server: messenger, server" "alice: messenger, user, alice" \
		"bob: messenger, user, bob"
	says alice '["tell", "bob", "hello bob"]' '"sent"'
	wait_until "$PATIENCE" log_has root/bob "Message from alice: hello bob"
	run_supctl 1 call alice '["tell", "carol", "?"]'
	assert_equal "$stderr" "supctl: receiver_not_found"
	run_supctl 1 call messenger '["message", "bob", "who am I?"]'
	assert_equal "$stderr" "supctl: you_are_not_logged_on"
	# A user that ends is forgotten, and may log on again.
	kill -KILL "$(pid_of bob)"
	wait_restarted bob 1
	says alice '["tell", "bob", "again"]' '"sent"'
	wait_until "$PATIENCE" log_has root/bob "Message from alice: again"
	# Without their server users end, and come back with it.
	kill -KILL "$(pid_of server)"
	wait_restarted server 1
	wait_restarted alice 1
	wait_restarted bob 2
	says alice '["tell", "bob", "third"]' '"sent"'
}

@test "pingpong: n rounds, and neither hangs if the other ends" {
	config <<-'EOF'
	supervisor: root
	intensity: 100
	period: 1s
	children:
	  - {worker: pong, command: [pingpong, pong], ready: notify}
	  - {worker: short, command: [pingpong, ping, pong, "1", "5"],
	     ready: notify, restart: transient}
	  - {worker: long, command: [pingpong, ping, pong, "10"], ready: notify}
	EOF
	start_supd
	wait_until "$PATIENCE" log_has root/short "5 rounds played"
	assert_equal "$(grep -c 'pong in' "$LOGS/root/short.log")" 5
	wait_node short state stopped
	wait_until "$PATIENCE" log_has root/long "pong in"
	kill -KILL "$(pid_of pong)"
	wait_until "$PATIENCE" log_has root/long "DOWN: killed"
	wait_until "$PATIENCE" found_twice
	# The other way round: no ball, and pong begins anew with the next.
	run_supctl stop long
	wait_until "$PATIENCE" log_has root/pong "no ball for 5000 ms"
	run_supctl start long
	assert_node pong restarts 1
}

found_twice() {
	[ "$(grep -c 'found pong' "$LOGS/root/long.log")" -ge 2 ] &&
		tail -n 1 "$LOGS/root/long.log" | grep -q "pong in"
}

# lessons WORKER...: each "NAME: COMMAND", not restarted, beside the pools that
# they spawn children in.
lessons() {
	{
		cat <<-'EOF'
		supervisor: root
		intensity: 100
		period: 1s
		children:
		  - supervisor: greeters
		    strategy: simple_one_for_one
		    template: {command: [greet, child], restart: temporary}
		  - supervisor: booms
		    strategy: simple_one_for_one
		    template: {command: [boom], restart: temporary}
		EOF
		for w; do
			echo "  - {worker: ${w%%:*}, command: [${w#*: }]," \
				"restart: temporary, allow: [greeters, booms]}"
		done
	} >"$T/supd.yaml"
	start_supd
}

@test "greet: spawn, say hello, die" {
	lessons "greet: greet, greeters, ann, ben"
	wait_until "$PATIENCE" log_has root/greet \
		"ben was greeted; the child ended: normal"
	wait_until "$PATIENCE" log_has root/greet "ann was greeted; the child ended: normal"
	grep -rq "hello ann" "$LOGS/root/greeters"
	wait_until "$PATIENCE" is_alone greeters
	run_supctl events
	assert_line --regexp 'greeters/1 +added +by root/greet$'
}

# is_alone POOL: it has no children any more.
is_alone() {
	[ "$(timeout 10 "$SUPCTL" --json status |
		jq "[.[].path | select(startswith(\"root/$1/\"))] | length")" = 0 ]
}

@test "links: two that are linked crash together" {
	lessons "crash: links, crash, booms"
	wait_until "$PATIENCE" log_has root/crash "linked to a child"
	wait_until "$PATIENCE" ended_with crash boom
	ended_with booms/1 boom
}

# ended_with PATH REASON: the events say so.
ended_with() {
	timeout 10 "$SUPCTL" events -n 50 | grep -E "$1 +exited +($2)"
}

@test "monitors: the end of each is told, with its reason" {
	lessons "watch: links, watch, booms"
	wait_until "$PATIENCE" log_has root/watch "and I still run"
	run grep -o 'DOWN: .*' "$LOGS/root/watch.log"
	assert_output - <<-'EOF'
	DOWN: normal
	DOWN: shutdown
	DOWN: boom
	EOF
	assert_node watch state ready
}

@test "trap_exit: exit signals become messages, the supervisor's too" {
	lessons "trap: links, trap, booms"
	wait_until "$PATIENCE" log_has root/trap "EXIT from a child: boom"
	wait_until "$PATIENCE" log_has root/trap "EXIT from a child: normal"
	assert_node trap state ready
	run_supctl stop trap
	wait_until "$PATIENCE" log_has root/trap "EXIT from my supervisor: shutdown"
}
