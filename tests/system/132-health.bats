#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A worker that runs and is not well: health, heartbeat, max_lifetime; and
# readiness by a command.

load helpers
load story
load one

# http: a server that answers with the status in $T/status, on $PORT.
http() {
	cat >"$T/server" <<-EOF
	import http.server
	class H(http.server.BaseHTTPRequestHandler):
	    def do_GET(self):
	        with open("$T/status") as f:
	            self.send_response(int(f.read()))
	        self.end_headers()
	        self.wfile.write(b"x" * 100000)
	    def log_message(self, *args):
	        pass
	http.server.ThreadingHTTPServer(("127.0.0.1", $PORT), H).serve_forever()
	EOF
	echo "[python3, $T/server]"
}

@test "off by default: a worker that hangs is left alone" {
	one
	kill -STOP "$(pid_of w)"
	wait_until "$PATIENCE" older_than w 1500000000
	assert_node w state ready
	assert_kept_pid w
	kill -CONT "$(pid_of w)"
}

@test "tcp: a worker that does not listen any more is restarted" {
	port=$(free_port)
	one "ready: {tcp: \"127.0.0.1:$port\"}
    health: {tcp: \"127.0.0.1:$port\", interval: 100ms, failures: 3}" \
		"[sh, -c, 'web $port & echo \$\$! >$T/web; exec sleep 1000']"
	kill -KILL "$(cat "$T/web")"
	wait_restarted w 1
	assert_kept_pid quiet
	assert_node w last_exit "3 probes failed: connect 127.0.0.1:$port: Connection refused"
	run_supctl why w
	assert_output --partial "3 probes failed: connect 127.0.0.1:$port: Connection refused"
	assert_output --partial "probe 1 of 3 failed"
	run_supctl events
	assert_output --partial unhealthy
}

@test "tcp: one that is well is left alone" {
	port=$(free_port)
	one "ready: {tcp: \"127.0.0.1:$port\"}
    health: {tcp: \"127.0.0.1:$port\", interval: 50ms, failures: 1}" \
		"[web, \"$port\"]"
	wait_until "$PATIENCE" older_than w 1000000000
	assert_kept_pid w
	assert_equal "$(story)" ""
}

@test "unix: its socket must accept" {
	one "ready: {unix: $T/sock}
    health: {unix: $T/sock, interval: 50ms, failures: 2}" \
		"[python3, -c, 'import os, socket, time; s = socket.socket(socket.AF_UNIX); os.path.exists(\"$T/sock\") and os.unlink(\"$T/sock\"); s.bind(\"$T/sock\"); s.listen(1000); time.sleep(1000)']"
	wait_until "$PATIENCE" older_than w 1000000000
	assert_kept_pid w
	rm "$T/sock"
	wait_restarted w 1
	assert_regex "$(node w last_exit)" "2 probes failed: connect $T/sock"
}

@test "http: 200 to 399 is well, anything else is not" {
	PORT=$(free_port)
	echo 200 >"$T/status"
	one "ready: {tcp: \"127.0.0.1:$PORT\"}
    health: {http: \"http://127.0.0.1:$PORT/health?x=1\", interval: 50ms, failures: 2}" \
		"$(http)"
	wait_until "$PATIENCE" older_than w 500000000
	echo 302 >"$T/new"
	mv "$T/new" "$T/status"
	wait_until "$PATIENCE" older_than w 1000000000
	assert_kept_pid w
	echo 503 >"$T/new"
	mv "$T/new" "$T/status"
	wait_until "$PATIENCE" supd_log_has "2 probes failed: GET http://127.0.0.1:$PORT/health?x=1: status 503"
	echo 200 >"$T/new"
	mv "$T/new" "$T/status"
	wait_restarted w 1
}

@test "http: a server that accepts and says nothing is not well" {
	PORT=$(free_port)
	one "ready: {tcp: \"127.0.0.1:$PORT\"}
    health: {http: \"http://127.0.0.1:$PORT/\", interval: 50ms, timeout: 200ms, failures: 2}" \
		"[python3, -c, 'import socket, time; s = socket.create_server((\"127.0.0.1\", $PORT)); time.sleep(1000)']"
	wait_until "$PATIENCE" supd_log_has "GET http://127.0.0.1:$PORT/: no answer within 0.2s"
	wait_restarted w 1
}

@test "http: what is not HTTP is not well" {
	PORT=$(free_port)
	one "ready: {tcp: \"127.0.0.1:$PORT\"}
    health: {http: \"http://127.0.0.1:$PORT/\", interval: 50ms, failures: 1}" \
		"[python3, -c, 'import socket; s = socket.create_server((\"127.0.0.1\", $PORT)); [s.accept()[0].sendall(b\"SSH-2.0-x\") for i in range(1000)]']"
	wait_until "$PATIENCE" supd_log_has "its answer is not HTTP"
}

@test "probe: a command that fails, with what it says" {
	touch "$T/well"
	one "health: {probe: [sh, -c, 'test -e $T/well || { echo \$\$SUPD_NAME is ill >&2; exit 4; }'], interval: 50ms, failures: 2}"
	wait_until "$PATIENCE" older_than w 500000000
	assert_kept_pid w
	rm "$T/well"
	wait_until "$PATIENCE" supd_log_has "2 probes failed: sh: exit 4"
	touch "$T/well"
	wait_restarted w 1
	wait_until "$PATIENCE" log_has root/w "w is ill"
	assert_kept_pid quiet
}

@test "probe: one that hangs is killed at its timeout, with its children" {
	one "health: {probe: [sh, -c, 'sleep 1000 & echo \$\$! >>$T/pids; wait'], interval: 50ms, timeout: 200ms, failures: 3}"
	wait_until "$PATIENCE" supd_log_has "3 probes failed: sh: no answer within 0.2s"
	run_supctl stop w
	while read -r p; do
		wait_until "$PATIENCE" gone "$p"
	done <"$T/pids"
}

@test "probe: a command that is not there is a failure that says so" {
	one "health: {probe: [./no-such-probe], interval: 50ms, failures: 2}"
	wait_until "$PATIENCE" supd_log_has "exec ./no-such-probe: No such file or directory"
}

@test "status tells of failures that are not too many yet" {
	one "health: {probe: [sh, -c, 'exit 4'], interval: 100ms, failures: 1000}"
	wait_until "$PATIENCE" detail_matches w '^[0-9]+ of 1000 probes failed: sh: exit 4$'
	assert_kept_pid w
}

detail_matches() {
	[[ "$(node "$1" detail)" =~ $2 ]]
}

@test "a stop ends a probe that is under way, and no other follows" {
	one "health: {probe: [sh, -c, 'echo \$\$\$\$ >>$T/pids; exec sleep 1000'], interval: 50ms, timeout: 60s}"
	wait_until "$PATIENCE" [ -s "$T/pids" ]
	run_supctl stop w
	assert_node w state stopped
	wait_until "$PATIENCE" gone "$(head -1 "$T/pids")"
	wait_until "$PATIENCE" older_than w 500000000
	assert_equal "$(wc -l <"$T/pids")" 1
	assert_node w state stopped
	run_supctl start w
	wait_until "$PATIENCE" two_lines "$T/pids"
}

two_lines() {
	[ "$(wc -l <"$1")" = 2 ]
}

@test "supd's end leaves no probe behind" {
	one "health: {probe: [sh, -c, 'echo \$\$\$\$ >>$T/pids; exec sleep 1000'], interval: 50ms, timeout: 60s}"
	wait_until "$PATIENCE" [ -s "$T/pids" ]
	stop_supd
	assert_equal "$SUPD_RC" 0
	gone "$(head -1 "$T/pids")"
}

@test "more probes at once than there is room for all get their turn" {
	{
		cat <<-EOF
		supervisor: root
		intensity: 1000
		period: 1s
		defaults:
		  health: {probe: [sh, -c, 'echo \$\$SUPD_NAME >>$T/said; sleep 0.1'], interval: 60s, timeout: 30s, failures: 1}
		children:
		EOF
		for i in $(seq 150); do
			echo "  - {worker: w$i, command: [mole, sleep]}"
		done
	} | config
	start_supd
	wait_until 60 all_said
	run_supctl --json status
	assert_equal "$(jq '[.[] | select(.type == "worker" and .restarts == 0 and
		.state == "ready")] | length' <<<"$output")" 150
}

all_said() {
	[ "$(sort -u "$T/said" | wc -l)" = 150 ]
}

@test "heartbeat: a worker that beats is left alone" {
	one 'heartbeat: 1s' '[mole, beat, "50"]'
	wait_until "$PATIENCE" older_than w 2500000000
	assert_kept_pid w
	assert_equal "$(story)" ""
}

@test "heartbeat: one that beats without end does not keep supd busy" {
	one 'heartbeat: 2s' '[mole, beat, "0"]'
	# Ticks of the engine: it must not be where the storm goes.
	wait_until "$PATIENCE" older_than w 3000000000
	assert_kept_pid w
	run_supctl ping
}

@test "heartbeat: one that is silent is restarted" {
	one 'heartbeat: 300ms' '[mole, beat, "50", "3"]'
	wait_restarted w 1
	assert_node w last_exit "no sign of life for 0.3s"
	run_supctl why w
	assert_output --partial "no sign of life for 0.3s"
	assert_kept_pid quiet
}

@test "heartbeat: one that is stopped by SIGSTOP is caught" {
	one 'heartbeat: 300ms' '[mole, beat, "20"]'
	kill -STOP "$(pid_of w)"
	wait_restarted w 1
	assert_node w last_exit "no sign of life for 0.3s"
}

@test "heartbeat: WATCHDOG=trigger restarts it at once" {
	one 'heartbeat: 1h' '[mole, beat, "50", "3", "WATCHDOG=trigger"]'
	wait_restarted w 1
	assert_node w last_exit "it says itself that it is unwell"
}

@test "heartbeat: by libmsg" {
	one 'heartbeat: 1s' '[mole, alive, "20", "100"]'
	wait_until "$PATIENCE" older_than w 1500000000
	assert_kept_pid w
	wait_restarted w 1
	assert_node w last_exit "no sign of life for 1s"
}

@test "heartbeat: the worker learns of it as systemd tells it" {
	one 'heartbeat: 90s' "[sh, -c, 'env >$T/env; echo \$\$\$\$ >$T/pid; exec sleep 1000']"
	wait_until "$PATIENCE" [ -s "$T/pid" ]
	grep -qx 'WATCHDOG_USEC=90000000' "$T/env"
	grep -qx "WATCHDOG_PID=$(cat "$T/pid")" "$T/env"
	grep -q '^NOTIFY_SOCKET=/' "$T/env"
}

@test "heartbeat: a stopped worker's silence means nothing" {
	one 'heartbeat: 300ms' '[mole, beat, "20"]'
	run_supctl stop w
	wait_until "$PATIENCE" older_than w 1000000000
	assert_node w state stopped
	assert_equal "$(story)" "stop w"
}

@test "max_lifetime: it is replaced when it is old enough" {
	one 'max_lifetime: 500ms'
	wait_restarted w 1
	assert_node w last_exit "max_lifetime of 0.5s reached"
	wait_restarted w 2
	assert_kept_pid quiet
	run_supctl why w
	assert_output --partial "w was replaced"
	# Nothing has failed: it is not counted.
	assert_node root used 0
	run_supctl stop w
	inc=$(inc_of w)
	wait_until "$PATIENCE" older_than w 1000000000
	assert_node w state stopped
	assert_equal "$(inc_of w)" "$inc"
}

@test "ready: {probe}: the next sibling waits for it" {
	config <<-EOF
	supervisor: root
	intensity: 5
	children:
	  - worker: first
	    command: [mole, sleep]
	    ready: {probe: [sh, -c, 'echo >>$T/tries; test -e $T/go']}
	  - {worker: second, command: [mole, sleep]}
	EOF
	start_supd
	wait_until "$PATIENCE" two_lines "$T/tries"
	assert_node first state starting
	assert_node second state stopped
	assert_regex "$(node first detail)" '^waiting for probe sh \([0-9]+ failures?, last: exit 1\)'
	touch "$T/go"
	wait_node second state ready
	n=$(wc -l <"$T/tries")
	wait_until "$PATIENCE" older_than second 1500000000
	assert_equal "$(wc -l <"$T/tries")" "$n"
}

@test "ready: {probe}: start_timeout ends it, and the probe with it" {
	config <<-EOF
	supervisor: root
	intensity: 5
	children:
	  - worker: w
	    command: [mole, sleep]
	    ready: {probe: [sh, -c, 'echo \$\$\$\$ >>$T/pids; exec sleep 1000']}
	    start_timeout: 500ms
	EOF
	launch_supd
	wait_supd
	assert_equal "$SUPD_RC" 70
	supd_log_has "not ready within 0.5s (probe sh)"
	gone "$(head -1 "$T/pids")"
}
