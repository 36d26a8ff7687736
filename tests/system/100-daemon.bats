#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The daemon itself: one instance, its roles, its signals, its exit codes.

load helpers
load story

quiet() {
	config <<-'EOF'
	supervisor: root
	children:
	  - {worker: w, command: [mole, sleep]}
	EOF
}

# role NAME: the pid of that role of this test's supd.
role() {
	local p
	for p in $(ps -o pid= --ppid "$(keeper_pid)"); do
		if tr '\0' ' ' <"/proc/$p/cmdline" | grep -q "^supd: $1"; then
			echo "$p"
		fi
	done
}

# for_everybody: copies of the programs where other users reach them; the build
# may stand in a directory that is root's alone.
for_everybody() {
	local build=${SUPD%/supd/supd}
	mkdir -p "$T/b/supd/ctl" "$T/b/workers" "$T/b/libmsg"
	cp "$SUPD" "$T/b/supd/"
	cp "$SUPCTL" "$T/b/supd/ctl/"
	find "$WORKERS" -maxdepth 1 -type f -exec cp -t "$T/b/workers" {} +
	cp "$build/libmsg/libmsg.so.0" "$T/b/libmsg/"
	SUPD=$T/b/supd/supd
	SUPCTL=$T/b/supd/ctl/supctl
	PATH=$T/b/workers:$PATH
	chmod 755 "$T"
}

@test "four roles, with titles" {
	quiet
	start_supd
	for r in engine bus logger; do
		[ -n "$(role "$r")" ]
	done
	tr '\0' ' ' <"/proc/$(keeper_pid)/cmdline" | grep -q '^supd: keeper'
}

@test "a second supd on the same socket is refused with the first's pid" {
	quiet
	start_supd
	run timeout 10 "$SUPD" -c "$T/supd.yaml" -s "$SUPD_SOCKET"
	assert_failure 75
	assert_output --partial "$(keeper_pid)"
	run_supctl ping
}

@test "SIGTERM and SIGINT stop in order, exit 0" {
	quiet
	start_supd
	kill -INT "$(keeper_pid)"
	wait_supd
	assert_equal "$SUPD_RC" 0
	run_supctl 6 ping
}

@test "a supd that was killed is followed by a clean one" {
	MAY_LEAVE_FILES=1
	quiet
	start_supd
	wait_node w state ready
	p=$(pid_of w)
	kill -KILL "$(keeper_pid)"
	# Nobody survives the keeper: a second copy cannot run beside it.
	wait_until 5 gone "$p"
	wait_supd
	start_supd
	wait_node w state ready
	MAY_LEAVE_FILES=
}

@test "a dead engine, bus or logger ends supd in good order with 70" {
	quiet
	for r in engine bus logger; do
		start_supd
		wait_node w state ready
		p=$(pid_of w)
		kill -KILL "$(role "$r")"
		wait_supd
		assert_equal "$SUPD_RC" 70
		gone "$p"
		supd_log_has "$r"
	done
}

@test "a shutdown in the middle of a slow boot does not wait for it" {
	config <<-'EOF'
	supervisor: root
	children:
	  - {worker: slow, command: [mole, sleep], ready: notify, start_timeout: 300s}
	EOF
	start_supd
	wait_node slow state starting
	stop_supd 10
	assert_equal "$SUPD_RC" 0
}

@test "a stranger is refused with 5" {
	[ "$(id -u)" = 0 ] || skip "needs root to be somebody else"
	quiet
	for_everybody
	start_supd
	chmod 755 "$T/r"
	chmod 666 "$SUPD_SOCKET"
	run setpriv --reuid 65534 --regid 65534 --clear-groups \
		timeout 10 "$SUPCTL" -s "$SUPD_SOCKET" status
	assert_equal "$status" 5
}

@test "workers run as their user, with their limits" {
	[ "$(id -u)" = 0 ] || skip "needs root to switch users"
	config <<-'EOF'
	supervisor: root
	children:
	  - worker: w
	    command: [sh, -c, "mole print-ids; exec mole sleep"]
	    user: nobody
	    umask: "027"
	    nice: 5
	    oom_score_adj: 500
	    rlimit: {nofile: "100:200"}
	EOF
	for_everybody
	start_supd
	wait_node w state ready
	wait_until "$PATIENCE" log_has root/w 65534
	p=$(pid_of w)
	assert_equal "$(cat "/proc/$p/oom_score_adj")" 500
	grep -q 'Max open files *100 *200' "/proc/$p/limits"
	grep -q "^Uid:	65534	65534	65534	65534" "/proc/$p/status"
	grep -q "^Umask:	0027" "/proc/$p/status"
	assert_equal "$(ps -o ni= -p "$p" | tr -d ' ')" 5
	# A session and group of its own, no signal blocked or ignored.
	assert_equal "$(ps -o sid= -p "$p" | tr -d ' ')" "$p"
	grep -q "^SigBlk:	0000000000000000" "/proc/$p/status"
	grep -q "^SigIgn:	0000000000000000" "/proc/$p/status"
}

@test "a worker of another user may open /dev/stdout" {
	[ "$(id -u)" = 0 ] || skip "needs root to switch users"
	config <<-'EOF'
	supervisor: root
	children:
	  - worker: w
	    command: [sh, -c, "echo by path >/dev/stdout; exec mole sleep"]
	    user: nobody
	EOF
	for_everybody
	start_supd
	wait_node w state ready
	wait_until "$PATIENCE" log_has root/w "by path"
}

@test "the environment is the documented one" {
	config <<-'EOF'
	supervisor: root
	children:
	  - worker: w
	    command: [sh, -c, "env; exec mole sleep"]
	    env: {GREETING: hello}
	EOF
	start_supd
	wait_node w state ready
	wait_until "$PATIENCE" log_has root/w GREETING=hello
	for v in SUPD_PATH=root/w SUPD_NAME=w SUPD_FD=3 "SUPD_SOCKET=$SUPD_SOCKET"; do
		wait_until "$PATIENCE" log_has root/w "$v"
	done
}

@test "an ordinary user's supd works, and says what only root may" {
	[ "$(id -u)" = 0 ] || skip "needs root to be somebody else"
	config <<-'EOF'
	supervisor: root
	children:
	  - {worker: counter, command: [counter], ready: notify}
	EOF
	for_everybody
	chown -R 65534:65534 "$T"
	setpriv --reuid 65534 --regid 65534 --clear-groups \
		timeout --foreground -k 5 300 "$SUPD" -c "$T/supd.yaml" \
		-s "$SUPD_SOCKET" >"$T/supd.log" 2>&1 </dev/null 3>&- &
	SUPD_PID=$!
	wait_node counter state ready
	run_supctl call counter '["increment"]'
	assert_output 1
	run_supctl 1 add root '{worker: r, command: [mole, sleep], user: root}'
	assert_regex "$stderr" "only a supd run by root may"
	run_supctl 1 add root '{worker: n, command: [mole, sleep], nice: -5}'
	assert_regex "$stderr" "nice: Permission denied"
	run_supctl status
}
