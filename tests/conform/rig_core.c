/* SPDX-License-Identifier: ISC */
/* The core alone: conf's specs, core's decisions, and a simulated machine. */
#include "conform.h"
#include "machine.h"

#include "base/buf.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the tree ------------------------------------------------------------
 */

static node_t
find(const char *path)
{
	char full[256], *save = NULL;
	node_t n = NODE_ROOT;

	full_path(path, full, sizeof(full));
	strtok_r(full, "/", &save);
	for (char *w; n != NODE_NONE && (w = strtok_r(NULL, "/", &save));)
		n = engine_find_child(m.e, n, w);
	return n;
}

static node_t
add_node(node_t parent, const struct conf_child *conf)
{
	const struct conf_child *child;
	mono_t *window;
	node_t n;

	if (!conf->is_sup) {
		n = engine_add_worker(
		    m.e, parent, conf->name, &conf->worker.spec);
		assert(n != NODE_NONE);
		m.conf_of[n] = conf;
		return n;
	}
	window = calloc(conf->sup.spec.intensity + 1, sizeof(*window));
	assert(window != NULL);
	m.window = machine_grow(
	    m.window, &m.cap_windows, m.n_windows, sizeof(*m.window));
	m.window[m.n_windows++] = window;
	n = engine_add_sup(m.e, parent, conf->name, &conf->sup.spec, window);
	assert(n != NODE_NONE);
	m.conf_of[n] = conf;
	m.number[n] = 0;
	TAILQ_FOREACH (child, &conf->sup.children, link)
		add_node(n, child);
	return n;
}

/* The arguments of "[a, b]" or "". */
static struct conf_child *
instantiate(node_t sup, const char *text, struct buf *errors)
{
	char copy[256], name[16], *save = NULL;
	const char *args[8] = { NULL };
	struct conf_child *c;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *w = strtok_r(copy, "[], ", &save); w != NULL;
	     w = strtok_r(NULL, "[], ", &save))
		args[n++] = w;
	snprintf(name, sizeof(name), "%u", ++m.number[sup]);
	return conf_instantiate(m.conf_of[sup], name, args, &c, errors) == 0
	           ? c
	           : NULL;
}

/* ---- the calls -----------------------------------------------------------
 */

static const char *
term(const struct answer *a)
{
	/* "pending": it waits for something that a gate holds. */
	if (!a->there)
		return "pending";
	return a->result == RESULT_IGNORED ? "ok undefined"
	                                   : result_name(a->result);
}

static void
keep_conf(struct conf_child *c)
{
	m.owned = machine_grow(m.owned, &m.cap_owned, m.n_owned, sizeof(c));
	m.owned[m.n_owned++] = c;
}

static node_t
make_child(node_t sup, const char *spec)
{
	cleanup_(buf_fini) struct buf errors = { 0 };
	struct conf_child *c = NULL;

	if (m.conf_of[sup]->sup.spec.strategy == SIMPLE_ONE_FOR_ONE)
		c = instantiate(sup, spec, &errors);
	else if (conf_parse_child(m.conf_of[sup], "case", spec, strlen(spec),
		     &c, &errors) < 0)
		c = NULL;
	if (c == NULL)
		return NODE_NONE;
	keep_conf(c);
	return add_node(NODE_NONE, c);
}

/* A call about a node that is there, and its place in m.answer. */
static int
begin_event(enum event_kind kind, node_t n)
{
	struct event ev = { .kind = kind, .node = n };

	m.answer = machine_grow(
	    m.answer, &m.cap_answers, m.n_answers, sizeof(*m.answer));
	ev.tag = m.n_answers++;
	m.answer[ev.tag] = (struct answer){ .sup = n };
	machine_step(&ev);
	machine_settle();
	return (int)ev.tag;
}

static int
core_begin_call(enum call call, const char *path, const char *spec)
{
	static const enum event_kind kinds[] = {
		[START_CHILD] = EV_START_CHILD,
		[TERMINATE_CHILD] = EV_TERMINATE_CHILD,
		[RESTART_CHILD] = EV_RESTART_CHILD,
		[DELETE_CHILD] = EV_DELETE_CHILD,
	};
	struct event ev = { .kind = kinds[call], .node = find(path) };
	struct answer *a;

	m.answer = machine_grow(
	    m.answer, &m.cap_answers, m.n_answers, sizeof(*m.answer));
	ev.tag = m.n_answers++;
	a = &m.answer[ev.tag];
	*a = (struct answer){ .sup = ev.node };
	if (ev.node == NODE_NONE) {
		a->there = true;
		a->result =
		    call == START_CHILD ? RESULT_NOPROC : RESULT_NOT_FOUND;
		return (int)ev.tag;
	}
	if (call == START_CHILD)
		ev.child = make_child(ev.node, spec);
	else
		a->sup = engine_parent(m.e, ev.node);
	if (call == START_CHILD && ev.child == NODE_NONE)
		return -1;
	machine_step(&ev);
	machine_settle();
	return (int)ev.tag;
}

static const char *
core_end_call(int handle)
{
	machine_settle();
	return handle < 0 ? "invalid" : term(&m.answer[handle]);
}

static const char *
core_seen_by(int handle)
{
	return m.answer[handle].seen;
}

static const char *
core_start_child(const char *path, const char *spec)
{
	return core_end_call(core_begin_call(START_CHILD, path, spec));
}

static const char *
core_terminate_child(const char *path)
{
	return core_end_call(core_begin_call(TERMINATE_CHILD, path, NULL));
}

static const char *
core_restart_child(const char *path)
{
	return core_end_call(core_begin_call(RESTART_CHILD, path, NULL));
}

static const char *
core_delete_child(const char *path)
{
	return core_end_call(core_begin_call(DELETE_CHILD, path, NULL));
}

/* ---- reload --------------------------------------------------------------
 */

/* What the children of a pool are from now on. */
static uint32_t
plan_pool(node_t sup, const struct conf_child *conf, struct plan_child *out)
{
	static const char *const none[] = { NULL };
	uint32_t n = 0;

	for (node_t k = engine_first_child(m.e, sup); k != NODE_NONE;
	     k = engine_next_child(m.e, k)) {
		cleanup_(buf_fini) struct buf errors = { 0 };
		struct conf_child *c;

		if (conf_instantiate(
			conf, engine_name(m.e, k), none, &c, &errors) < 0)
			abort();
		keep_conf(c);
		m.conf_of[k] = c;
		out[n++] =
		    (struct plan_child){ .node = k, .worker = &c->worker.spec };
	}
	return n;
}

static uint32_t
plan_children(node_t sup, const struct conf_child *conf, struct plan_child *out)
{
	const struct conf_child *c;
	uint32_t n = 0;

	TAILQ_FOREACH (c, &conf->sup.children, link) {
		node_t k = engine_find_child(m.e, sup, c->name);

		if (k == NODE_NONE) {
			out[n++].node = add_node(NODE_NONE, c);
			continue;
		}
		m.conf_of[k] = c;
		out[n++] =
		    (struct plan_child){ .node = k, .worker = &c->worker.spec };
	}
	return n;
}

static const char *
core_reload(const char *text)
{
	static struct plan_child child[32];
	static struct plan plan;
	cleanup_(buf_fini) struct buf errors = { 0 };
	struct conf_child *c;
	node_t sup = find("");
	mono_t *window;

	memset(child, 0, sizeof(child));
	if (conf_parse_child(m.conf_of[NODE_ROOT], "case", text, strlen(text),
		&c, &errors) < 0)
		return "invalid";
	keep_conf(c);
	window = calloc(c->sup.spec.intensity + 1, sizeof(*window));
	assert(window != NULL);
	m.window = machine_grow(
	    m.window, &m.cap_windows, m.n_windows, sizeof(*m.window));
	m.window[m.n_windows++] = window;
	plan = (struct plan){
		.spec = &c->sup.spec, .window = window, .child = child
	};
	plan.n = c->sup.spec.strategy == SIMPLE_ONE_FOR_ONE
	             ? plan_pool(sup, c, child)
	             : plan_children(sup, c, child);
	m.conf_of[sup] = c;
	engine_set_plan(m.e, sup, &plan);
	return core_end_call(begin_event(EV_RELOAD, sup));
}

static const char *
core_start_tree(const char *text)
{
	return start_link(text);
}

static const char *
core_shutdown_of(const char *path)
{
	static char text[32];
	const struct worker_spec *w = engine_worker_spec(m.e, find(path));

	if (w->stop[0].sig == SIGKILL)
		return "brutal_kill";
	snprintf(
	    text, sizeof(text), "%ds", (int)(w->stop[0].wait_ns / NS_PER_S));
	return text;
}

static int
core_intensity(const char *path)
{
	return (int)engine_sup_spec(m.e, find(path))->intensity;
}

/* ---- what there is to see ------------------------------------------------
 */

static const char *
core_state(const char *path)
{
	node_t n = find(path);

	return n != NODE_NONE ? machine_state_word(n) : "none";
}

static void
core_children(const char *path,
    void (*each)(void *ctx, const char *name, const char *state), void *ctx)
{
	node_t sup = find(path);

	if (sup == NODE_NONE)
		return;
	for (node_t n = engine_first_child(m.e, sup); n != NODE_NONE;
	     n = engine_next_child(m.e, n))
		each(ctx, engine_name(m.e, n), machine_state_word(n));
}

static struct counts
core_counts(const char *path)
{
	struct counts k = { 0 };
	node_t sup = find(path);

	if (sup == NODE_NONE)
		return k;
	for (node_t n = engine_first_child(m.e, sup); n != NODE_NONE;
	     n = engine_next_child(m.e, n)) {
		k.specs++;
		k.active += engine_state(m.e, n) == CHILD_READY;
		k.supervisors += engine_is_sup(m.e, n);
		k.workers += !engine_is_sup(m.e, n);
	}
	return k;
}

static uint64_t
core_incarnation(const char *path)
{
	return engine_incarnation(m.e, find(path));
}

static uint32_t
core_restarts_used(const char *path)
{
	return engine_window_used(m.e, find(path), m.now);
}

static void
core_kill(const char *path, enum how how)
{
	node_t n = find(path);

	switch (how) {
	case NORMAL:
		machine_exit(n, 0, false);
		break;
	case SHUTDOWN:
		machine_exit(n, SIGTERM, true);
		break;
	case SHUTDOWN_TERM:
		machine_exit(n, TERM_CODE, false);
		break;
	case ABNORMAL:
		machine_exit(n, 1, false);
		break;
	case KILL:
		machine_exit(n, SIGKILL, true);
		break;
	}
}

static void
core_start_many(const char *path, const char *(*spec)(int i), int n)
{
	for (int i = 1; i <= n; i++)
		EXPECT(core_start_child(path, spec(i)), "ok");
}

static void
core_terminate_each(const char *path)
{
	char full[128];
	node_t next;

	for (node_t n = engine_first_child(m.e, find(path)); n != NODE_NONE;
	     n = next) {
		next = engine_next_child(m.e, n);
		snprintf(full, sizeof(full), "%s", machine_path(n));
		EXPECT(core_terminate_child(full), "ok");
	}
}

static void
core_kill_each(const char *path)
{
	for (node_t n = engine_first_child(m.e, find(path)); n != NODE_NONE;
	     n = engine_next_child(m.e, n))
		if (engine_state(m.e, n) == CHILD_READY)
			machine_exit(n, SIGKILL, true);
	machine_settle();
}

static void
core_outlive_period(const char *path)
{
	m.now.ns += engine_sup_spec(m.e, find(path))->period_ns + NS_PER_MS;
}

/* ---- one case ------------------------------------------------------------
 */

static bool
core_open(void)
{
	return true;
}

static bool
core_close(void)
{
	return true;
}

static struct conf *
load_root(void)
{
	static const char text[] =
	    "supervisor: root\nintensity: 0\nperiod: 1h\nchildren: []\n";
	cleanup_(buf_fini) struct buf errors = { 0 };
	char path[] = "/tmp/conform.XXXXXX";
	struct conf *conf = NULL;
	int fd = mkstemp(path);

	if (fd < 0 || fchmod(fd, 0600) < 0 ||
	    write(fd, text, sizeof(text) - 1) != sizeof(text) - 1 ||
	    conf_load(path, &conf, &errors) < 0) {
		fprintf(stderr, "%s: %s\n", path, buf_str(&errors));
		abort();
	}
	close(fd);
	unlink(path);
	return conf;
}

static void
core_begin(uint32_t n_nodes)
{
	memset(&m, 0, sizeof(m));
	m.cap = n_nodes;
	m.cap_q = (size_t)n_nodes * 4;
	m.now = (mono_t){ NS_PER_S };
	m.mem = calloc(1, engine_size(m.cap));
	m.proc = calloc(m.cap + 1, sizeof(*m.proc));
	m.conf_of = calloc(m.cap + 1, sizeof(*m.conf_of));
	m.now_q = calloc(m.cap_q, sizeof(*m.now_q));
	m.number = calloc(m.cap + 1, sizeof(*m.number));
	assert(m.mem && m.proc && m.conf_of && m.now_q && m.number);
	m.e = engine_init(m.mem, m.cap);
	m.root_conf = load_root();
	add_node(NODE_NONE, m.root_conf->root);
	machine_step(&(struct event){ .kind = EV_BOOT });
	machine_settle();
}

static void
core_end(bool failed)
{
	(void)failed;
	for (size_t i = 0; i < m.n_owned; i++)
		conf_child_free(m.owned[i]);
	for (size_t i = 0; i < m.n_windows; i++)
		free(m.window[i]);
	conf_free(m.root_conf);
	free(m.owned);
	free(m.window);
	free(m.later);
	free(m.now_q);
	free(m.number);
	free(m.answer);
	free(m.proc);
	free(m.conf_of);
	free(m.mem);
}

const struct rig rig_core = {
	.name = "core",
	.open = core_open,
	.close = core_close,
	.begin = core_begin,
	.end = core_end,
	.start_child = core_start_child,
	.terminate_child = core_terminate_child,
	.restart_child = core_restart_child,
	.delete_child = core_delete_child,
	.begin_call = core_begin_call,
	.end_call = core_end_call,
	.seen_by = core_seen_by,
	.start_tree = core_start_tree,
	.reload = core_reload,
	.shutdown_of = core_shutdown_of,
	.intensity = core_intensity,
	.start_many = core_start_many,
	.terminate_each = core_terminate_each,
	.kill_each = core_kill_each,
	.state = core_state,
	.children = core_children,
	.counts = core_counts,
	.incarnation = core_incarnation,
	.restarts_used = core_restarts_used,
	.kill = core_kill,
	.gate = machine_let,
	.pull = machine_settle,
	.pause = machine_settle,
	.outlive_period = core_outlive_period,
};
