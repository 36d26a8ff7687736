#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Workers, clients and operators as nobody wishes them.

load helpers

# tree COMMAND [KEYS]: w runs it, beside a quiet one.
tree() {
	config <<EOF
supervisor: root
intensity: 1000
period: 1s
children:
  - {worker: quiet, command: [mole, sleep]}
  - worker: w
    command: $1
    ${2:-description: nothing else}
EOF
	start_supd
	wait_node w state ready
	QUIET=$(pid_of quiet)
}

# client <<EOF: Python with connect() to the control socket.
client() {
	{
		cat <<-'EOF'
		import os, socket, sys
		def connect():
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(20)
		    s.connect(sys.argv[1])
		    return s
		def tell(s, data):
		    try:
		        s.sendall(data)
		    except OSError:
		        pass # refused, which is an answer
		EOF
		cat
	} >"$T/client"
	timeout -k 5 60 python3 "$T/client" "$SUPD_SOCKET"
}

@test "500 clients that ask nothing do not lock the operator out" {
	tree '[mole, sleep]'
	client <<-'EOF'
	all = [connect() for i in range(500)]
	sys.exit(os.system('timeout 20 "$SUPCTL" ping') != 0)
	EOF
	run_supctl status
}

@test "noise on the control socket harms nobody" {
	tree '[mole, sleep]'
	client <<-'EOF'
	def call(method, params):
	    return b'{"jsonrpc":"2.0","id":1,"method":"%s","params":{%s}}' % (
	        method, params)
	for noise in [os.urandom(5000), b"x" * 5000000, b"[" * 100000,
	        b"\0\n" * 99, b'{"jsonrpc":"2.0","id":1,"method":"pi',
	        call(b"status", b'"path":"' + b"a" * 5000 + b'"'),
	        call(b"call", b'"name":"w","payload":' + b"[" * 500 + b"]" * 500)]:
	    tell(connect(), noise)
	    tell(connect(), noise + b"\n")
	EOF
	run_supctl ping
	assert_node quiet pid "$QUIET"
}

@test "followers who never read do not keep supd from answering" {
	tree '[mole, flood]'
	client <<-'EOF'
	ask = b'{"jsonrpc":"2.0","id":1,"method":"%s","params":{%s"n":9,"follow":true}}\n'
	all = [connect() for i in range(20)]
	for i, s in enumerate(all):
	    tell(s, ask % ((b"events", b"") if i % 2 else (b"logs", b'"path":"w",')))
	for i in range(10):
	    if os.system('timeout 20 "$SUPCTL" status >/dev/null'):
	        sys.exit(1)
	EOF
	run_supctl stop w
}

# in_group LEADER: how many there are.
in_group() {
	pgrep -c -g "$1" || true
}

in_group_more() {
	[ "$(in_group "$1")" -gt "$2" ]
}

@test "of a leader's 200 children none outlives it" {
	tree "[sh, -c, 'i=0; while [ \$\$i -lt 200 ]; do mole ignore-term >/dev/null & i=\$\$((i+1)); done; mole sleep']"
	old=$(pid_of w)
	wait_until "$PATIENCE" in_group_more "$old" 200
	kill -KILL "$old"
	wait_restarted w 1
	assert_equal "$(in_group "$old")" 0
	assert_node quiet pid "$QUIET"
}

@test "a worker that has left its session ends with supd" {
	cat >"$T/leave" <<-'EOF'
	setsid sh -c 'echo $$ >"$T/pid"; exec mole sleep' &
	exec mole sleep
	EOF
	tree "[sh, $T/leave]"
	wait_until "$PATIENCE" test -s "$T/pid"
	escaped=$(cat "$T/pid")
	alive "$escaped"
	stop_supd
	assert_equal "$SUPD_RC" 0
	gone "$escaped"
}

@test "a worker that kills its own group kills nobody else" {
	tree '[sh, -c, "mole exit 0 100; kill -KILL 0"]'
	wait_restarted w 2
	assert_node w last_exit SIGKILL
	assert_node quiet pid "$QUIET"
}

@test "a worker that writes noise to its lifeline harms nobody" {
	cat >"$T/noise.py" <<-'EOF'
	import os
	for i in range(500):
	    os.write(int(os.environ["SUPD_FD"]), os.urandom(999))
	os.close(int(os.environ["SUPD_FD"]))
	os.execvp("mole", ["mole", "sleep"])
	EOF
	tree "[python3, $T/noise.py]"
	wait_until "$PATIENCE" supd_log_has "malformed frame"
	run_supctl restart w
	assert_node quiet pid "$QUIET"
}

@test "a flood of notifications does not keep supd from answering" {
	cat >"$T/flood.py" <<-'EOF'
	import os, socket
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.connect(os.environ["NOTIFY_SOCKET"])
	s.send(b"READY=1")
	while True:
	    s.send(b"STATUS=" + b"z" * 4000)
	EOF
	tree "[python3, $T/flood.py]" 'ready: notify'
	run_supctl --timeout 5s status
	run_supctl stop w
	assert_node quiet pid "$QUIET"
}

# Wait for the jobs in $pids: bats has children of its own.
wait_jobs() {
	local p
	for p in $pids; do
		wait "$p" || echo "pid $p ended with $?"
	done
}

@test "eight operators and a killer at once: no hang, no wrong end" {
	config <<-'EOF'
	supervisor: root
	intensity: 100000
	period: 1s
	children:
	  - supervisor: s
	    strategy: rest_for_one
	    intensity: 100000
	    period: 1s
	    children:
	      - {worker: a, command: [mole, sleep]}
	      - {worker: b, command: [mole, clean-after-term, "10"]}
	EOF
	start_supd
	wait_node root state up
	# 0 done, 1 not possible as others have it now: nothing else is right.
	cat >"$T/operator" <<-'EOF'
	end=$(($(date +%s) + 4))
	while [ "$(date +%s)" -lt $end ]; do
		for verb in stop start restart "kill -s KILL"; do
			for path in s s/a s/b; do
				rc=0
				timeout 30 "$SUPCTL" $verb $path >/dev/null 2>&1 || rc=$?
				[ $rc -le 1 ] || echo "$verb $path: $rc"
			done
		done
	done
	EOF
	pids=
	for _ in 1 2 3 4 5 6 7 8; do
		sh "$T/operator" >>"$T/wrong" 3>&- &
		pids="$pids $!"
	done
	wait_jobs >>"$T/wrong"
	assert_equal "$(cat "$T/wrong")" ""
	run_supctl start s
	run_supctl start s/a s/b
	assert_node s/b state ready
}

@test "children added at once have different names" {
	config <<-'EOF'
	supervisor: root
	strategy: simple_one_for_one
	intensity: 10
	period: 1s
	template: {command: [mole, sleep]}
	EOF
	start_supd
	pids=
	for _ in 1 2 3 4 5 6 7 8; do
		timeout 30 "$SUPCTL" add root >/dev/null 2>>"$T/wrong" 3>&- &
		pids="$pids $!"
	done
	wait_jobs >>"$T/wrong"
	assert_equal "$(cat "$T/wrong")" ""
	assert_equal "$(timeout 30 "$SUPCTL" --json status | jq length)" 9
}

# with_fds N: what supd says, started with so many file descriptors.
with_fds() {
	(
		ulimit -n "$1"
		exec timeout 20 "$SUPD" -c "$T/supd.yaml" -s "$SUPD_SOCKET" 3>&-
	)
}

@test "too few file descriptors are an error that says what to raise" {
	config <<-'EOF'
	supervisor: root
	children:
	  - {worker: w, command: [mole, sleep], instances: 100}
	EOF
	run with_fds 300
	assert_failure 78
	assert_output --partial RLIMIT_NOFILE
	run with_fds 100
	assert_failure 71
	assert_output --partial RLIMIT_NOFILE
}
