#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# supctl as an operator meets it: the verbs that look.

load helpers
load supctl-tree

@test "status shows every node in the order of the tree" {
	tree
	run_supctl status
	assert_line --index 0 --regexp '^NAME +STATE +PID +UPTIME +RESTARTS +LAST EXIT +DETAIL$'
	assert_line --index 1 --regexp '^root +up +- .* one_for_one +0/20 in 10s$'
	assert_line --regexp '^a +ready +[0-9]+ +[0-9.]+s +0 +- +permanent$'
	assert_line --regexp '^web +up +- .* rest_for_one 0/20 in 10s$'
	assert_line --regexp '^web/api +ready '
	assert_line --regexp '^off +disabled +- '
	assert_line --regexp '^fatal +failed +- +- +0 +exit 78 \(fatal\) '
	assert_line --regexp '^jobs +up .* simple_one_for_one '
}

@test "status -t draws the tree, or a part of it" {
	tree
	run_supctl status -t
	assert_line --regexp '^\|- a +ready '
	assert_line --regexp '^\|- web +up '
	assert_line --regexp '^\|  \|- api +ready '
	assert_line --regexp '^\|  `- queue +ready '
	assert_line --regexp '^`- jobs +up '
	run_supctl status -t web
	assert_line --index 1 --regexp '^web +up '
	assert_line --index 2 --regexp '^\|- api +ready '
	assert_line --index 3 --regexp '^`- queue +ready '
	[ "${#lines[@]}" -eq 4 ]
}

@test "status --json is an array of nodes, of one path an object" {
	tree
	run_supctl --json status
	[ "$(jq -r 'map(.path) | join(" ")' <<<"$output")" = "root root/a root/web root/web/api root/web/queue root/off root/fatal root/evil root/lab root/jobs" ]
	[ "$(jq '[.[] | has("path","type","state","pid","incarnation","uptime_ns","restarts","last_exit","desired")] | all' <<<"$output")" = true ]
	run_supctl --json status web/api
	[ "$(jq -r .type <<<"$output")" = worker ]
	run_supctl status --json root
	[ "$(jq -r '.type + .strategy' <<<"$output")" = supervisorone_for_one ]
	run_supctl --json status 'web/*'
	[ "$(jq length <<<"$output")" = 2 ]
}

@test "list prints paths, one a line" {
	tree
	run_supctl list
	assert_line --index 0 root
	assert_line --index 3 web/api
	run_supctl list 'web/*'
	assert_output $'web/api\nweb/queue'
	run_supctl --json list 'web/*'
	assert_output '["web/api","web/queue"]'
}

@test "show tells each value and where it comes from" {
	tree
	run_supctl show web/api
	assert_line --regexp '^command +.*hello.*supd.yaml:[0-9]+$'
	assert_line --regexp '^restart +permanent +.*default'
	run_supctl --json show web
	[ "$(jq -r '.[] | select(.key == "strategy").value' <<<"$output")" = rest_for_one ]
}

@test "why tells who failed first" {
	tree
	local inc
	inc=$(inc_of web/queue)
	run_supctl kill -s KILL web/api
	wait_restarted web/queue "$inc"
	run_supctl why web/queue
	assert_line --index 0 --regexp 'queue .*not through its own failure'
	assert_line --regexp '^ +[0-9.]+s  web/api +.*SIGKILL'
	run_supctl why web/api
	assert_line --partial 'hello from'
	run_supctl --json why web/api
	[ "$(jq -r .headline <<<"$output")" != null ]
	[ "$(jq '.story | length > 0' <<<"$output")" = true ]
}

@test "events are told in order, and counted" {
	tree
	run_supctl events -n 3
	[ "${#lines[@]}" -eq 3 ]
	run_supctl --json events -n 1000
	[ "$(jq -s '[.[].seq] | . == sort and length > 5' <<<"$output")" = true ]
}

@test "events -f goes on, and ends with supd and a message" {
	tree
	timeout 60 "$SUPCTL" events -f -n 0 >"$T/events" 2>"$T/err" 3>&- &
	local pid=$!
	# It follows once a kill is seen; one that came before is not.
	seen() {
		run_supctl kill -s HUP a
		grep -q ' a  ' "$T/events"
	}
	wait_until "$PATIENCE" seen
	run_supctl shutdown
	local rc=0
	wait "$pid" || rc=$?
	[ "$rc" -eq 6 ]
	grep -q 'supd has ended' "$T/err"
}

@test "logs prints the last lines; -f goes on across restarts" {
	tree
	run_supctl logs web/api
	assert_output --regexp 'hello from [0-9]+$'
	timeout 60 "$SUPCTL" logs -f web/api >"$T/lines" 2>"$T/err" 3>&- &
	local pid=$! inc
	wait_until "$PATIENCE" grep -q 'hello from' "$T/lines"
	inc=$(inc_of web/api)
	run_supctl restart web/api
	wait_until "$PATIENCE" grep -q "hello from $(pid_of web/api)" "$T/lines"
	stop_supd
	local rc=0
	wait "$pid" || rc=$?
	[ "$rc" -eq 6 ]
	grep -q 'supd has ended' "$T/err"
}

@test "what a worker prints cannot reach the terminal" {
	tree
	wait_until "$PATIENCE" eval "$SUPCTL logs evil | grep -q red"
	run_supctl logs evil
	assert_output --partial '\033[31mred\033]0;title\007'
	run_supctl --json logs evil
	assert_output --partial '\u001B[31mred'
}

@test "ping and version ask supd" {
	tree
	run_supctl ping
	assert_output --regexp "^supd 0.* is up, pid $(keeper_pid), "
	run_supctl --json ping
	[ "$(jq .pid <<<"$output")" = "$(keeper_pid)" ]
	run_supctl version
	assert_line --regexp '^supctl +[0-9.]+$'
	assert_line --regexp "^supd +[0-9.]+, pid $(keeper_pid)$"
}
