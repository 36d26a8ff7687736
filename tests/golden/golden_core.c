/* SPDX-License-Identifier: ISC */
/*
 * Golden traces of the core: a tree, a script, and what the supervisors do.
 *
 *   golden_core FILE...            compare, TAP on stdout
 *   golden_core --update FILE...   rewrite the files' "> " lines
 *
 * A file holds a tree, then commands, each followed by its expected trace:
 *
 *   sup NAME STRATEGY I/P [t|x] [!] [any|all] [deadline=MS]   (indented:
 * nested) NAME [t|x] [!] [off] [stop=MS|hang] [shutdown=MS|inf|brutal]
 * [start=MS] [fail=N] [life=MS] [backoff=MIN:MAX:FACTOR] [attempts=N]
 * [reset=MS] [words of golden_life.h]                             (a worker)
 *
 *   boot | shutdown | run MS | which SUP
 *   die NAME... | ok NAME... | term NAME... | fatal NAME...   (all at once)
 *   fail NAME N | nofork NAME N | life NAME MS | rate MS
 *   terminate|restart|delete NAME
 *   terminate|restart|delete SUP NAME    whoever it is when its turn comes
 *   retry NAME | clear NAME | beat NAME | unwell NAME
 *   bad|well|sick|mute NAME ...   see golden_life.h
 *   start SUP WORKER-LINE
 *   apply SUP | stale SUP         stale: what an apply would touch
 *   reload                        a new tree, until `end`: nodes that have the
 *     TREE                        same path are kept; `v=N` of a worker is the
 *   end                           program it runs; `keep`: leave a dynamic
 *                                 child that is named where it is
 *   @MS COMMAND                   at that time of the next `run`
 *
 * Words of their own: timed, reports, whys (of stops), frees.
 *
 * t: transient, x: temporary, !: significant.  Virtual time: every command but
 * @ runs the machine until nothing is left to happen.
 */
#include "golden.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
kill_all(int code, bool is_signal)
{
	const char *w;

	while ((w = strtok(NULL, " ")) != NULL) {
		node_t n = find(w);

		if (!m.proc[n].alive)
			die("it is not running");
		push_exit(0, n, code, is_signal);
	}
}

static void
which(node_t sup)
{
	for (node_t n = engine_first_child(m.e, sup); n != NODE_NONE;
	     n = engine_next_child(m.e, n))
		tell("%s=%s", engine_name(m.e, n),
		    child_state_name(engine_state(m.e, n)));
}

/* NAME of a child, or SUP NAME. */
static void
call_child(enum event_kind kind)
{
	node_t n = find(strtok(NULL, " "));
	const char *name = strtok(NULL, " ");

	call(kind, n, name != NULL ? add_worker(NODE_NONE, name) : NODE_NONE);
}

static void
tell_stale(node_t n)
{
	if (engine_is_stale(m.e, n))
		tell("%s", engine_name(m.e, n));
	for (n = engine_first_child(m.e, n); n != NODE_NONE;
	     n = engine_next_child(m.e, n))
		tell_stale(n);
}

void
run_command(char *text)
{
	const char *w = strtok(text, " ");
	struct event ev = { .kind = EV_TICK };

	if (strcmp(w, "boot") == 0) {
		ev.kind = EV_BOOT;
		step(&ev);
	} else if (strcmp(w, "shutdown") == 0) {
		m.asked = true;
		ev.kind = EV_SHUTDOWN;
		step(&ev);
	} else if (strcmp(w, "die") == 0) {
		kill_all(1, false);
	} else if (strcmp(w, "ok") == 0) {
		kill_all(0, false);
	} else if (strcmp(w, "fatal") == 0) {
		kill_all(78, false);
	} else if (strcmp(w, "term") == 0) {
		kill_all(SIGTERM, true);
	} else if (strcmp(w, "fail") == 0) {
		node_t n = find(strtok(NULL, " "));

		m.proc[n].fail = atoi(strtok(NULL, " "));
	} else if (strcmp(w, "nofork") == 0) {
		node_t n = find(strtok(NULL, " "));

		m.proc[n].nofork = atoi(strtok(NULL, " "));
	} else if (strcmp(w, "rate") == 0) {
		engine_set_spawn_interval(
		    m.e, atoi(strtok(NULL, " ")) * NS_PER_MS);
	} else if (strcmp(w, "life") == 0) {
		node_t n = find(strtok(NULL, " "));

		m.proc[n].life_ms = atoi(strtok(NULL, " "));
	} else if (strcmp(w, "terminate") == 0) {
		call_child(EV_TERMINATE_CHILD);
	} else if (strcmp(w, "restart") == 0) {
		call_child(EV_RESTART_CHILD);
	} else if (strcmp(w, "delete") == 0) {
		call_child(EV_DELETE_CHILD);
	} else if (strcmp(w, "clear") == 0) {
		call(EV_CLEAR, find(strtok(NULL, " ")), NODE_NONE);
	} else if (strcmp(w, "retry") == 0) {
		call(EV_RETRY, find(strtok(NULL, " ")), NODE_NONE);
	} else if (strcmp(w, "start") == 0) {
		node_t sup = find(strtok(NULL, " "));
		const char *name = strtok(NULL, " ");

		call(EV_START_CHILD, sup, add_worker(NODE_NONE, name));
	} else if (strcmp(w, "apply") == 0) {
		m.applies |= UINT64_C(1) << (m.tag + 1);
		call(EV_APPLY, find(strtok(NULL, " ")), NODE_NONE);
	} else if (strcmp(w, "stale") == 0) {
		tell_stale(find(strtok(NULL, " ")));
	} else if (strcmp(w, "reload") == 0) {
		reload((size_t)atoi(strtok(NULL, " ")));
	} else if (strcmp(w, "which") == 0) {
		which(find(strtok(NULL, " ")));
	} else if (strcmp(w, "beat") == 0 || strcmp(w, "unwell") == 0) {
		ev.kind = EV_BEAT;
		ev.node = find(strtok(NULL, " "));
		ev.inc = m.proc[ev.node].inc;
		ev.code = w[0] == 'u';
		step(&ev);
	} else {
		char *name = strtok(NULL, " ");

		if (!life_command(&m.proc[find(name)].life, w))
			die("unknown command");
	}
}

static void
top_command(char *text)
{
	long v;

	if (text[0] == '@') {
		char *rest = strchr(text, ' ');
		struct due *d;

		if (rest == NULL || sscanf(text, "@%ld", &v) != 1)
			die("bad time");
		d = push(v);
		d->command = true;
		snprintf(d->text, sizeof(d->text), "%s", rest + 1);
		return;
	}
	if (sscanf(text, "run %ld", &v) == 1) {
		run_until(m.now_ms + v);
		return;
	}
	if (strcmp(text, "timed") == 0) {
		m.timed = true;
		return;
	}
	if (strcmp(text, "reports") == 0) {
		m.reports = true;
		return;
	}
	if (strcmp(text, "whys") == 0) {
		m.whys = true;
		return;
	}
	if (strcmp(text, "frees") == 0) {
		m.frees = true;
		return;
	}
	run_command(text);
	run_until(INT64_MAX);
}

/* Before the boot a line is of the tree unless it is one of these. */
static bool
is_tree_line(const char *line, bool booted)
{
	static const char *const others[] = { "boot", "@", "timed", "reports",
		"whys", "frees", "fail ", "life ", "rate ", "nofork ", "bad " };

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strncmp(line, others[i], strlen(others[i])) == 0)
			return false;
	return !booted;
}

/* The lines up to `end` are a reload's; `line` becomes its command. */
static void
read_block(FILE *f, char **line, size_t *room, struct buf *out)
{
	struct buf command = { 0 };

	if (m.n_blocks == ARRAY_LEN(m.block))
		die("too many reloads");
	buf_printf(&command, "%s %zu", *line, m.n_blocks);
	while (getline(line, room, f) > 0) {
		m.lineno++;
		buf_puts(out, *line);
		if (strcmp(*line, "end\n") == 0)
			break;
		buf_puts(&m.block[m.n_blocks], *line);
	}
	m.n_blocks++;
	free(*line);
	*line = strdup(buf_str(&command));
	*room = command.len + 1;
	buf_fini(&command);
}

static bool
is_reload(const char *line)
{
	const char *at = line[0] == '@' ? strchr(line, ' ') : NULL;

	return strcmp(at != NULL ? at + 1 : line, "reload") == 0;
}

static void
forget_machine(void)
{
	buf_fini(&m.line);
	for (size_t i = 0; i < m.n_blocks; i++)
		buf_fini(&m.block[i]);
}

/* Run one file; its trace, input lines and all, goes to `out`. */
static void
run_file(const char *file, FILE *f, struct buf *out)
{
	char *line = NULL;
	size_t room = 0;
	node_t at[32];
	bool booted = false;
	void *mem = calloc(1, engine_size(CAP));

	m = (struct machine){ .file = file };
	assert(mem != NULL);
	m.e = engine_init(mem, CAP);
	while (getline(&line, &room, f) > 0) {
		m.lineno++;
		if (line[0] == '>')
			continue;
		buf_puts(out, line);
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0')
			continue;
		if (strcmp(line, "---") == 0) { /* a fresh machine */
			memset(mem, 0, engine_size(CAP));
			forget_machine();
			m = (struct machine){ .file = file,
				.lineno = m.lineno,
				.e = engine_init(mem, CAP) };
			booted = false;
			continue;
		}
		if (is_reload(line))
			read_block(f, &line, &room, out);
		else if (is_tree_line(line, booted)) {
			tree_line(line, at);
			continue;
		}
		booted |= strncmp(line, "boot", 4) == 0 || line[0] == '@';
		top_command(line);
		if (line[0] == '@' || m.line.len != 0 || booted) {
			if (m.line.len != 0)
				buf_printf(out, "> %s\n", buf_str(&m.line));
			else if (line[0] != '@' &&
				 strncmp(line, "timed", 5) != 0)
				buf_puts(out, "> nothing\n");
		}
		buf_fini(&m.line);
	}
	forget_machine();
	free(line);
	free(mem);
}

static void
read_all(FILE *f, struct buf *b)
{
	char chunk[4096];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(b, chunk, n);
	rewind(f);
}

int
main(int argc, char **argv)
{
	bool update = argc > 1 && strcmp(argv[1], "--update") == 0;
	int first = update ? 2 : 1, bad = 0;

	printf("1..%d\n", argc - first);
	for (int i = first; i < argc; i++) {
		struct buf want = { 0 }, got = { 0 };
		const char *base = strrchr(argv[i], '/');
		FILE *f = fopen(argv[i], update ? "r+" : "r");
		bool same;

		if (f == NULL) {
			perror(argv[i]);
			return 2;
		}
		read_all(f, &want);
		run_file(argv[i], f, &got);
		same = strcmp(buf_str(&want), buf_str(&got)) == 0;
		if (update && !same) {
			rewind(f);
			fwrite(got.data, 1, got.len, f);
			if (ftruncate(fileno(f), (off_t)got.len) != 0)
				perror(argv[i]);
		}
		printf("%s %d - %s\n", same || update ? "ok" : "not ok",
		    i - first + 1, base != NULL ? base + 1 : argv[i]);
		if (!same && !update) {
			printf("# got:\n%s\n", buf_str(&got));
			bad = 1;
		}
		fclose(f);
		buf_fini(&want);
		buf_fini(&got);
	}
	return bad;
}
