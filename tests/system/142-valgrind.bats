#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A worker that leaves in good order leaves nothing behind: memory, fds.

load helpers

@test "a libmsg worker that returns from main has released all it had" {
	command -v valgrind >/dev/null || skip "needs valgrind"
	! grep -q __asan_init "$AUDITOR" || skip "has a sanitizer of its own"
	cat >"$T/under" <<-EOF
	exec valgrind --leak-check=full --show-leak-kinds=all \
	    --errors-for-leak-kinds=all --track-fds=yes --error-exitcode=99 "\$@"
	EOF
	config <<-EOF
	supervisor: root
	children:
	  - {worker: counter, command: [counter], ready: notify}
	  - worker: auditor
	    command: [sh, $T/under, $AUDITOR, "50", counter, end]
	    restart: temporary
	EOF
	start_supd
	wait_until 60 log_has root/auditor "ERROR SUMMARY"
	cat "$LOGS/root/auditor.log"
	log_has root/auditor "50 calls, none missed"
	log_has root/auditor "ERROR SUMMARY: 0 errors"
	log_has root/auditor "All heap blocks were freed"
	# All that is open at its end was so at its start.
	assert_equal "$(grep -c 'Open file descriptor\|Open AF_UNIX' \
		"$LOGS/root/auditor.log")" \
		"$(grep -c '<inherited from parent>' "$LOGS/root/auditor.log")"
}
