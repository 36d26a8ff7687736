#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# supctl talks to workers: call, cast, send, info, sys, trace, names.

load helpers
# shellcheck disable=SC2154 # bats sets stderr

start_counter() {
	config <<-'EOF'
	supervisor: root
	intensity: 10
	children:
	  - {worker: counter, command: [counter], ready: notify}
	  - {worker: mute, command: [sleep, "1000"]}
	EOF
	start_supd
	wait_node counter state ready
}

@test "call, cast and send reach a worker by name, path and pid" {
	start_counter
	run_supctl call counter '["increment"]'
	assert_output 1
	run_supctl call root/counter '["value"]'
	assert_output 1
	pid=$("$SUPCTL" --json info counter | jq -r .pid)
	run_supctl call "$pid" '["increment"]'
	assert_output 2
	for verb in call cast send; do
		run_supctl 4 "$verb" nobody 1
		[ "$stderr" = 'supctl: no such name: nobody' ]
		run_supctl 4 "$verb" countxr 1
		[ "$stderr" = 'supctl: no such name: countxr (there is counter)' ]
		run_supctl 4 "$verb" mute 1
		[[ $stderr = *'runs, but does not talk'* ]]
		run_supctl 2 "$verb" counter hello
		[[ $stderr = *'MSG is not JSON'* ]]
	done
	run_supctl 4 call '<9.9>' 1
	[ "$stderr" = 'supctl: <9.9> does not live (any more)' ]
}

@test "info tells what supd and the worker know" {
	start_counter
	run_supctl info counter
	assert_line --regexp '^path +root/counter$'
	assert_line --regexp '^name +counter$'
	assert_line --regexp '^answered +yes$'
	run_supctl info mute
	assert_line --regexp '^joined +no$'
	assert_line --regexp '^answered +no$'
	# One that hangs outside of libmsg: what supd knows comes all the same.
	kill -STOP "$(pid_of counter)"
	run_supctl info counter
	assert_line --regexp '^answered +no$'
	kill -CONT "$(pid_of counter)"
}

@test "sys looks into a server, and stops it for a while" {
	start_counter
	"$SUPCTL" call counter '["increment"]'
	run_supctl sys counter get_state
	assert_output 1
	run_supctl sys counter suspend
	run_supctl 7 --timeout 300ms call counter '["value"]'
	run_supctl sys counter get_state
	assert_output 1
	run_supctl sys counter resume
	run_supctl call counter '["value"]'
	assert_output 1
	run_supctl 1 sys counter fly
	[[ $stderr = *'a server knows suspend'*'get_state'* ]]
	run_supctl 4 sys mute get_state
	run_supctl 2 sys counter log ten
	[[ $stderr = *'not JSON'* ]]
}

@test "trace follows a worker over its restart" {
	start_counter
	timeout 60 "$SUPCTL" trace counter >"$T/trace" 2>&1 3>&- &
	tracer=$!
	wait_until "$PATIENCE" traced_call
	kill -KILL "$(pid_of counter)"
	wait_restarted counter 1
	wait_until "$PATIENCE" grep -q '^end .* killed$' "$T/trace"
	wait_until "$PATIENCE" grep -q '^start <' "$T/trace"
	kill "$tracer"
	wait "$tracer" || true
}

# supd has the follower only a moment after it was started.
traced_call() {
	"$SUPCTL" call counter '["value"]' >/dev/null &&
	    grep -q '^in    call .*\["value"\]' "$T/trace" &&
	    grep -q '^out   reply ' "$T/trace"
}

@test "trace shows a call and its reply from end to end" {
	start_counter
	timeout 60 "$SUPCTL" --json trace counter >"$T/trace" 2>&1 3>&- &
	tracer=$!
	wait_until "$PATIENCE" traced_json
	kill "$tracer"
	wait "$tracer" || true
	# The caller is who gets the reply, and the value is that of the call.
	run jq -s -e '[.[].trace | select(. != null)] |
	    (map(select(.kind == "call" and .body == ["increment"])) | first)
		as $call |
	    map(select(.kind == "reply" and .to == $call.from)) |
	    length == 1 and .[0].dir == "out" and $call.dir == "in" and
	    .[0].from == $call.to and (.[0].body | type) == "number"' \
		"$T/trace"
	echo "$output"
	cat "$T/trace"
	assert_success
}

traced_json() {
	"$SUPCTL" call counter '["increment"]' >/dev/null &&
	    grep -q reply "$T/trace"
}
