#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What workers print: files, times, rotation, tails, follows, floods.

load helpers

# shell TEXT: a tree of one worker, "w", that runs this shell text; further
# keys of it on stdin.
shell() {
	# In supd.yaml a dollar sign is written twice.
	config <<-EOF
		supervisor: root
		intensity: 20
		children:
		  - worker: w
		    command: [sh, -c, '${1//\$/\$\$}']
		$(sed 's/^/    /')
	EOF
}

@test "stdout and stderr go to one file, in order, with time and name" {
	shell 'echo one; echo two >&2; echo three; exec sleep 300' </dev/null
	start_supd
	wait_until "$PATIENCE" log_has root/w three
	run cat "$LOGS/root/w.log"
	assert_line --index 0 --regexp \
		'^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z root/w: one$'
	assert_line --index 1 --regexp 'Z root/w: two$'
	assert_line --index 2 --regexp 'Z root/w: three$'
	assert_equal "${#lines[@]}" 3
}

@test "the time is UTC and now" {
	shell 'echo here; exec sleep 300' </dev/null
	local before stamp
	before=$(date -u +%Y-%m-%dT%H:%M:%S.000Z)
	start_supd
	wait_until "$PATIENCE" log_has root/w here
	stamp=$(cut -d' ' -f1 "$LOGS/root/w.log")
	[[ ! $stamp < $before ]]
	[[ ! $stamp > $(date -u +%Y-%m-%dT%H:%M:%S.999Z) ]]
}

@test "log: prefix and time can be turned off" {
	shell 'echo plain; exec sleep 300' <<<'log: {prefix: false, time: false}'
	start_supd
	wait_until "$PATIENCE" log_has root/w plain
	run cat "$LOGS/root/w.log"
	assert_output plain
}

@test "stdout: null is not captured, stderr: join goes along" {
	shell 'echo out; echo err >&2; exec sleep 300' <<-'EOF'
		stdout: null
		log: {prefix: false, time: false}
	EOF
	start_supd
	wait_until "$PATIENCE" log_has root/w err
	run cat "$LOGS/root/w.log"
	assert_output err
	stop_supd

	shell 'echo out; echo joined >&2; exec sleep 300' <<-EOF
		stdout: {file: $T/out}
		stderr: join
	EOF
	start_supd
	wait_until "$PATIENCE" grep -q joined "$T/out"
	run cat "$T/out"
	assert_output "out
joined"
}

@test "files are rotated by size, and as many kept as asked" {
	shell 'i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo end; exec sleep 300' \
		<<<'log: {size: 8K, keep: 2}'
	start_supd
	wait_until "$PATIENCE" log_has root/w end
	assert_exist "$LOGS/root/w.log.1"
	assert_exist "$LOGS/root/w.log.2"
	assert_not_exist "$LOGS/root/w.log.3"
	local f
	for f in "$LOGS"/root/w.log*; do
		[ "$(stat -c %s "$f")" -le 8192 ]
	done
	run_supctl logs -n 200 w
	assert_equal "${#lines[@]}" 200
	assert_line --index 0 --partial "line 2801"
	assert_line --index 199 --partial "end"
}

@test "supctl logs -n gives the last lines" {
	shell 'for i in 1 2 3 4 5; do echo line $i; done; exec sleep 300' </dev/null
	start_supd
	wait_until "$PATIENCE" log_has root/w "line 5"
	run_supctl logs -n 2 root/w
	assert_equal "${#lines[@]}" 2
	assert_line --index 0 --partial "line 4"
	assert_line --index 1 --partial "line 5"
	run_supctl 4 logs root/nobody
}

@test "supctl logs -f goes on with what comes" {
	shell 'echo old; while read -r l <"$FIFO"; do echo "$l"; done' <<-EOF
		env: {FIFO: $T/in}
	EOF
	mkfifo "$T/in"
	start_supd
	wait_until "$PATIENCE" log_has root/w old
	timeout --foreground 60 "$SUPCTL" logs -f w >"$T/followed" 3>&- &
	local pid=$!
	wait_until "$PATIENCE" grep -q old "$T/followed"
	timeout 10 sh -c 'echo brand new >"$1"' sh "$T/in"
	wait_until "$PATIENCE" grep -q "brand new" "$T/followed"
	kill "$pid"
	wait "$pid" || true
}

@test "control characters do not reach the terminal of supctl logs" {
	shell 'printf "a\\033[31mred\\n"; exec sleep 300' \
		<<<'log: {prefix: false, time: false}'
	start_supd
	wait_until "$PATIENCE" log_has root/w red
	# The file has what was written.
	run cat -v "$LOGS/root/w.log"
	assert_output 'a^[[31mred'
	run_supctl logs w
	refute_output --partial $'\033'
	assert_output --partial red
}

@test "the last words of a worker are told by why" {
	shell 'echo cannot go on; exit 3' <<-EOF
		restart: transient
		fatal_exit: 3
	EOF
	start_supd
	wait_until "$PATIENCE" log_has root/w "cannot go on"
	wait_until "$PATIENCE" why_tells "cannot go on"
}

why_tells() {
	timeout 20 "$SUPCTL" why w | grep -q "$1"
}

@test "what a worker says at its very end is not lost" {
	shell 'trap "echo last words; exit 0" TERM; echo up; while :; do sleep 0.1; done' \
		</dev/null
	start_supd
	wait_until "$PATIENCE" log_has root/w up
	stop_supd
	log_has root/w "last words"
}

@test "the file goes on over restarts" {
	shell 'echo pid $$; exec sleep 300' </dev/null
	start_supd
	wait_node root/w state ready
	kill -KILL "$(pid_of w)"
	wait_restarted w 1
	wait_until "$PATIENCE" two_pids
}

two_pids() {
	[ "$(grep -c 'pid ' "$LOGS/root/w.log")" -eq 2 ]
}

@test "a deleted log file is made again" {
	shell 'while :; do echo here; sleep 0.1; done' </dev/null
	start_supd
	wait_until "$PATIENCE" log_has root/w here
	rm "$LOGS/root/w.log"
	wait_until "$PATIENCE" log_has root/w here
}

@test "a flood nobody reads is never blocked, and blocks nobody" {
	config <<-'EOF'
		supervisor: root
		children:
		  - worker: flood
		    command: [mole, flood, "200"]
		    restart: transient
		    log: {size: 1M, keep: 2}
		  - worker: tick
		    command: [ticker, "50"]
	EOF
	start_supd
	wait_node root/tick state ready
	local before
	# Somebody follows and does not read: that must not matter either.
	mkfifo "$T/unread"
	exec 7<>"$T/unread"
	timeout --foreground 60 "$SUPCTL" logs -f flood >"$T/unread" 3>&- 7>&- &
	local pid=$!
	wait_until "$PATIENCE" log_has root/tick "tick 3"
	before=$(now_us)
	run_supctl status
	(($(now_us) - before < 2000000))
	wait_until 60 not node_is root/flood state ready
	assert_node root/flood last_exit "exit 0"
	assert_node root/tick restarts 0
	[ "$(du -sk "$LOGS/root" | cut -f1)" -le 4096 ]
	kill "$pid"
	wait "$pid" || true
	exec 7>&-
}

@test "a full disk stops no worker, and the loss is told" {
	config <<-'EOF'
		supervisor: root
		children:
		  - worker: w
		    command: [mole, flood, "20"]
		    restart: transient
		  - worker: then
		    command: [ticker, "50"]
	EOF
	mkdir -p "$LOGS/root"
	ln -s /dev/full "$LOGS/root/w.log"
	start_supd
	wait_until 60 not node_is root/w state ready
	assert_node root/w last_exit "exit 0"
	wait_until "$PATIENCE" supd_log_has "No space left on device"
	# Once, not for every line.
	assert_equal "$(grep -c "No space left" "$T/supd.log")" 1
}

# It has written its words and become mole.
has_spoken() {
	grep -q mole "/proc/$(pid_of w)/comm"
}

lines_are() {
	[ "$(grep -c "$1" "$LOGS/root/w.log")" = "$2" ]
}

@test "the last words of a killed worker are a line of their own" {
	config <<-'EOF'
	supervisor: root
	intensity: 5
	period: 60s
	children:
	  - {worker: w, command: [sh, -c, "printf unfinished; exec mole sleep"]}
	EOF
	start_supd
	for i in 0 1; do
		wait_restarted w "$i"
		wait_until "$PATIENCE" has_spoken
		kill -KILL "$(pid_of w)"
	done
	wait_restarted w 2
	wait_until "$PATIENCE" has_spoken
	run_supctl stop w
	wait_until "$PATIENCE" lines_are ': unfinished$' 3
}
