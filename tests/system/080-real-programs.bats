#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Programs that nobody here wrote: redis-server, nginx.

load helpers
load story

need() {
	command -v "$1" >/dev/null || skip "$1 is not installed"
}

@test "redis before its client: rest_for_one restarts both, in order" {
	need redis-server
	port=$(free_port)
	config <<EOF
supervisor: root
strategy: rest_for_one
intensity: 5
period: 60s
children:
  - {worker: before, command: [mole, sleep]}
  - worker: redis
    command: [redis-server, --port, "$port", --save, '', --dir, $T]
    ready: {tcp: "127.0.0.1:$port"}
  - worker: client
    command: [redis-cli, -p, "$port", subscribe, news]
EOF
	start_supd
	wait_node client state ready
	run redis-cli -p "$port" ping
	assert_output PONG
	remember
	kill -KILL "$(pid_of redis)"
	wait_restarted client 1
	assert_kept_pid before
	run redis-cli -p "$port" ping
	assert_output PONG
	# The client again, alone: redis is before it and keeps its pid.
	remember
	kill -KILL "$(pid_of client)"
	wait_restarted client 2
	assert_kept_pid before redis
	run_supctl why client
	assert_output --partial SIGKILL
}

@test "redis tells its readiness by sd_notify itself" {
	need redis-server
	port=$(free_port)
	config <<EOF
supervisor: root
children:
  - worker: redis
    command: [redis-server, --port, "$port", --save, '', --dir, $T,
              --supervised, systemd]
    ready: notify
    start_timeout: 20s
  - {worker: client, command: [redis-cli, -p, "$port", subscribe, news]}
EOF
	start_supd
	wait_node client state ready
	assert_node redis state ready
	kill -KILL "$(pid_of redis)"
	wait_restarted redis 1
}

nginx_tree() {
	port=$(free_port)
	mkdir -p "$T/n"
	cat >"$T/nginx.conf" <<EOF
worker_processes 2;
pid $T/n/pid;
error_log stderr;
events { worker_connections 16; }
http {
	access_log off;
	client_body_temp_path $T/n/b; proxy_temp_path $T/n/p;
	fastcgi_temp_path $T/n/f; uwsgi_temp_path $T/n/u; scgi_temp_path $T/n/s;
	server { listen 127.0.0.1:$port; location / { return 200 "hello\n"; } }
}
EOF
	config <<EOF
supervisor: root
intensity: 5
period: 60s
children:
  - worker: nginx
    command: [nginx, -e, stderr, -c, $T/nginx.conf, -g, 'daemon off;']
    ready: {tcp: "127.0.0.1:$port"}
    stop_signal: QUIT
EOF
}

# The pids of nginx's own workers.
nginx_workers() {
	ps -o pid= --ppid "$1" | tr -d ' '
}

# It listens before it forks them.
has_two_workers() {
	[ "$(nginx_workers "$1" | wc -l)" = 2 ]
}

@test "nginx: a stop leaves none of its own workers" {
	need nginx
	nginx_tree
	start_supd
	wait_node nginx state ready
	master=$(pid_of nginx)
	wait_until "$PATIENCE" has_two_workers "$master"
	kids=$(nginx_workers "$master")
	run_supctl stop nginx
	assert_node nginx last_exit stopped
	for k in $kids; do
		gone "$k"
	done
}

@test "nginx: the master killed, its workers go, the port is free again" {
	need nginx
	nginx_tree
	start_supd
	wait_node nginx state ready
	master=$(pid_of nginx)
	wait_until "$PATIENCE" has_two_workers "$master"
	kids=$(nginx_workers "$master")
	kill -KILL "$master"
	wait_restarted nginx 1
	for k in $kids; do
		gone "$k"
	done
	# The new one serves: nobody of the old group held the port.
	exec 7<>"/dev/tcp/127.0.0.1/$port"
	printf 'GET / HTTP/1.0\r\n\r\n' >&7
	run cat <&7
	exec 7<&-
	assert_output --partial hello
}
