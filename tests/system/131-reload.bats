#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# supctl diff, apply and reload, and SIGHUP: what changes is touched, all else
# goes on with the same processes.
#
# shellcheck disable=SC2016 # $a is sed's

load helpers

# The tree that most tests begin with.
shop() {
	config <<-'EOF'
	supervisor: root
	intensity: 3
	period: 30s
	children:
	  - supervisor: site
	    strategy: rest_for_one
	    children:
	      - {worker: db, command: [sleep, "1000"]}
	      - {worker: web, command: [sleep, "1000"]}
	      - {worker: api, command: [sleep, "1000"]}
	  - {worker: one, command: [sleep, "1000"]}
	  - {worker: two, command: [sleep, "1000"]}
	  - supervisor: jobs
	    strategy: simple_one_for_one
	    template: {command: [sleep], restart: permanent}
	EOF
	start_supd
	wait_node root state up
}

# edit SED-SCRIPT: a new version of the file.
edit() {
	sed -i "$1" "$T/supd.yaml"
}

# All pids, as "path pid" lines.
pids() {
	timeout 30 "$SUPCTL" --json status |
		jq -r '.[] | select(.pid != null) | "\(.path) \(.pid)"'
}

# Whose pid is another than in the file $T/before.
touched() {
	diff <(sort "$T/before") <(pids | sort) | sed -n 's/^> root\/\([^ ]*\) .*/\1/p'
}

remember_pids() {
	pids >"$T/before"
}

@test "a file without changes changes nothing: diff 0, apply 0" {
	shop
	remember_pids
	run_supctl diff
	assert_output 'no changes'
	run_supctl --json diff
	[ "$(jq -c .changes <<<"$output")" = '[]' ]
	run_supctl apply
	assert_output 'no changes'
	assert_equal "$(touched)" ''
}

@test "diff tells what is different and who restarts, and does nothing" {
	shop
	remember_pids
	edit '3s/30s/20s/; /worker: db/s/1000/1001/; /worker: two/d
		$a\  - {worker: new, command: [sleep, "1000"]}'
	run_supctl 10 diff
	assert_output - <<-'EOF'
	~  root     period: 30s -> 20s  (supd.yaml:3)
	~  site/db  command: [sleep, "1000"] -> [sleep, "1001"]  (supd.yaml:8)
	+  new      new worker  (supd.yaml:15)
	-  two      worker, not in the file any more
	would stop two
	would restart site/db, and site/web, site/api after it (rest_for_one)
	would start new
	EOF
	run_supctl 10 apply --dry-run
	assert_output --partial 'would restart site/db'
	run_supctl 10 --json diff
	jq -e '.changes | map(select(.change == "restart")) |
		map([.path, .because, .strategy]) | sort == [
		["root/site/api", "root/site/db", "rest_for_one"],
		["root/site/db", null, null],
		["root/site/web", "root/site/db", "rest_for_one"]]' <<<"$output"
	assert_equal "$(touched)" ''
}

# told: of whom the last command has printed what became of them, in order.
told() {
	sed -nE 's/^([^ ]+): (removed|stopped|started|restarted).*/\1/p' \
		<<<"$output" | paste -sd ' '
}

@test "apply restarts what changed and what the strategy takes along" {
	shop
	remember_pids
	edit '/worker: web/s/1000/1001/; s/intensity: 3/intensity: 4/'
	run_supctl apply
	assert_line --regexp '^site/web: restarted, pid [0-9]+$'
	assert_line --regexp '^site/api: restarted, pid [0-9]+$'
	assert_equal "$(told)" 'site/web site/api'
	assert_equal "$(touched)" $'site/api\nsite/web'
	[ "$(tr '\0' ' ' <"/proc/$(pid_of site/web)/cmdline")" = 'sleep 1001 ' ]
	assert_node root intensity 4
	# Not through any fault of theirs.
	assert_node site/web restarts 0
	assert_node site used 0
	run_supctl diff
	run_supctl why site/web
	assert_output --partial 'its configuration has changed'
}

@test "apply starts what is new, in order, and stops what is removed, in reverse" {
	shop
	remember_pids
	edit '/worker: one/d; /worker: two/d
		$a\  - {worker: n1, command: [sleep, "1000"]}\n  - {worker: n2, command: [sleep, "1000"]}'
	run_supctl apply
	assert_line 'one: removed'
	assert_line --regexp '^n1: started, pid [0-9]+$'
	assert_equal "$(told)" 'two one n1 n2'
	assert_equal "$(touched)" $'n1\nn2'
	run_supctl 4 status one
	run_supctl --json events -n 40
	[ "$(jq -sr 'map(select(.kind == "stopped" or .kind == "ready") |
		"\(.kind) \(.path)") | .[-4:] | join(",")' <<<"$output")" = \
		'stopped root/two,stopped root/one,ready root/n1,ready root/n2' ]
	run_supctl list
	assert_output $'root\nsite\nsite/db\nsite/web\nsite/api\njobs\nn1\nn2'
}

@test "keys that need no new start take effect without one" {
	shop
	remember_pids
	edit '/worker: one/s/}/, restart: temporary, log: {prefix: false}}/'
	run_supctl 10 diff
	refute_output --partial 'would'
	run_supctl apply
	assert_equal "$(touched)" ''
	run_supctl show one
	assert_line --regexp '^restart +temporary'
	run_supctl kill -s KILL one
	wait_until "$PATIENCE" not timeout 5 "$SUPCTL" status one
}

@test "what was stopped by hand stays stopped over reload and apply" {
	shop
	run_supctl stop one site/api
	edit '/worker: one/s/1000/1001/; /worker: db/s/1000/1001/'
	run_supctl reload
	assert_node one state stopped
	run_supctl apply
	assert_node one state stopped
	assert_node one desired down
	assert_node site/api state stopped
	run_supctl start one
	[ "$(tr '\0' ' ' <"/proc/$(pid_of one)/cmdline")" = 'sleep 1001 ' ]
}

@test "reload only takes the file for the starts to come" {
	shop
	remember_pids
	edit '/worker: one/s/1000/1001/; /worker: two/d
		$a\  - {worker: new, command: [sleep, "1000"]}'
	run_supctl reload
	assert_line 'supctl apply would restart one'
	assert_line 'supctl apply would stop two'
	assert_line 'supctl apply would start new'
	assert_equal "$(touched)" ''
	assert_node new state stopped
	assert_node new detail 'new; supctl apply starts it'
	assert_node one detail 'changed by a reload; see supctl diff'
	run_supctl list
	assert_output $'root\nsite\nsite/db\nsite/web\nsite/api\none\njobs\nnew\ntwo'
	# The next start is by the new file.
	run_supctl kill -s KILL one
	wait_restarted one 1
	[ "$(tr '\0' ' ' <"/proc/$(pid_of one)/cmdline")" = 'sleep 1001 ' ]
	# What a reload has left undone is still to do.
	run_supctl 10 diff
	assert_output $'would stop two\nwould start new'
	run_supctl reload --apply
	assert_node new state ready
	run_supctl 4 status two
	run_supctl diff
}

@test "a bad file is refused with 8 and its errors; the tree goes on" {
	shop
	remember_pids
	edit '/worker: one/s/command/comand/; /worker: two/s/}/, restart: never}/'
	# shellcheck disable=SC2154 # bats sets it
	for verb in diff apply reload; do
		run_supctl 8 $verb
		[[ $stderr = *"supd.yaml:11:"*'unknown key "comand"'*did\ you\ mean* ]]
		[[ $stderr = *'unknown restart "never"'* ]]
	done
	run_supctl 8 apply "$T/nosuch.yaml"
	[[ $stderr = *'No such file'* ]]
	assert_equal "$(touched)" ''
	kill -HUP "$(keeper_pid)"
	wait_until "$PATIENCE" supd_log_has 'is refused; nothing changes'
	assert_equal "$(touched)" ''
	run_supctl show one
	assert_line --regexp '^command +\[sleep, "1000"\]'
}

@test "what cannot change while supd runs is refused as a whole" {
	shop
	remember_pids
	cp "$T/supd.yaml" "$T/orig"
	edit '1s/root/trunk/; /worker: one/s/1000/1001/'
	run_supctl 8 apply
	[[ $stderr = *"the root's name cannot change"* ]]
	cp "$T/orig" "$T/supd.yaml"
	edit '/worker: one/s/1000/1001/; s/strategy: simple_one_for_one/strategy: one_for_one/; s/template:.*/children: []/'
	run_supctl 8 apply
	[[ $stderr = *'jobs cannot change between simple_one_for_one and another'* ]]
	cp "$T/orig" "$T/supd.yaml"
	edit '/worker: one/s/1000/1001/; /worker: two/s/}/, instances: 9999}/'
	for i in 1 2 3 4 5 6 7 8 9; do
		edit "\$a\\  - {worker: many$i, command: [sleep, \"1000\"], instances: 9999}"
	done
	if [ "$(ulimit -Hn)" -lt 90000 ]; then
		run_supctl 8 apply
		[[ $stderr = *'nodes are new, but only'* ]]
	fi
	assert_equal "$(touched)" ''
}

@test "SIGHUP makes the file true" {
	shop
	remember_pids
	edit '/worker: one/s/1000/1001/; /worker: two/d'
	kill -HUP "$(keeper_pid)"
	wait_until "$PATIENCE" supd_log_has 'supd.yaml: done'
	assert_equal "$(touched)" one
	run_supctl 4 status two
}

@test "another file is in force until supd reads its own again" {
	shop
	sed '/worker: one/s/1000/1001/' "$T/supd.yaml" >"$T/other.yaml"
	cd "$T"
	run_supctl apply other.yaml
	assert_line --regexp '^one: restarted'
	[[ $stderr = *"supd's own file is $T/supd.yaml"* ]]
	run_supctl diff other.yaml
	run_supctl 10 diff
	assert_output --partial '[sleep, "1001"] -> [sleep, "1000"]'
	run_supctl apply
	refute [ -n "$stderr" ]
	[ "$(tr '\0' ' ' <"/proc/$(pid_of one)/cmdline")" = 'sleep 1000 ' ]
}

@test "a start that fails is told with its reason, and exit 1" {
	shop
	remember_pids
	edit '/worker: one/s/sleep/nosuchprogram/
		$a\  - {worker: new, command: [sleep, "1000"]}'
	run_supctl 1 apply
	[[ $stderr = *'one: exec nosuchprogram: No such file or directory'* ]]
	[[ $stderr = *'new: not started, because one before it has failed'* ]]
	assert_node one state stopped
	# Repaired, the next one does what is owed.
	edit '/worker: one/s/nosuchprogram/sleep/'
	run_supctl apply
	assert_node one state ready
	assert_node new state ready
	# What failed was the other program.
	assert_node one last_exit 'exec nosuchprogram: No such file or directory'
}

@test "a pool's children are made again of the new template" {
	shop
	run_supctl add jobs 2001
	run_supctl add jobs 2002
	remember_pids
	edit 's/template: {command: \[sleep\]/template: {command: [sleep, "1"]/'
	run_supctl apply
	assert_equal "$(touched)" $'jobs/1\njobs/2'
	[ "$(tr '\0' ' ' <"/proc/$(pid_of jobs/2)/cmdline")" = 'sleep 1 2002 ' ]
	run_supctl add jobs 3
	[ "$(tr '\0' ' ' <"/proc/$(pid_of jobs/3)/cmdline")" = 'sleep 1 3 ' ]
}

@test "a child added by hand is kept, and becomes the file's by its name" {
	shop
	run_supctl add root '{worker: extra, command: [sleep, "1000"]}'
	run_supctl add root '{worker: mine, command: [sleep, "1000"]}'
	remember_pids
	edit '$a\  - {worker: extra, command: [sleep, "1001"]}'
	run_supctl apply
	assert_equal "$(touched)" extra
	assert_node extra dynamic false
	assert_node mine dynamic true
	# The file has it no more: it goes.
	edit '$d'
	run_supctl apply
	run_supctl 4 status extra
	assert_node mine state ready
}

@test "what was removed by hand is there again, stopped" {
	shop
	run_supctl remove one
	run_supctl 4 status one
	run_supctl diff
	run_supctl apply
	assert_node one state stopped
	run_supctl list
	assert_output $'root\nsite\nsite/db\nsite/web\nsite/api\none\ntwo\njobs'
	run_supctl start one
}

@test "start_rate, intensity and strategy of supervisors change live" {
	shop
	remember_pids
	edit 's/rest_for_one/one_for_all/; s/period: 30s/period: 30s\nstart_rate: 50/'
	run_supctl apply
	assert_equal "$(touched)" ''
	run_supctl kill -s KILL site/api
	wait_restarted site/db 1
	run_supctl why site/db
	assert_output --partial 'one_for_all: stop web, db; start db, web, api'
}

@test "instances come and go without touching the others" {
	shop
	edit '/worker: one/s/}/, instances: 3}/'
	run_supctl apply
	remember_pids
	edit '/worker: one/s/instances: 3/instances: 5/'
	run_supctl apply
	assert_equal "$(touched)" $'one.4\none.5'
	edit '/worker: one/s/instances: 5/instances: 3/'
	run_supctl apply
	assert_equal "$(touched)" ''
	run_supctl list 'one*'
	assert_output $'one.1\none.2\none.3'
}

@test "a worker becomes a supervisor of the same name" {
	shop
	edit '/worker: one/c\  - {supervisor: one, children: [{worker: in, command: [sleep, "1000"]}]}'
	run_supctl apply
	assert_node one type supervisor
	assert_node one/in state ready
	edit '/supervisor: one/c\  - {worker: one, command: [sleep, "1000"]}'
	run_supctl apply
	assert_node one state ready
	run_supctl diff
}

@test "apply repairs a crash loop" {
	config <<-'EOF'
	supervisor: root
	intensity: 100000
	period: 1s
	children:
	  - {worker: loops, command: [mole, exit, "1"]}
	  - {worker: calm, command: [sleep, "1000"]}
	EOF
	start_supd
	wait_node calm state ready
	remember_pids
	edit 's/mole, exit, "1"/sleep, "1000"/'
	run_supctl apply
	wait_node loops state ready
	[ "$(tr '\0' ' ' <"/proc/$(pid_of loops)/cmdline")" = 'sleep 1000 ' ]
	grep "^root/calm $(pid_of calm)\$" "$T/before"
}

@test "one at a time: a second one is refused, and told what is waited for" {
	config <<-'EOF'
	supervisor: root
	children:
	  - supervisor: slow
	    children:
	      - {worker: a, command: [sleep, "1000"]}
	EOF
	start_supd
	wait_node root state up
	# Its supervisor is busy until this is ready, which it never is.
	run_supctl add --no-wait slow \
		'{worker: never, command: [sleep, "1000"], ready: notify, start_timeout: infinity}'
	edit '$s/1000/1001/'
	run_supctl 7 apply --timeout 300ms
	[[ $stderr = *'waits until slow is free'* ]]
	run_supctl 1 reload
	[[ $stderr = *'another one is under way'*'waits until slow is free'* ]]
	run_supctl 10 diff
	kill -HUP "$(keeper_pid)"
	wait_until "$PATIENCE" supd_log_has 'another apply comes after it'
	run_supctl kill -s KILL slow/never
	wait_until "$PATIENCE" restarted_since slow/a 1
	wait_until "$PATIENCE" supd_log_has 'SIGHUP: applying'
}

@test "of 2,000 workers only the one that changed is touched" {
	{
		echo 'supervisor: root'
		echo 'intensity: 3'
		echo 'period: 5s'
		echo 'children:'
		for i in $(seq 2000); do
			echo "  - {worker: w$i, command: [mole, sleep]}"
		done
	} >"$T/supd.yaml"
	start_supd
	wait_node w2000 state ready 120
	remember_pids
	edit '/w777,/s/sleep/sleep, more/'
	run_supctl 10 diff
	assert_line 'would restart w777'
	run_supctl apply --timeout 30s
	assert_equal "$(touched)" w777
	run_supctl diff
	assert_output 'no changes'
}
