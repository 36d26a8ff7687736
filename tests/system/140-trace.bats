#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# supd --trace: what it records can be done again, to the last effect.

load helpers

site() {
	config <<-'EOF'
	supervisor: root
	intensity: 100
	period: 1s
	children:
	  - supervisor: group
	    strategy: one_for_all
	    intensity: 20
	    children:
	      - {worker: a, command: [mole, sleep]}
	      - worker: b
	        command: [mole, sleep]
	        health: {probe: ["true"], interval: 50ms}
	      - {worker: c, command: [mole, sleep], restart: temporary}
	  - worker: stubborn
	    command: [mole, ignore-term]
	    shutdown: 200ms
	    pre_start: ["true"]
	  - worker: flaky
	    command: [sh, -c, "sleep 0.2; exit 3"]
	    backoff: {min: 50ms, max: 200ms}
	  - supervisor: pool
	    strategy: simple_one_for_one
	    template: {command: [mole, sleep]}
	EOF
}

replay() {
	run timeout 60 "$REPLAY" "$@"
	echo "$output"
}

# A life with a bit of everything, recorded in $T/trace.
live() {
	site
	start_supd --trace "$T/trace"
	wait_node root state up
	run_supctl kill --signal KILL root/group/c
	run_supctl kill --signal ABRT root/group/b
	wait_restarted group/b 1
	run_supctl restart root/stubborn
	run_supctl add pool '[]'
	run_supctl add group '{worker: more, command: [mole, sleep]}'
	run_supctl stop root/group/a
	run_supctl start root/group/a
	run_supctl remove root/group/more
	wait_restarted flaky 2
	sed -i 's/worker: a, command: \[mole, sleep\]/&, shutdown: 1s/' \
		"$T/supd.yaml"
	run_supctl apply
	stop_supd
	assert_equal "$SUPD_RC" 0
}

@test "a trace of a real life replays to the last effect" {
	live
	replay "$T/trace"
	assert_success
	assert_output --partial 'effects: as recorded'
	replay -v "$T/trace"
	assert_line --partial 'root/group/b 1 exited SIGABRT'
	assert_line --partial 'report root/group/b restart (SIGABRT'
	assert_line --partial 'root/stubborn 2 exited SIGKILL'
	assert_line --partial 'start_child'
	assert_line --partial 'apply'
	assert_line --partial 'done ('
	# Nobody else may read what programs and users are called.
	assert_equal "$(stat -c %a "$T/trace")" 600
}

@test "a trace is whole while supd runs, and one cut short is told" {
	site
	start_supd --trace "$T/trace"
	wait_node root state up
	wait_until "$PATIENCE" "$REPLAY" "$T/trace"
	stop_supd
	head -c $(($(stat -c %s "$T/trace") - 3)) "$T/trace" >"$T/cut"
	replay "$T/cut"
	assert_success
	assert_output --partial 'the last record is cut short'
}

@test "a damaged trace and what is none are told apart from a good one" {
	live
	cp "$T/trace" "$T/bad"
	printf 'XX' | dd of="$T/bad" bs=1 seek=3000 conv=notrunc status=none
	replay "$T/bad"
	assert_failure 2
	assert_output --partial "$T/bad: damaged at byte"
	replay "$T/supd.yaml"
	assert_failure 2
	assert_output --partial 'not a trace of supd'
	# The next trace may take the place of this one, not of the file there.
	start_supd --trace "$T/trace"
	stop_supd
	replay "$T/trace"
	assert_success
}

@test "a trace that cannot be written is an error at the start" {
	site
	launch_supd --trace "$T/supd.yaml"
	wait_supd
	assert_equal "$SUPD_RC" 73
	run grep -F "exists and is not a trace" "$T/supd.log"
	assert_success
	mkfifo "$T/fifo"
	launch_supd --trace "$T/fifo"
	wait_supd
	assert_equal "$SUPD_RC" 73
	rm "$T/fifo"
	launch_supd --trace "$T/nowhere/trace"
	wait_supd
	assert_equal "$SUPD_RC" 73
	run grep -F "nowhere/trace: No such file or directory" "$T/supd.log"
	assert_success
}
