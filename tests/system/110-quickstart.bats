#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The demo tree by its own script, and what README.md tells to try.

load helpers
load story

# quickstart: the demo tree in $T, with a port of its own.  Meson's ninja would
# wait for the one that runs this test, so nothing is built: ours does nothing.
quickstart() {
	DEMO_PORT=$(free_port)
	mkdir "$T/bin"
	printf '#!/bin/sh\nexit 0\n' >"$T/bin/ninja"
	chmod 755 "$T/bin/ninja"
	export DEMO_PORT
	SUPD_SOCKET=$T/supd-demo-$(id -u)/control.sock
	PATH=$T/bin:$PATH SUPD_BUILD=$(dirname "$(dirname "$SUPD")") TMPDIR=$T \
		timeout --foreground -k 5 120 sh "$BATS_TEST_DIRNAME/../../etc/quickstart" \
		>"$T/supd.log" 2>&1 </dev/null 3>&- &
	SUPD_PID=$!
	wait_until "$PATIENCE" answers_or_ended
	wait_node root state up
}

@test "the quickstart's tree comes up, heals and ends by SIGINT" {
	quickstart
	run_supctl call counter '["increment"]'
	assert_output 1
	run_supctl kill -s KILL counter
	wait_restarted counter 1
	run_supctl call counter '["increment"]'
	assert_output 1
	run_supctl call alice '["tell", "bob", "hello"]'
	wait_until "$PATIENCE" grep -q "Message from alice: hello" \
		"${SUPD_SOCKET%/*}/logs/root/chat/bob.log"
	run_supctl kill -s KILL kin/parent
	wait_restarted kin/parent 1
	remember
	run_supctl kill -s KILL site/web
	wait_restarted site/report 1
	assert_kept_pid pair/pong pair/ping counter
	run_supctl why site/report
	assert_output --partial 'rest_for_one: stop report, cache; start web, cache, report'
	run_supctl kill -s KILL pair/pong
	wait_restarted pair/ping 1
	run_supctl stop counter
	run_supctl 4 call counter '["increment"]'
	run_supctl start counter
	run_supctl call counter '["increment"]'
	assert_output 1
	run_supctl add jobs 300
	assert_output --partial 'jobs/1: ready'
	remember
	sed 's/"2000"/"500"/; /flaky/,/20000/d' \
		"$BATS_TEST_DIRNAME/../../etc/supd.yaml" >"$T/faster.yaml"
	run_supctl 10 diff "$T/faster.yaml"
	assert_output - <<-'EOF'
	~  site/report  command: [ticker, "2000"] -> [ticker, "500"]  (faster.yaml:25)
	-  flaky        worker, not in the file any more
	would stop flaky
	would restart site/report
	EOF
	run_supctl apply "$T/faster.yaml"
	assert_kept_pid site/web site/cache pair/pong pair/ping counter jobs/1
	run_supctl 4 status flaky
	kill -INT "$(cat "${SUPD_SOCKET%/*}/supd.pid")"
	wait_supd
	assert_equal "$SUPD_RC" 0
	# A file of its log is all that is left.
	run find "$T/supd-demo-$(id -u)" -type s -o -type p
	assert_output ''
}

@test "the quickstart names a demo that runs and a port in use" {
	quickstart
	run env PATH="$T/bin:$PATH" SUPD_BUILD="$(dirname "$(dirname "$SUPD")")" \
		TMPDIR="$T" timeout 20 sh "$BATS_TEST_DIRNAME/../../etc/quickstart" 3>&-
	assert_failure 1
	assert_output --partial 'the demo runs already'
	mkdir "$T/other"
	run env PATH="$T/bin:$PATH" SUPD_BUILD="$(dirname "$(dirname "$SUPD")")" \
		TMPDIR="$T/other" timeout 20 sh "$BATS_TEST_DIRNAME/../../etc/quickstart" 3>&-
	assert_failure 1
	assert_output --partial "port $DEMO_PORT is in use"
	stop_supd
}
