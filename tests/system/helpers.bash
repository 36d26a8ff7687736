# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# What every system test begins with: `load helpers`.  Each test has a private
# directory $T (short: the paths of sockets have 107 bytes), a marker in the
# environment of all it starts, and a teardown that stops supd and fails the
# test when a process, a socket or a FIFO is left.
#
# From meson: SUPD, SUPCTL (programs), WORKERS (the directory of the example
# workers).  A test never sleeps: wait_until waits for what should be true.

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
bats_load_library bats-file

: "${SUPD_BUILD:=$BATS_TEST_DIRNAME/../../build}"
: "${SUPD:=$SUPD_BUILD/supd/supd}"
: "${SUPCTL:=$SUPD_BUILD/supd/ctl/supctl}"
: "${WORKERS:=$SUPD_BUILD/workers}"
: "${HOSTILE:=$SUPD_BUILD/tests/system/hostile}"
: "${AUDITOR:=$SUPD_BUILD/tests/system/auditor}"
: "${REPLAY:=$SUPD_BUILD/tests/sim/replay}"
export SUPD SUPCTL WORKERS HOSTILE AUDITOR REPLAY

# How long anything may take that should be quick; sanitizers are slower.
: "${PATIENCE:=20}"

setup() {
	setup_supd
}

teardown() {
	teardown_supd
}

setup_supd() {
	T=$(mktemp -d /tmp/s.XXXXXX)
	SUPD_TEST_ID=${T##*/}.$$
	SUPD_SOCKET=$T/r/control.sock
	# Nothing of the user's own comes in.
	HOME=$T
	XDG_RUNTIME_DIR=$T
	XDG_STATE_HOME=$T/state
	XDG_CONFIG_HOME=$T
	PATH=$WORKERS:$PATH
	LOGS=$T/r/logs
	NO_COLOR=1
	SUPD_PID=
	SUPD_RC=
	unset JOURNAL_STREAM NOTIFY_SOCKET
	export T SUPD_TEST_ID SUPD_SOCKET HOME XDG_RUNTIME_DIR XDG_STATE_HOME
	export XDG_CONFIG_HOME PATH LOGS NO_COLOR
}

# Seconds since the epoch with a fraction, as microseconds.
now_us() {
	echo "${EPOCHREALTIME/[.,]/}"
}

# wait_until SECONDS COMMAND...: run it again and again until it succeeds;
# fails, telling what was waited for, when the time is over.
wait_until() {
	local deadline=$(($(now_us) + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		if (($(now_us) >= deadline)); then
			echo "timed out waiting for: $*"
			return 1
		fi
		sleep 0.05
	done
}

# not COMMAND...: for wait_until.
not() {
	! "$@"
}

alive() {
	kill -0 "$1" 2>/dev/null
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

# config <<EOF: write the configuration that start_supd takes.
config() {
	cat >"$T/supd.yaml"
}

# start_supd [ARGUMENT...]: run supd on $T/supd.yaml and wait until it
# answers.  Its own output is in $T/supd.log.
start_supd() {
	launch_supd "$@"
	wait_until "$PATIENCE" answers_or_ended
	if gone "$SUPD_PID"; then
		echo "supd ended at once:"
		cat "$T/supd.log"
		return 1
	fi
}

# The same without waiting for anything.
launch_supd() {
	[ -z "$SUPD_PID" ] || {
		echo "supd is running already"
		return 1
	}
	# In the foreground: else timeout signals its whole group as well, and
	# supd takes a second SIGTERM for impatience.
	timeout --foreground -k 60 300 "$SUPD" -f -c "$T/supd.yaml" -s "$SUPD_SOCKET" "$@" \
		>>"$T/supd.log" 2>&1 </dev/null 3>&- &
	SUPD_PID=$! # timeout's, which passes signals on and exits alike
}

answers_or_ended() {
	gone "$SUPD_PID" || timeout 5 "$SUPCTL" ping
}

# wait_supd [SECONDS]: wait for its end; its exit code is in SUPD_RC.
wait_supd() {
	[ -n "$SUPD_PID" ] || return 0
	wait_until "${1:-$PATIENCE}" gone "$SUPD_PID" || return 1
	SUPD_RC=0
	wait "$SUPD_PID" || SUPD_RC=$?
	SUPD_PID=
}

# stop_supd [SECONDS]: end it as a service manager would.
stop_supd() {
	[ -n "$SUPD_PID" ] || return 0
	kill -TERM "$SUPD_PID" 2>/dev/null || true
	wait_supd "${1:-$PATIENCE}"
}

# The keeper's own pid.
keeper_pid() {
	cat "$T/r/supd.pid"
}

# run_supctl [RC] ARGUMENT...: run supctl, which must exit with RC (0).  What
# it printed is in $output (and $lines), its complaints in $stderr.
run_supctl() {
	local rc=0
	if [[ $1 =~ ^[0-9]+$ ]]; then
		rc=$1
		shift
	fi
	run --separate-stderr timeout -k 5 60 "$SUPCTL" "$@"
	echo "\$ supctl $*"
	[ -z "$output" ] || echo "$output"
	# shellcheck disable=SC2154 # bats sets it
	[ -z "$stderr" ] || echo "$stderr"
	# shellcheck disable=SC2154 # bats sets it
	if [ "$status" -ne "$rc" ]; then
		echo "supctl exited with $status, not $rc"
		return 1
	fi
}

# node PATH KEY: one value of a node's state, as jq prints it.
node() {
	timeout -k 5 30 "$SUPCTL" --json status "$1" | jq -r ".$2"
}

node_is() {
	[ "$(node "$1" "$2")" = "$3" ]
}

assert_node() {
	local got
	got=$(node "$1" "$2")
	if [ "$got" != "$3" ]; then
		echo "$2 of $1 is $got, not $3"
		return 1
	fi
}

# wait_node PATH KEY VALUE [SECONDS]
wait_node() {
	wait_until "${4:-$PATIENCE}" node_is "$1" "$2" "$3" || {
		echo "$2 of $1 is $(node "$1" "$2"), not $3"
		return 1
	}
}

# The pid of a worker; incarnations count its starts.
pid_of() {
	node "$1" pid
}

inc_of() {
	node "$1" incarnation
}

# wait_restarted PATH OLD_INCARNATION: a later one is ready.
wait_restarted() {
	wait_until "$PATIENCE" restarted_since "$1" "$2"
}

restarted_since() {
	[ "$(inc_of "$1")" -gt "$2" ] && [ "$(node "$1" state)" = ready ]
}

# log_has PATH TEXT: a worker's log file holds that text.
log_has() {
	grep -qF -- "$2" "$LOGS/$1.log"
}

# supd_log_has TEXT: supd's own output does.
supd_log_has() {
	grep -qF -- "$1" "$T/supd.log"
}

# left_processes: the pids of what this test started and is still there: with
# the marker in the environment, or with a file of this test open.
left_processes() {
	local id=$SUPD_TEST_ID
	(
		# Else it would find its own tools.
		unset SUPD_TEST_ID
		{
			grep -lzx "SUPD_TEST_ID=$id" /proc/[0-9]*/environ
			find /proc/[0-9]*/fd -lname "$T/*"
		} 2>/dev/null | cut -d/ -f3 | sort -un | while read -r pid; do
			# Not this shell, and not what has ended since.
			if [ "$pid" != $$ ] && alive "$pid"; then
				echo "$pid"
			fi
		done
	)
}

# left_files: sockets and FIFOs in the run directory.
left_files() {
	[ ! -d "$T/r" ] || find "$T/r" \( -type s -o -type p \) -print
}

teardown_supd() {
	local bad='' pid left
	if [ -n "$SUPD_PID" ] && ! stop_supd 30; then
		bad="supd did not end"
		kill -KILL "$SUPD_PID" 2>/dev/null || true
		wait "$SUPD_PID" 2>/dev/null || true
		SUPD_PID=
	fi
	if [ -n "$SUPD_RC" ] && [ "$SUPD_RC" -gt 128 ]; then
		bad="$bad
supd died of signal $((SUPD_RC - 128))"
	fi
	left=$(left_processes)
	[ -z "$left" ] || sleep 0.2 # for what is just ending
	for pid in $left; do
		alive "$pid" || continue
		bad="$bad
left behind: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" || true)"
		kill -KILL "$pid" 2>/dev/null || true
	done
	# A test that kills supd the hard way says so.
	if [ -z "${MAY_LEAVE_FILES:-}" ]; then
		left=$(left_files)
		[ -z "$left" ] || bad="$bad
left behind: $left"
	fi
	if grep -qsE 'ERROR: (Address|Leak)Sanitizer|runtime error:' \
		"$T/supd.log"; then
		bad="$bad
a sanitizer reports (see supd.log)"
	fi
	if [ -n "$bad" ] || [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		echo "--- supd.log"
		tail -n 100 "$T/supd.log" 2>/dev/null || true
		echo "---$bad"
	fi
	rm -rf "$T"
	[ -z "$bad" ]
}
