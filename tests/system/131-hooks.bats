#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Commands before and after a worker's program: pre_start, post_stop.

load helpers
load story
load one

# tells FILE TEXT: a hook that appends TEXT, expanded when it runs.
tells() {
	echo "[sh, -c, 'echo \"$2\" >>$T/$1']"
}

has_lines() {
	[ "$(wc -l <"$1")" = "$2" ]
}

@test "without hooks nothing but the program runs" {
	one_file
	start_supd
	wait_node root state up
	assert_node w incarnation 1
	kill -KILL "$(pid_of w)"
	wait_restarted w 1
	assert_node w incarnation 2
}

@test "pre_start runs to its end before each start" {
	one_file "pre_start: [sh, -c, 'echo pre >>$T/said']" \
		"[sh, -c, 'echo main >>$T/said; exec sleep 1000']"
	start_supd
	wait_node w state ready
	kill -KILL "$(pid_of w)"
	wait_restarted w 2
	wait_until "$PATIENCE" has_lines "$T/said" 4
	assert_equal "$(tr '\n' ' ' <"$T/said")" "pre main pre main "
}

@test "a hook has the worker's user, directory, environment and log" {
	one_file "pre_start: [sh, -c, 'echo hook in \$\$(pwd) with \$\$X for \$\$SUPD_NAME; ls /proc/self/fd | wc -l >$T/fds; env >$T/env']
    cwd: $T
    env: {X: seven}
    heartbeat: 1h"
	start_supd
	wait_node w state ready
	wait_until "$PATIENCE" log_has root/w "hook in $T with seven for w"
	refute grep -E '^(SUPD_FD|NOTIFY_SOCKET|WATCHDOG_USEC|WATCHDOG_PID)=' "$T/env"
	# stdin, stdout, stderr, and the directory that ls reads
	assert_equal "$(cat "$T/fds")" 4
}

@test "a pre_start that fails is a failed start" {
	one_file 'pre_start: [sh, -c, "exit 7"]'
	launch_supd
	wait_supd
	assert_equal "$SUPD_RC" 70
	supd_log_has "w: failed to start: pre_start: exit 7"
}

@test "a pre_start that is not there says which" {
	one_file 'pre_start: [./no-such-setup, x]'
	launch_supd
	wait_supd
	assert_equal "$SUPD_RC" 70
	supd_log_has "pre_start: exec ./no-such-setup: No such file or directory"
}

@test "a pre_start that hangs is killed after hook_timeout" {
	one_file "pre_start: [sh, -c, 'sleep 1000 & echo \$\$! >$T/pid; wait']
    hook_timeout: 300ms"
	launch_supd
	wait_supd
	assert_equal "$SUPD_RC" 70
	supd_log_has "pre_start: not done in time"
	gone "$(cat "$T/pid")"
}

@test "status tells that pre_start runs, and of no process" {
	one_file "pre_start: [sh, -c, 'until [ -e $T/go ]; do sleep 0.05; done']"
	start_supd
	wait_node w state starting
	assert_node w pid null
	assert_node w incarnation 0
	assert_regex "$(node w detail)" '^pre_start running, 2[0-9]s left$'
	run_supctl 1 kill w
	assert_regex "$stderr" "is not running"
	touch "$T/go"
	wait_node w state ready
	assert_node w incarnation 2
	assert_node w restarts 0
	assert_node w last_exit null
	run_supctl why w
	assert_output --partial "it has never ended"
}

@test "post_stop runs after each end, with its reason" {
	one_file "post_stop: $(tells said '$$EXIT_REASON code=$$EXIT_CODE signal=$$EXIT_SIGNAL')" \
		"[sh, -c, 'test -e $T/code || exec sleep 1000; sleep 0.2; exit 3']"
	start_supd
	wait_node w state ready
	kill -SEGV "$(pid_of w)"
	wait_restarted w 1
	run_supctl stop w
	assert_equal "$(sed -n 1p "$T/said")" "signal code= signal=SEGV"
	assert_equal "$(sed -n 2p "$T/said")" "shutdown code= signal=TERM"
	touch "$T/code"
	run_supctl start w
	wait_until "$PATIENCE" grep -q code=3 "$T/said"
	assert_equal "$(sed -n 3p "$T/said")" "exit code=3 signal="
}

@test "an end before it is ready has its post_stop, too" {
	one_file "ready: notify
    post_stop: $(tells said '$$EXIT_REASON $$EXIT_CODE')" '[mole, exit, "4"]'
	launch_supd
	wait_supd
	assert_equal "$SUPD_RC" 70
	assert_equal "$(cat "$T/said")" "early_exit 4"
}

@test "its names are free when post_stop runs" {
	config <<-EOF
	supervisor: root
	intensity: 50
	children:
	  - worker: counter
	    command: [counter]
	    ready: notify
	    post_stop: [sh, -c, '$SUPCTL names >$T/names']
	EOF
	start_supd
	wait_node counter state ready
	run_supctl names
	assert_output --partial counter
	run_supctl stop counter
	refute grep -q 'counter.*<' "$T/names"
}

@test "nothing is started before post_stop is done" {
	one_file "post_stop: [sh, -c, 'until [ -e $T/go ]; do sleep 0.05; done']"
	start_supd
	wait_node w state ready
	remember
	kill -KILL "$(pid_of w)"
	wait_node w state stopping
	assert_node w pid null
	assert_regex "$(node w detail)" '^post_stop running, [0-9]+s left$'
	assert_node w incarnation 1
	touch "$T/go"
	wait_restarted w 1
	assert_node w last_exit SIGKILL
	assert_node w restarts 1
	assert_kept_pid quiet
	run_supctl --json events -n 100
	assert_equal "$(jq -rs --argjson s "$SINCE" 'map(select(.seq > $s and
		.path == "root/w") | .kind) | join(" ")' <<<"$output")" \
		"exited hook starting ready"
	run_supctl why w
	assert_output --partial "SIGKILL"
}

@test "a post_stop that fails is reported and changes nothing" {
	one_file 'post_stop: [sh, -c, "echo cannot clean up; exit 5"]'
	start_supd
	wait_node w state ready
	kill -KILL "$(pid_of w)"
	wait_restarted w 1
	supd_log_has "w: post_stop: exit 5"
	assert_node w last_exit SIGKILL
	run_supctl why w
	assert_output --partial "post_stop: exit 5"
	run_supctl stop w
	assert_node w state stopped
	assert_node w last_exit stopped
}

@test "a post_stop that hangs is killed, with what it has started" {
	one_file "post_stop: [sh, -c, 'sleep 1000 & echo \$\$! >$T/pid; wait']
    hook_timeout: 300ms"
	start_supd
	wait_node w state ready
	run_supctl stop w
	assert_node w state stopped
	gone "$(cat "$T/pid")"
	supd_log_has "post_stop: not done in time"
}

@test "supd's own stop ends a pre_start, and the program never starts" {
	one_file "pre_start: [sh, -c, 'echo \$\$\$\$ >$T/pid; exec sleep 1000']" \
		"[sh, -c, 'echo >$T/ran; exec sleep 1000']"
	start_supd
	wait_until "$PATIENCE" [ -s "$T/pid" ]
	stop_supd
	assert_equal "$SUPD_RC" 0
	gone "$(cat "$T/pid")"
	[ ! -e "$T/ran" ]
}

@test "a stop while post_stop runs is one stop, and nothing is started" {
	one_file "post_stop: [sh, -c, 'until [ -e $T/go ]; do sleep 0.05; done']"
	start_supd
	wait_node w state ready
	remember
	kill -KILL "$(pid_of w)"
	wait_node w state stopping
	run_supctl stop --no-wait w
	touch "$T/go"
	wait_node w state stopped
	wait_until "$PATIENCE" older_than w 500000000
	assert_node w state stopped
	assert_node w desired down
	assert_equal "$(story)" ""
}

@test "supd's own stop waits for post_stop" {
	one_file "post_stop: $(tells said finished)"
	start_supd
	wait_node w state ready
	stop_supd
	assert_equal "$SUPD_RC" 0
	assert_equal "$(cat "$T/said")" finished
}
