/* SPDX-License-Identifier: ISC */
#include "daemon.h"

#include "conform.h"
#include "rig_supd.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

struct daemon d;

mono_t
daemon_in_ns(int64_t ns)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (mono_t){ t.tv_sec * NS_PER_S + t.tv_nsec + ns };
}

/* ---- programs ------------------------------------------------------------
 */

int
run_program(const char *const *argv)
{
	posix_spawn_file_actions_t fa;
	size_t n = 0;
	ssize_t got;
	int out[2], status;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		abort();
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, out[1], 1);
	posix_spawn_file_actions_adddup2(&fa, out[1], 2);
	if (posix_spawn(&pid, argv[0], &fa, NULL,
		(char *const *)(uintptr_t)argv, environ) != 0)
		abort();
	posix_spawn_file_actions_destroy(&fa);
	close(out[1]);
	while ((got = read(out[0], d.said + n, sizeof(d.said) - 1 - n)) > 0)
		n += (size_t)got;
	d.said[n] = '\0';
	close(out[0]);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

int
supctl(const char *verb, const char *a, const char *b)
{
	const char *argv[] = { getenv("SUPCTL"), "-s", d.socket, "--timeout",
		"120s", "--json", verb, a, b, NULL };

	return run_program(argv);
}

const char *
said(void)
{
	return d.said;
}

const char *
rig_dir(void)
{
	return d.dir;
}

json_t *
daemon_ask(const char *method, json_t *params)
{
	json_t *msg = NULL, *result;
	int64_t id;

	d.client.deadline = daemon_in_ns(ANSWER_NS);
	if (client_send(&d.client, method, params, &id) < 0)
		conform_fail(__FILE__, __LINE__, "%s: supd is gone", method);
	for (;;) {
		int64_t got;

		if (client_recv(&d.client, &msg) < 0)
			conform_fail(
			    __FILE__, __LINE__, "%s: no answer", method);
		got = json_integer_value(json_object_get(msg, "id"));
		if (got == id)
			break;
		if (got == d.bg_id && d.bg_id != 0) {
			d.bg_answer = msg;
			continue;
		}
		if (strcmp(method, "events") == 0 &&
		    json_object_get(msg, "method") != NULL)
			break; /* the caller takes streams apart */
		json_decref(msg);
	}
	result = json_incref(msg);
	json_decref(msg);
	return result;
}

/* ---- what has happened ---------------------------------------------------
 */

static void
take_event(const json_t *ev)
{
	uint64_t seq = (uint64_t)json_integer_value(json_object_get(ev, "seq"));
	const char *path = json_string_value(json_object_get(ev, "path"));

	if (seq <= d.seen)
		return;
	d.seen = seq;
	happened(json_string_value(json_object_get(ev, "kind")),
	    short_path(path),
	    (uint64_t)json_integer_value(json_object_get(ev, "incarnation")),
	    json_string_value(json_object_get(ev, "text")));
}

/* The last n events; false when there were more since the last time. */
static bool
pull_last(int n)
{
	uint64_t first = 0;
	bool done = false;
	json_t *list = json_array(), *msg, *ev;
	size_t i;
	int64_t id;

	d.client.deadline = daemon_in_ns(ANSWER_NS);
	if (client_send(&d.client, "events",
		json_pack("{s:i, s:b}", "n", n, "follow", 0), &id) < 0)
		conform_fail(__FILE__, __LINE__, "events: supd is gone");
	while (!done) {
		if (client_recv(&d.client, &msg) < 0)
			conform_fail(__FILE__, __LINE__, "events: no answer");
		ev = json_object_get(json_object_get(msg, "params"), "event");
		if (ev != NULL)
			json_array_append(list, ev);
		else if (json_integer_value(json_object_get(msg, "id")) == id)
			done = true;
		else if (d.bg_id != 0 && json_integer_value(json_object_get(
					     msg, "id")) == d.bg_id)
			d.bg_answer = json_incref(msg);
		json_decref(msg);
	}
	ev = json_array_get(list, 0);
	if (ev != NULL)
		first =
		    (uint64_t)json_integer_value(json_object_get(ev, "seq"));
	done = first <= d.seen + 1;
	if (done)
		json_array_foreach(list, i, ev) take_event(ev);
	json_decref(list);
	return done;
}

void
daemon_pull(void)
{
	if (!pull_last(EVENTS) && !pull_last(EVENTS * 10) &&
	    !pull_last(EVENTS_MAX))
		conform_fail(__FILE__, __LINE__, "events have been lost");
}

void
daemon_pause(void)
{
	struct timespec t = { 0, 2000000 };

	nanosleep(&t, NULL);
}

/* ---- supd ----------------------------------------------------------------
 */

/* The root with sup_test in it, or with none; nobody sees half of it. */
bool
daemon_write_conf(const char *text)
{
	char next[80];
	FILE *f;

	snprintf(next, sizeof(next), "%s.new", d.conf);
	f = fopen(next, "w");
	if (f == NULL)
		return false;
	fprintf(f,
	    "supervisor: root\nintensity: 0\nperiod: 1h\nchildren: [%s]\n",
	    text);
	return fclose(f) == 0 && rename(next, d.conf) == 0;
}

bool
daemon_start(void)
{
	const char *argv[] = { getenv("SUPD"), "-f", "-c", d.conf, "-s",
		d.socket, NULL };
	posix_spawn_file_actions_t fa;
	mono_t until = daemon_in_ns(60 * NS_PER_S);

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(
	    &fa, 1, d.log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	posix_spawn_file_actions_adddup2(&fa, 1, 2);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	if (posix_spawn(&d.pid, argv[0], &fa, NULL,
		(char *const *)(uintptr_t)argv, environ) != 0)
		return false;
	posix_spawn_file_actions_destroy(&fa);
	while (client_open(&d.client, d.socket, until) < 0) {
		if (daemon_in_ns(0).ns > until.ns ||
		    waitpid(d.pid, NULL, WNOHANG) == d.pid)
			return false;
		daemon_pause();
	}
	/* It listens before it has read its configuration. */
	while (strcmp(supd_state("/"), "running") != 0)
		daemon_pause();
	d.seen = 0;
	return true;
}

int
daemon_stop(void)
{
	mono_t until = daemon_in_ns(60 * NS_PER_S);
	int rc = -1;

	client_close(&d.client);
	d.client = CLIENT_NULL;
	if (d.pid == 0)
		return 0;
	kill(d.pid, SIGTERM);
	while (waitpid(d.pid, &rc, WNOHANG) == 0) {
		if (daemon_in_ns(0).ns > until.ns)
			kill(d.pid, SIGKILL);
		daemon_pause();
	}
	d.pid = 0;
	return rc;
}

bool
daemon_open(void)
{
	char text[512];
	const char *workers = getenv("WORKERS");

	if (workers == NULL || getenv("SUPD") == NULL ||
	    getenv("SUPCTL") == NULL) {
		fprintf(stderr, "conform: SUPD, SUPCTL and WORKERS must say "
				"where they are\n");
		return false;
	}
	signal(SIGPIPE, SIG_IGN);
	snprintf(d.dir, sizeof(d.dir), "/tmp/c.XXXXXX");
	if (mkdtemp(d.dir) == NULL)
		return false;
	snprintf(d.socket, sizeof(d.socket), "%s/r/control.sock", d.dir);
	snprintf(d.conf, sizeof(d.conf), "%s/supd.yaml", d.dir);
	snprintf(d.log, sizeof(d.log), "%s/supd.log", d.dir);
	snprintf(text, sizeof(text), "%s/gates", d.dir);
	mkdir(text, 0700);
	setenv("MOLE_GATES", text, 1);
	setenv("XDG_RUNTIME_DIR", d.dir, 1);
	setenv("XDG_STATE_HOME", d.dir, 1);
	setenv("CONFORM_DIR", d.dir, 1);
	unsetenv("NOTIFY_SOCKET");
	snprintf(text, sizeof(text), "%s:%s", workers, getenv("PATH"));
	setenv("PATH", text, 1);
	d.client = CLIENT_NULL;
	return daemon_write_conf("");
}

/* Processes that were started by this supd and are still there. */
static int
left_processes(void)
{
	char mark[64], path[64], env[8192];
	struct dirent *e;
	DIR *dir = opendir("/proc");
	int n = 0;

	snprintf(mark, sizeof(mark), "CONFORM_DIR=%s", d.dir);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		ssize_t got;
		int fd;

		if (atoi(e->d_name) <= 0 || atoi(e->d_name) == getpid())
			continue;
		snprintf(
		    path, sizeof(path), "/proc/%d/environ", atoi(e->d_name));
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		got = read(fd, env, sizeof(env));
		close(fd);
		if (got > 0 && memmem(env, (size_t)got, mark, strlen(mark)))
			n++;
	}
	if (dir != NULL)
		closedir(dir);
	return n;
}

bool
daemon_close(void)
{
	char command[64];
	int rc = daemon_stop(), left = left_processes();

	snprintf(command, sizeof(command), "rm -rf %s", d.dir);
	if (rc != 0)
		printf("# supd ended with status %d\n", rc);
	if (left != 0)
		printf("# %d processes are left\n", left);
	if (system(command) != 0)
		return false;
	return rc == 0 && left == 0;
}
