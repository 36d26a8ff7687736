#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Who is restarted, in which order, and who keeps its pid: each strategy on
# real processes that are killed with SIGKILL.

load helpers
load story

tree() {
	config <<EOF
supervisor: root
strategy: $1
intensity: ${2:-10}
period: 30s
children:
  - {worker: a, command: [mole, sleep]}
  - {worker: b, command: [mole, sleep]}
  - {worker: c, command: [mole, sleep]}
  - {worker: d, command: [mole, sleep]}
EOF
	start_supd
	wait_node root state up
}

@test "one_for_one restarts the one that died and nobody else" {
	tree one_for_one
	remember
	kill -KILL "$(pid_of b)"
	wait_restarted b 1
	assert_equal "$(story)" "start b"
	assert_kept_pid a c d
}

@test "rest_for_one restarts it and those started after it" {
	tree rest_for_one
	remember
	kill -KILL "$(pid_of b)"
	wait_restarted d 1
	assert_equal "$(story)" "stop d, stop c, start b, start c, start d"
	assert_kept_pid a
}

@test "one_for_all restarts all, stopping in reverse order" {
	tree one_for_all
	remember
	kill -KILL "$(pid_of b)"
	wait_restarted d 1
	assert_equal "$(story)" \
		"stop d, stop c, stop a, start a, start b, start c, start d"
}

@test "one_for_all starts those too that an operator had stopped (R-4)" {
	tree one_for_all
	run_supctl stop c
	assert_node c desired down
	remember
	kill -KILL "$(pid_of a)"
	wait_restarted d 1
	assert_node c state ready
}

@test "two that die at once cost one_for_all one restart (R-7)" {
	tree one_for_all 1
	kill -KILL "$(pid_of a)" "$(pid_of b)"
	wait_restarted d 1
	assert_node root used 1
}

@test "too many restarts end supd with code 70, everybody stopped" {
	tree one_for_one 1
	kill -KILL "$(pid_of a)"
	wait_restarted a 1
	kill -KILL "$(pid_of a)"
	wait_supd
	assert_equal "$SUPD_RC" 70
	supd_log_has "gave up"
}

@test "who is stopped because its parent gave up did not give up itself" {
	config <<-'EOF'
	supervisor: root
	intensity: 0
	children:
	  - supervisor: calm
	    children:
	      - {worker: quiet, command: [mole, sleep]}
	  - worker: bad
	    command: [sh, -c, 'sleep 0.2; printf "\033[2Jno luck\n"; exit 3']
	EOF
	launch_supd
	wait_supd
	assert_equal "$SUPD_RC" 70
	supd_log_has "calm: stopped by root"
	# What it said last is told, and cannot drive the terminal.
	supd_log_has 'bad: last output: "?[2Jno luck"'
}

@test "a supervisor that gives up is restarted by its parent" {
	config <<-'EOF'
	supervisor: root
	intensity: 5
	period: 60s
	children:
	  - {worker: quiet, command: [mole, sleep]}
	  - supervisor: sub
	    strategy: one_for_one
	    intensity: 1
	    period: 60s
	    children:
	      - {worker: u, command: [mole, sleep]}
	      - {worker: v, command: [mole, sleep]}
	EOF
	start_supd
	wait_node root state up
	remember
	kill -KILL "$(pid_of sub/u)"
	wait_restarted sub/u 1
	kill -KILL "$(pid_of sub/u)"
	wait_restarted sub/v 1
	assert_equal "$(story)" "start u, stop v, start u, start v"
	assert_kept_pid quiet
	assert_node sub used 0
	run_supctl why sub/v
	assert_output --partial "sub"
}

@test "a transient supervisor that gives up stays down (E-2)" {
	config <<-'EOF'
	supervisor: root
	children:
	  - {worker: quiet, command: [mole, sleep]}
	  - supervisor: sub
	    strategy: one_for_one
	    intensity: 0
	    restart: transient
	    children:
	      - {worker: u, command: [mole, sleep]}
	EOF
	start_supd
	wait_node root state up
	remember
	kill -KILL "$(pid_of sub/u)"
	wait_node sub state stopped
	assert_node sub last_exit "gave up"
	assert_kept_pid quiet
}

@test "simple_one_for_one children come and go at run time" {
	config <<-'EOF'
	supervisor: root
	children:
	  - supervisor: jobs
	    strategy: simple_one_for_one
	    max_children: 2
	    template: {command: [mole], restart: transient}
	EOF
	start_supd
	wait_node root state up
	run_supctl add jobs sleep
	run_supctl add jobs sleep
	run_supctl 1 add jobs sleep
	assert_regex "$stderr" "max_children"
	run_supctl --json status 'jobs/*'
	assert_equal "$(echo "$output" | jq length)" 2
	job=$(echo "$output" | jq -r '.[0].path')
	old=$(inc_of "$job")
	kill -KILL "$(pid_of "$job")"
	wait_restarted "$job" "$old"
	run_supctl remove "$job"
	run_supctl 4 show "$job"
}

@test "significant children end their supervisor when they are done" {
	config <<-'EOF'
	supervisor: root
	auto_shutdown: any_significant
	children:
	  - {worker: side, command: [mole, sleep]}
	  - {worker: main, command: [mole, exit, "0", "300"],
	     restart: transient, significant: true}
	EOF
	launch_supd
	wait_supd
	# The work is done: that is no failure.
	assert_equal "$SUPD_RC" 0
	supd_log_has "side"
}
