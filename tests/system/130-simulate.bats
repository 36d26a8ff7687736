#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# supctl simulate: what would happen, and that nothing does.

load helpers

site() {
	config <<-'EOF'
	supervisor: root
	intensity: 1
	period: 30s
	children:
	  - supervisor: site
	    strategy: rest_for_one
	    intensity: 2
	    period: 5s
	    children:
	      - {worker: db, command: [sleep, "1000"]}
	      - {worker: web, command: [sleep, "1000"]}
	      - {worker: api, command: [sleep, "1000"]}
	  - {worker: once, command: [sleep, "1000"], restart: temporary}
	  - {worker: off, command: [sleep, "1000"], enabled: false}
	EOF
	start_supd
	wait_node root state up
}

# What does not change by itself.
state_now() {
	timeout 30 "$SUPCTL" --json status |
		jq -c 'map(del(.uptime_ns, .since_ns, .last_exit_ago_ns))'
	timeout 30 "$SUPCTL" --json events -n 1 | jq .seq
}

@test "a crash is told as the strategy would act on it, and nothing is done" {
	site
	local before
	before=$(state_now)
	run_supctl simulate crash site/web
	assert_output - <<-'EOF'
	+0.0s  site/web  crashes (SIGSEGV)
	+0.0s  site      rest_for_one: stop api; start web, api (1/2 in 5s)
	1 crash of site/web: 1 restart, 2 starts and 1 stop of workers, nobody would give up
	EOF
	run_supctl simulate crash site/db --repeat 100 --every 1s
	assert_equal "$(state_now)" "$before"
}

@test "repeated crashes lead up to the end of supd" {
	site
	run_supctl simulate crash site/db --repeat 100 --every 500ms
	assert_line --partial 'site     more than 2 restarts in 5s, the last for db (SIGSEGV)'
	assert_line --partial 'root     one_for_one: start site (1/1 in 30s)'
	assert_line --partial 'root     supd would end with 70'
	assert_line '6 crashes of site/db, one every 0.5s: 5 restarts, 15 starts and 13 stops of workers, and supd would end'
	# Seldom enough, it goes on for ever.
	run_supctl simulate crash site/db --repeat 50 --every 3s
	assert_line --partial 'nobody would give up'
	alive "$(pid_of site/db)"
}

@test "the real crash does what was told" {
	site
	run_supctl simulate crash site/db
	local told=${lines[1]#* site *}
	run_supctl kill -s SEGV site/db
	wait_restarted site/api 1
	run_supctl why site/api
	assert_output --partial "${told# }"
}

@test "--json tells the same" {
	site
	run_supctl --json simulate crash site/db --repeat 2 --every 100ms
	jq -e '.path == "site/db" and (.steps | length) == 4 and
		.steps[2] == {at_ns: 100000000, kind: "crash",
			path: "root/site/db", text: "crashes (SIGSEGV)"}' <<<"$output"
}

@test "who cannot crash is refused, and so are odd numbers" {
	site
	run_supctl 2 simulate crash site
	# shellcheck disable=SC2154 # bats sets it
	[[ $stderr = *'name a worker below it, site/db'* ]]
	run_supctl 1 simulate crash off
	run_supctl 4 simulate crash nobody
	run_supctl 2 simulate crash 'site/*'
	run_supctl 2 simulate fire site/db
	run_supctl 2 simulate crash site/db --repeat 0
	run_supctl 2 simulate crash site/db --every 5
	run_supctl simulate crash once --repeat 3
	assert_line --partial 'stays down'
}
