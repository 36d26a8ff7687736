/* SPDX-License-Identifier: ISC */
#include "live.h"

#include "base/clock.h"
#include "base/mono.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_NS (60 * NS_PER_S) /* for any one thing */
#define TURN_MS     5

static void
broken(struct live *l, const char *what)
{
	if (l->broken[0] == '\0')
		snprintf(l->broken, sizeof(l->broken), "%s", what);
}

/* ---- supd ------------------------------------------------------------------
 */

static int
write_conf(const struct live *l)
{
	char path[64], *text = live_conf(l);
	FILE *f;

	snprintf(path, sizeof(path), "%s/supd.yaml", l->dir);
	f = fopen(path, "w");
	if (f != NULL) {
		fputs(text, f);
		fclose(f);
	}
	free(text);
	return f != NULL ? 0 : -errno;
}

static _Noreturn void
become_supd(const struct live *l)
{
	char conf[64], sock[64], log[64];
	int null = open("/dev/null", O_RDONLY), out;

	snprintf(conf, sizeof(conf), "%s/supd.yaml", l->dir);
	snprintf(sock, sizeof(sock), "%s/r/control.sock", l->dir);
	snprintf(log, sizeof(log), "%s/supd.log", l->dir);
	out = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (null < 0 || out < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(out, 2) < 0)
		_exit(126);
	setenv("HOME", l->dir, 1);
	setenv("XDG_RUNTIME_DIR", l->dir, 1);
	setenv("XDG_STATE_HOME", l->dir, 1);
	setenv("XDG_CONFIG_HOME", l->dir, 1);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("JOURNAL_STREAM");
	execl(l->supd, "supd", "-f", "-c", conf, "-s", sock, (char *)NULL);
	_exit(127);
}

/* The child of supd that decides. */
static pid_t
find_engine(pid_t supd)
{
	char path[64], text[256];
	struct dirent *d;
	DIR *proc = opendir("/proc");
	pid_t found = 0;

	while (proc != NULL && found == 0 && (d = readdir(proc)) != NULL) {
		FILE *f;
		int ppid = 0;
		size_t n = 0;

		snprintf(path, sizeof(path), "/proc/%.20s/stat", d->d_name);
		if (atoi(d->d_name) <= 0 || (f = fopen(path, "r")) == NULL)
			continue;
		if (fscanf(f, "%*d (%*[^)]) %*c %d", &ppid) != 1)
			ppid = 0;
		fclose(f);
		snprintf(path, sizeof(path), "/proc/%.20s/cmdline", d->d_name);
		if (ppid != supd || (f = fopen(path, "r")) == NULL)
			continue;
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		if (memmem(text, n, "engine", 6) != NULL)
			found = atoi(d->d_name);
	}
	if (proc != NULL)
		closedir(proc);
	return found;
}

static bool
has_ended(struct live *l)
{
	int status;

	if (l->pid != 0 && waitpid(l->pid, &status, WNOHANG) == l->pid) {
		l->pid = 0;
		l->exit_code = WIFEXITED(status) ? WEXITSTATUS(status)
		                                 : 128 + WTERMSIG(status);
	}
	return l->pid == 0;
}

static bool
is_over(const struct live *l, mono_t deadline)
{
	return l->broken[0] != '\0' || mono_before(deadline, clock_mono());
}

static void
start_supd(struct live *l)
{
	mono_t deadline = mono_add(clock_mono(), PATIENCE_NS);
	char path[64];

	snprintf(path, sizeof(path), "%s/r", l->dir);
	if (mkdir(path, 0700) != 0 || write_conf(l) != 0) {
		broken(l, "cannot write into the directory");
		return;
	}
	l->pid = fork();
	if (l->pid == 0)
		become_supd(l);
	while (!live_connect(l)) {
		if (has_ended(l) || is_over(l, deadline)) {
			broken(l, "supd does not start");
			return;
		}
		live_poll(l, TURN_MS);
	}
}

/* ---- at rest ---------------------------------------------------------------
 */

static bool
holds_below(const struct live *l, int sup)
{
	for (int i = 0; i < l->n_procs; i++) {
		int id = l->proc[i].id;

		if (!live_is_held(l, &l->proc[i]))
			continue;
		while (id != 0 && id != sup)
			id = l->s->item[id].parent;
		if (id == sup)
			return true;
	}
	return false;
}

static bool
is_state(const struct live_node *n, const char *state)
{
	return strcmp(n->state, state) == 0;
}

static bool
node_rests(struct live *l, int id)
{
	const struct live_node *n = &l->node[id];
	struct live_proc *p = live_current(l, id);

	if (is_state(n, "stopped"))
		return true;
	if (is_state(n, "starting") || is_state(n, "stopping") || n->busy)
		return n->is_sup ? holds_below(l, id)
		                 : p != NULL && p->pid == n->pid &&
		                       live_is_held(l, p);
	if (is_state(n, "ready"))
		return p != NULL && p->pid == n->pid && !p->doomed;
	if (is_state(n, "up"))
		return true;
	/* waiting, ended: its supervisor is busy. */
	return id != 1 && holds_below(l, l->s->item[id].parent);
}

static bool
all_rest(struct live *l)
{
	const struct live_node *root = &l->node[1];

	/* It is about to end. */
	if (is_state(root, "stopped") || (l->stopping && !root->busy))
		return false;
	for (int id = 1; id <= ITEMS_MAX; id++)
		if (l->node[id].seen && !node_rests(l, id))
			return false;
	return true;
}

static void
after_the_end(struct live *l)
{
	mono_t deadline = mono_add(clock_mono(), PATIENCE_NS);

	while (!l->gone && !is_over(l, deadline))
		live_poll(l, TURN_MS);
	if (l->exit_code >= 0 && !l->root_failed)
		buf_puts(l->out, "end 1\n");
	close(l->listen);
	l->listen = -1;
}

static void
say_what_moves(struct live *l)
{
	struct buf b = { 0 };

	for (int id = 1; id <= ITEMS_MAX; id++)
		if (l->node[id].seen && !node_rests(l, id))
			buf_printf(&b, " %d=%s", id, l->node[id].state);
	snprintf(l->broken, sizeof(l->broken), "supd does not come to rest:%s",
	    buf_str(&b));
	buf_fini(&b);
}

static void
settle(struct live *l)
{
	mono_t deadline = mono_add(clock_mono(), PATIENCE_NS);

	if (l->pid == 0)
		return;
	while (l->broken[0] == '\0') {
		if (mono_before(deadline, clock_mono())) {
			say_what_moves(l);
			return;
		}
		if (has_ended(l)) {
			after_the_end(l);
			return;
		}
		l->status_new = false;
		live_ask_status(l);
		live_poll(l, TURN_MS);
		if (l->status_new && all_rest(l))
			return;
	}
}

/* ---- commands --------------------------------------------------------------
 */

static void
drain(struct live *l)
{
	while (live_count_held(l) > 0 && l->pid != 0 && l->broken[0] == '\0') {
		live_go(l, 0);
		settle(l);
	}
}

static const char *
state_word(const struct live_node *n)
{
	if (is_state(n, "ready") || is_state(n, "up"))
		return "running";
	return is_state(n, "stopped") ? "stopped" : "restarting";
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
which(struct live *l, int sup)
{
	char text[ITEMS_MAX][24];
	size_t n = 0, i;
	json_t *row;

	json_array_foreach(l->status, i, row)
	{
		int id = live_item(
		    l, json_string_value(json_object_get(row, "path")));

		if (l->s->item[id].parent == sup && n < ITEMS_MAX)
			snprintf(text[n++], sizeof(text[0]), "%d=%s", id,
			    state_word(&l->node[id]));
	}
	if (l->s->item[sup].strategy == SIMPLE_ONE_FOR_ONE)
		qsort(text, n, sizeof(text[0]), by_text);
	buf_printf(l->out, "which %d ", sup);
	for (i = 0; i < n; i++)
		buf_printf(l->out, "%s%s", i > 0 ? " " : "", text[i]);
	buf_puts(l->out, "\n");
}

static void
which_all(struct live *l)
{
	if (l->pid == 0 || live_count_held(l) > 0)
		return;
	for (int id = 1; id <= ITEMS_MAX; id++)
		if (l->node[id].seen && is_state(&l->node[id], "up"))
			which(l, id);
}

static void
run_command(struct live *l, const struct command *c, const bool *skip)
{
	const struct op *o = &c->op[0];

	switch (o->kind) {
	case OP_BOOT:
		start_supd(l);
		break;
	case OP_SHUTDOWN:
		if (l->pid != 0)
			kill(l->pid, SIGTERM);
		l->stopping = true;
		break;
	case OP_WHICH:
		which_all(l);
		return;
	case OP_DRAIN:
		drain(l);
		return;
	case OP_GO:
		live_go(l, o->arg);
		break;
	case OP_FAIL:
		l->fails[o->id] = o->arg;
		return;
	case OP_HOLD:
		l->holds[o->id] = o->arg;
		return;
	case OP_DIE:
	case OP_OK:
	case OP_TERM:
		if (l->engine == 0 && l->pid != 0)
			l->engine = find_engine(l->pid);
		if (l->pid != 0)
			live_deaths(l, c);
		break;
	case OP_START:
	case OP_TERMINATE:
	case OP_RESTART:
	case OP_DELETE:
		live_call(l, o, skip[l->n_calls]);
		break;
	case OP_WAIT:
	case OP_RELOAD:
	case OP_N:
		broken(l, "a command that is not for real processes");
		break;
	}
	settle(l);
}

void
live_run(
    struct live *l, const struct script *s, const bool *skip, struct buf *out)
{
	l->s = s;
	l->out = out;
	l->control = l->listen = -1;
	l->exit_code = -1;
	for (int id = 0; id <= ITEMS_MAX; id++)
		l->current[id] = -1;
	snprintf(l->dir, sizeof(l->dir), "/tmp/o.XXXXXX");
	if (mkdtemp(l->dir) == NULL) {
		l->dir[0] = '\0';
		broken(l, "no directory");
		return;
	}
	snprintf(l->sock, sizeof(l->sock), "%s/told", l->dir);
	if (live_listen(l) != 0)
		broken(l, "no socket");
	for (int i = 0; i < s->n_commands && l->broken[0] == '\0'; i++) {
		buf_puts(out, "=\n");
		run_command(l, &s->command[i], skip);
	}
}

/* ---- the end ---------------------------------------------------------------
 */

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

/* What did not end in time is killed: supd takes its workers along (D9). */
static void
end_supd(struct live *l)
{
	mono_t deadline = mono_add(clock_mono(), 5 * NS_PER_S);

	if (l->engine != 0 && l->pid != 0)
		kill(l->engine, SIGCONT);
	if (l->pid != 0)
		kill(l->pid, SIGKILL);
	while (!has_ended(l) && mono_before(clock_mono(), deadline))
		usleep(1000);
	for (int i = 0; i < l->n_procs; i++)
		if (l->proc[i].fd >= 0)
			close(l->proc[i].fd); /* it ends at that, too */
}

void
live_fini(struct live *l)
{
	end_supd(l);
	if (l->listen >= 0)
		close(l->listen);
	if (l->control >= 0)
		close(l->control);
	json_decref(l->status);
	buf_fini(&l->in);
	if (l->dir[0] != '\0')
		nftw(l->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
