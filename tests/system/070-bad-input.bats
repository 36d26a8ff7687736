#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What goes wrong on real hosts: each must be told as what, where, why.

load helpers
load story

# ends_with CODE TEXT...: supd ends with that exit code and says all of this.
ends_with() {
	launch_supd
	wait_supd
	assert_equal "$SUPD_RC" "$1"
	shift
	local text
	for text in "$@"; do
		supd_log_has "$text" || {
			echo "supd did not say: $text"
			return 1
		}
	done
}

# fails TEXT...: the tree cannot be started.
fails() {
	ends_with 70 "$@"
}

# refused TEXT...: the configuration is not accepted.
refused() {
	ends_with 78 "$@"
}

worker() {
	config <<EOF
supervisor: root
intensity: 2
period: 10s
children:
  - worker: w
    command: $1
    ${2:-description: nothing else}
EOF
}

@test "a missing binary: step, path and reason" {
	worker '[/no/such/program]'
	fails "w" "exec /no/such/program" "No such file or directory"
}

@test "a binary that may not be executed" {
	: >"$T/plain"
	worker "[$T/plain]"
	fails "exec $T/plain" "Permission denied"
}

@test "a working directory that is not there" {
	worker '[mole, sleep]' "cwd: $T/nowhere"
	fails "chdir $T/nowhere" "No such file or directory"
}

@test "a user that does not exist is refused with its place" {
	worker '[mole, sleep]' 'user: nobody-at-all'
	refused "supd.yaml:7" "nobody-at-all"
}

@test "an impossible rlimit fails the start, it is not skipped" {
	worker '[mole, sleep]' 'rlimit: {nofile: "9000:5000"}'
	launch_supd
	wait_supd
	# Refused when it is read, or when it cannot be applied.
	[ "$SUPD_RC" = 78 ] || [ "$SUPD_RC" = 70 ]
	supd_log_has nofile || supd_log_has rlimit
}

@test "a port that is taken: the worker's own last words are shown" {
	port=$(free_port)
	config <<EOF
supervisor: root
intensity: 2
period: 60s
children:
  - {worker: one, command: [web, "$port"], ready: {tcp: "127.0.0.1:$port"}}
  - worker: two
    command: [web, "$port"]
    ready: notify
    start_timeout: 5s
EOF
	fails "two" "exit"
	log_has root/two "in use"
}

@test "two children of one name" {
	config <<-'EOF'
	supervisor: root
	children:
	  - {worker: api, command: [mole, sleep]}
	  - {worker: api, command: [mole, sleep]}
	EOF
	refused 'supd.yaml:4' 'duplicate child "api"' 'supd.yaml:3'
}

@test "an include that is not there" {
	config <<-'EOF'
	supervisor: root
	include: missing.yaml
	children: []
	EOF
	refused "missing.yaml" "No such file"
}

@test "a typing error gets a suggestion" {
	config <<-'EOF'
	supervisor: root
	strategy: one_for_al
	children: []
	EOF
	refused 'supd.yaml:2:11' 'did you mean "one_for_all"?'
}

@test "a key that is not built yet is refused, never ignored" {
	worker '[mole, sleep]' 'tags: [a]'
	refused "tags" "not supported yet"
}

@test "the same tree is checked with -n without starting anything" {
	worker "[touch, $T/ran]"
	run timeout 10 "$SUPD" -n -c "$T/supd.yaml"
	assert_success
	assert_file_not_exist "$T/ran"
	worker '[mole, sleep]' 'strategy: one_for_one'
	run timeout 10 "$SUPD" -n -c "$T/supd.yaml"
	assert_failure 78
}

@test "a worker that floods stdout neither blocks nor starves anybody" {
	config <<-'EOF'
	supervisor: root
	children:
	  - {worker: flood, command: [mole, flood], log: {size: 1M, keep: 2}}
	  - {worker: quiet, command: [ticker, "100"]}
	EOF
	start_supd
	wait_node quiet state ready
	wait_until "$PATIENCE" log_has root/quiet "tick 5"
	run_supctl --timeout 5s status
	run_supctl stop flood
	# Bounded on disk: the file and two old ones.
	[ "$(du -sk "$LOGS" | cut -f 1)" -lt 8192 ]
}

# fds NAME: the numbers of the file descriptors that the worker listed.
fds() {
	awk '{ printf "%s ", $3 }' "$LOGS/root/$1.log"
}

@test "a fresh worker has only the file descriptors it was given" {
	config <<-'EOF'
	supervisor: root
	children:
	  - {worker: w, command: [sh, -c, "mole list-fds; exec mole sleep"]}
	  - worker: s6
	    command: [sh, -c, "mole list-fds; echo >&7; exec mole sleep"]
	    ready: {notify_fd: 7}
	EOF
	start_supd
	wait_node s6 state ready
	wait_until "$PATIENCE" log_has root/w " 3 socket"
	assert_equal "$(fds w)" "0 1 2 3 "
	wait_until "$PATIENCE" log_has root/s6 " 7 pipe"
	assert_equal "$(fds s6)" "0 1 2 3 7 "
}

@test "a broken spec given to add changes nothing" {
	worker '[mole, sleep]'
	start_supd
	wait_node w state ready
	run_supctl 8 add root '{worker: x, comand: [mole]}'
	assert_regex "$stderr" "command"
	run_supctl 1 add root '{worker: w, command: [mole, sleep]}'
	run_supctl 1 add root '{worker: x, command: [/no/such]}'
	assert_regex "$stderr" "No such file"
	run_supctl 4 show x
	run_supctl add root '{worker: x, command: [mole, sleep]}'
	assert_node x state ready
	run_supctl remove x
	run_supctl 4 show x
}
