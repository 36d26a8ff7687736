#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# msg: any program as a process among the workers.

load helpers
# shellcheck disable=SC2154 # bats sets stderr

MSG=${SUPCTL%/*}/msg

# msg_to RC ARGUMENT...
msg_to() {
	local rc=$1
	shift
	run --separate-stderr timeout -k 5 60 "$MSG" "$@"
	echo "\$ msg $*"
	[ -z "$output" ] || echo "$output"
	[ -z "$stderr" ] || echo "$stderr"
	[ "$status" -eq "$rc" ]
}

start_double() {
	cat >"$T/double.sh" <<-'EOF'
	while read -r line; do
		printf '%s\n' "$line" | jq -c --unbuffered \
		    'select(.kind == "call") |
		    {reply: .ref, to: .from, payload: (.payload * 2)}'
	done
	EOF
	config <<-EOF
	supervisor: root
	intensity: 10
	children:
	  - {worker: counter, command: [counter], ready: notify}
	  - worker: double
	    command: ["$MSG", run, double, --, sh, "$T/double.sh"]
	EOF
	start_supd
	wait_node counter state ready
	wait_until "$PATIENCE" timeout 5 "$MSG" whereis double
}

@test "a shell script is a worker that answers calls" {
	start_double
	msg_to 0 call double 21
	assert_output 42
	run_supctl call double 4
	assert_output 8
	run_supctl names
	assert_line --regexp '^double +\(client\)'
	# Killed, it is restarted, and its name is free for it.
	kill -KILL "$(pid_of double)"
	wait_restarted double 1
	wait_until "$PATIENCE" timeout 5 "$MSG" call double 1
	msg_to 0 call double 5
	assert_output 10
}

@test "a program orders calls, and hears of ends" {
	start_double
	cat >"$T/prog.sh" <<-'EOF'
	echo '{"monitor":"counter","id":"m"}'
	echo '{"call":"counter","payload":["increment"],"id":1}'
	echo '{"send":"nobody","payload":1,"id":2}'
	echo '{"fly":1}'
	n=0
	while read -r line; do
		echo "$line" >&2
		case $line in
		*'"reply"'*) echo '{"exit":"counter","reason":"kill"}' ;;
		*'"down"'*) exit 3 ;;
		esac
	done
	EOF
	msg_to 3 run -- sh "$T/prog.sh"
	[[ $stderr = *'{"kind":"reply","id":1,"payload":1}'* ]]
	[[ $stderr = *'"code":4,"text":"no such name: nobody"'* ]]
	[[ $stderr = *'an order has one of send, cast'* ]]
	[[ $stderr = *'"kind":"down","id":"m"'*'"reason":"killed"'* ]]
}

@test "receive prints what comes, monitor waits for an end" {
	start_double
	timeout 60 "$MSG" receive -n 2 me >"$T/got" 3>&- &
	receiver=$!
	timeout 60 "$MSG" monitor counter >"$T/down" 3>&- &
	watcher=$!
	wait_until "$PATIENCE" timeout 5 "$MSG" whereis me
	msg_to 0 send me '"hello"'
	msg_to 0 cast me '{"x":[1,2.5,null]}'
	wait "$receiver"
	[ "$(jq -c .payload "$T/got" | paste -sd ' ')" = '"hello" {"x":[1,2.5,null]}' ]
	wait_until "$PATIENCE" killed_and_told
	wait "$watcher"
	[ "$(jq -r .path "$T/down")" = root/counter ]
	msg_to 4 monitor nobody
	msg_to 4 whereis nobody
	msg_to 4 send me 1
	msg_to 2 send me hello
	[[ $stderr = *'needs its quotes'* ]]
	msg_to 7 --timeout 200ms receive me
	msg_to 2 fly
}

# The monitor may not have been there at the first time.
killed_and_told() {
	timeout 5 "$MSG" exit counter kill
	[ -s "$T/down" ]
}

@test "register holds a name and takes orders from standard input" {
	start_double
	echo '{"call":"counter","payload":["value"],"id":1}' >"$T/orders"
	run timeout 60 "$MSG" register me <"$T/orders"
	assert_output '{"kind":"reply","id":1,"payload":0}'
	msg_to 1 register counter </dev/null
	[[ $stderr = *'somebody has that name already'* ]]
}
