#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# supctl as an operator meets it: the verbs that act, ask and talk.

load helpers
load supctl-tree

@test "stop waits until it is down, and keeps it so; start brings it back" {
	tree
	local pid
	pid=$(pid_of a)
	run_supctl stop a
	assert_output 'a: stopped'
	gone "$pid"
	assert_node a desired down
	run_supctl stop a
	run_supctl start a
	assert_output --regexp '^a: ready, pid [0-9]+$'
	run_supctl start a
	assert_node a incarnation 2
}

@test "restart makes a new incarnation and waits until it is ready" {
	tree
	run_supctl --json restart a
	[ "$(jq -r '.[0] | "\(.path) \(.state) \(.incarnation)"' <<<"$output")" = 'root/a ready 2' ]
}

@test "--no-wait returns at once" {
	tree
	run_supctl add --no-wait lab '{worker: slow, command: [sleep, 1000s], ready: notify}'
	run_supctl --timeout 1s stop --no-wait a
	wait_node a state stopped
}

@test "kill sends the signal that is named" {
	tree
	local inc
	inc=$(inc_of a)
	run_supctl kill -s USR1 a
	assert_output --regexp '^a: SIGUSR1 sent to pid [0-9]+$'
	wait_restarted a "$inc"
	assert_node a last_exit SIGUSR1
	run_supctl 2 kill -s NOSUCH a
}

@test "add takes a text, a file or standard input; remove forgets it" {
	tree
	run_supctl add lab '{worker: one, command: [sleep, 1000s]}'
	assert_output --regexp '^lab/one: ready, pid [0-9]+$'
	echo '{"worker": "two", "command": ["sleep", "1000s"]}' >"$T/two"
	run_supctl add lab "@$T/two"
	run_supctl add lab - <<<'{worker: three, command: [sleep, 1000s]}'
	run_supctl list 'lab/*'
	assert_output $'lab/one\nlab/two\nlab/three'
	local pid
	pid=$(pid_of lab/two)
	run_supctl remove lab/two lab/three
	assert_output $'lab/two: removed\nlab/three: removed'
	gone "$pid"
	run_supctl 4 status lab/two
	run_supctl 1 add lab '{worker: one, command: [sleep, 1000s]}'
	run_supctl 1 add lab "@$T/nosuch"
}

@test "add refuses what is no configuration with 8" {
	tree
	run_supctl 8 add lab '{worker: x, comand: [sleep]}'
	[[ $stderr = *comand* ]]
	run_supctl 8 add lab '{'
	run_supctl 4 status lab/x
}

@test "add gives extra arguments to a child of simple_one_for_one" {
	tree
	run_supctl --json add jobs 1000s
	local path
	path=$(jq -r '.[0].path' <<<"$output")
	[[ $path = root/jobs/* ]]
	[ "$(tr '\0' ' ' <"/proc/$(pid_of "$path")/cmdline")" = 'sleep 1000s ' ]
	run_supctl add jobs -- 1000s 2000s
	run_supctl list 'jobs/*'
	[ "${#lines[@]}" -eq 2 ]
	# It is temporary: nothing of it is kept.
	run_supctl stop "${path#root/}"
	assert_output "${path#root/}: gone"
	run_supctl 4 status "$path"
	run_supctl 8 add lab 1000s
	[[ $stderr = *'words are for a simple_one_for_one supervisor'* ]]
}

@test "predicates answer with 0 and 3" {
	tree
	run_supctl is-up a
	run_supctl is-ready web
	run_supctl is-ready 'web/*'
	run_supctl 3 is-failed a
	run_supctl is-failed fatal
	run_supctl 3 is-up fatal
	run_supctl 3 is-up off
	run_supctl 3 is-failed off
	run_supctl stop a
	run_supctl 3 is-up a
	run_supctl 3 is-failed a
	run_supctl 3 --json is-ready a
	assert_output false
	run_supctl -q is-ready web/api
	assert_output ''
}

@test "wait returns when it is so" {
	tree
	run_supctl wait a
	run_supctl wait off --for down
	timeout 60 "$SUPCTL" wait a --for restarted --timeout 30s 3>&- >"$T/out" &
	local pid=$!
	# The wait is counted from when supd takes it: kill until it ends.
	wait_until "$PATIENCE" eval "$SUPCTL kill -s KILL a; gone $pid"
	wait "$pid"
	grep -q '^a: ready' "$T/out"
}

@test "names and call reach a worker that talks" {
	config <<-'EOF'
	supervisor: root
	intensity: 3
	period: 5s
	children:
	  - {worker: counter, command: [counter], ready: notify}
	EOF
	start_supd
	wait_node counter state ready
	run_supctl names
	assert_line --regexp "^counter +counter +<[0-9]+\.1> +$(pid_of counter)$"
	run_supctl call counter '["increment"]'
	local first=$output
	run_supctl call counter '["increment"]'
	[ "$output" != "$first" ]
	jq -e . <<<"$output"
	run_supctl --json names
	[ "$(jq -r '.[0].path' <<<"$output")" = root/counter ]
	run_supctl 2 call counter increment
	# It is there, but does not answer.
	kill -STOP "$(pid_of counter)"
	run_supctl 7 --timeout 300ms call counter '["increment"]'
	kill -CONT "$(pid_of counter)"
}
