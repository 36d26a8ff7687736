/* SPDX-License-Identifier: ISC */
/* Scripts as text, and made smaller. */
#include "script.h"

#include <stdio.h>
#include <string.h>

const char *const op_names[OP_N] = {
	[OP_BOOT] = "boot",
	[OP_SHUTDOWN] = "shutdown",
	[OP_WHICH] = "which",
	[OP_DRAIN] = "drain",
	[OP_WAIT] = "wait",
	[OP_GO] = "go",
	[OP_RELOAD] = "reload",
	[OP_FAIL] = "fail",
	[OP_HOLD] = "hold",
	[OP_DIE] = "die",
	[OP_OK] = "ok",
	[OP_TERM] = "term",
	[OP_START] = "start",
	[OP_TERMINATE] = "terminate",
	[OP_RESTART] = "restart",
	[OP_DELETE] = "delete",
};

static const char *const strategies[] = { "ofo", "rfo", "ofa", "sofo" };
static const char *const restarts[] = { "p", "t", "x" };
static const char *const autos[] = { "never", "any", "all" };
static const char *const stops[] = { "obey", "slow", "refuse" };
static const char *const readies[] = { "event", "exec", "grace", "delay" };
static const char *const answers[] = { "shutdown", "normal", "crash" };

static void
print_item(const struct item *it, int id, struct buf *out)
{
	if (it->is_sup)
		buf_printf(out, "sup %d %d %s %d %d %s %d %s %s %d %s %d\n", id,
		    it->parent, strategies[it->strategy], it->intensity,
		    it->period_s, restarts[it->restart], it->significant,
		    autos[it->auto_shutdown], restarts[it->pool_restart],
		    it->shutdown_ms, it->pool_of_sups ? "sup" : "work",
		    it->is_static);
	else
		buf_printf(out, "work %d %d %s %d %d %s %s %d %d %s %d\n", id,
		    it->parent, restarts[it->restart], it->significant,
		    it->shutdown_ms, stops[it->on_stop], answers[it->answer],
		    it->enabled, it->is_static, readies[it->ready_by],
		    it->timeout_ms);
}

static void
print_reload(const struct reload *r, struct buf *out)
{
	buf_printf(out, "reload %d %s %d %s", r->sup, strategies[r->strategy],
	    r->intensity, autos[r->auto_shutdown]);
	for (int i = 0; i < r->n; i++)
		buf_printf(out, " %d:%s:%d:%d", r->child[i].id,
		    restarts[r->child[i].restart], r->child[i].significant,
		    r->child[i].shutdown_ms);
}

void
script_print_command(
    const struct script *s, const struct command *c, struct buf *out)
{
	for (int i = 0; i < c->n; i++) {
		const struct op *o = &c->op[i];

		if (o->kind == OP_RELOAD) {
			print_reload(&s->reload[o->arg], out);
			continue;
		}
		buf_printf(out, "%s%s",
		    i == 0     ? ""
		    : c->apart ? "&"
			       : ";",
		    op_names[o->kind]);
		if (o->kind >= OP_FAIL)
			buf_printf(out, " %d", o->id);
		if (o->kind >= OP_WAIT && o->kind <= OP_HOLD)
			buf_printf(out, " %d", o->arg);
	}
}

void
script_print(const struct script *s, struct buf *out)
{
	for (int i = 1; i <= ITEMS_MAX; i++)
		if (s->item[i].used)
			print_item(&s->item[i], i, out);
	for (int i = 0; i < s->n_commands; i++) {
		script_print_command(s, &s->command[i], out);
		buf_puts(out, "\n");
	}
}

/* ---- reading ------------------------------------------------------------ */

static int
word_of(const char *w, const char *const *words, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(w, words[i]) == 0)
			return i;
	return -1;
}

static bool
good_item(const struct script *s, int id, int parent)
{
	return id >= 1 && id <= ITEMS_MAX && !s->item[id].used && parent >= 0 &&
	       parent < id && (parent > 0) == (id > 1) &&
	       (parent == 0 || s->item[parent].is_sup);
}

static bool
parse_sup(const char *line, struct script *s)
{
	char strategy[8], restart[4], autos_w[8], pool[4], of[8];
	int id, parent, i, p, sig, shutdown, is_static, w[4];

	if (sscanf(line, "sup %d %d %7s %d %d %3s %d %7s %3s %d %7s %d", &id,
		&parent, strategy, &i, &p, restart, &sig, autos_w, pool,
		&shutdown, of, &is_static) != 12 ||
	    !good_item(s, id, parent) || i < 0 || i > 5 || p < 1)
		return false;
	w[0] = word_of(strategy, strategies, 4);
	w[1] = word_of(restart, restarts, 3);
	w[2] = word_of(autos_w, autos, 3);
	w[3] = word_of(pool, restarts, 3);
	if (w[0] < 0 || w[1] < 0 || w[2] < 0 || w[3] < 0)
		return false;
	s->item[id] = (struct item){
		.used = true,
		.is_sup = true,
		.is_static = is_static != 0,
		.pool_of_sups = strcmp(of, "sup") == 0,
		.enabled = true,
		.parent = parent,
		.strategy = (enum strategy)w[0],
		.intensity = i,
		.period_s = p,
		.restart = (enum restart_type)w[1],
		.significant = sig != 0,
		.auto_shutdown = (enum auto_shutdown)w[2],
		.pool_restart = (enum restart_type)w[3],
		.shutdown_ms = shutdown,
	};
	return true;
}

static bool
parse_work(const char *line, struct script *s)
{
	char restart[4], stop[8], answer[12], ready[8];
	int id, parent, sig, shutdown, enabled, is_static, timeout, w[4];

	if (sscanf(line, "work %d %d %3s %d %d %7s %11s %d %d %7s %d", &id,
		&parent, restart, &sig, &shutdown, stop, answer, &enabled,
		&is_static, ready, &timeout) != 11 ||
	    !good_item(s, id, parent))
		return false;
	w[0] = word_of(restart, restarts, 3);
	w[1] = word_of(stop, stops, 3);
	w[2] = word_of(answer, answers, 3);
	w[3] = word_of(ready, readies, 4);
	if (w[0] < 0 || w[1] < 0 || w[2] < 0 || w[3] < 0)
		return false;
	s->item[id] = (struct item){
		.used = true,
		.parent = parent,
		.restart = (enum restart_type)w[0],
		.significant = sig != 0,
		.shutdown_ms = shutdown,
		.on_stop = (enum on_stop)w[1],
		.answer = (enum answer)w[2],
		.enabled = enabled != 0,
		.is_static = is_static != 0,
		.ready_by = (enum ready_by)w[3],
		.timeout_ms = timeout,
	};
	return true;
}

static bool
parse_op(const char *text, const struct script *s, struct op *ret)
{
	char word[12];
	int a = 0, b = 0, n, kind;

	n = sscanf(text, "%11s %d %d", word, &a, &b);
	if (n < 1 || (kind = word_of(word, op_names, OP_N)) < 0)
		return false;
	*ret = (struct op){ .kind = (enum op_kind)kind, .id = a, .arg = b };
	if (kind == OP_WAIT || kind == OP_GO)
		*ret = (struct op){ .kind = (enum op_kind)kind, .arg = a };
	return kind < OP_FAIL || (a >= 1 && a <= ITEMS_MAX && s->item[a].used);
}

static bool
parse_reload(char *line, struct script *s, struct op *ret)
{
	struct reload r = { 0 };
	char strategy[8], autos_w[8], restart[4], *save = NULL, *w;
	int at = 0, sig, w0, w1;

	if (sscanf(line, "reload %d %7s %d %7s%n", &r.sup, strategy,
		&r.intensity, autos_w, &at) != 4 ||
	    r.sup < 1 || r.sup > ITEMS_MAX || !s->item[r.sup].is_sup ||
	    r.intensity < 0 || r.intensity > 5 || s->n_reloads == RELOADS_MAX)
		return false;
	w0 = word_of(strategy, strategies, 3);
	w1 = word_of(autos_w, autos, 3);
	for (w = strtok_r(line + at, " ", &save); w != NULL && w0 >= 0;
	     w = strtok_r(NULL, " ", &save)) {
		struct reload_child *c = &r.child[r.n++];

		if (r.n == ITEMS_MAX ||
		    sscanf(w, "%d:%1[ptx]:%d:%d", &c->id, restart, &sig,
			&c->shutdown_ms) != 4 ||
		    c->id < 1 || c->id > ITEMS_MAX ||
		    s->item[c->id].parent != r.sup)
			return false;
		c->restart = (enum restart_type)word_of(restart, restarts, 3);
		c->significant = sig != 0;
	}
	r.strategy = (enum strategy)w0;
	r.auto_shutdown = (enum auto_shutdown)w1;
	*ret = (struct op){ OP_RELOAD, r.sup, s->n_reloads };
	s->reload[s->n_reloads++] = r;
	return w0 >= 0 && w1 >= 0;
}

static bool
parse_command(char *line, struct script *s)
{
	struct command c = { .apart = strchr(line, '&') != NULL };
	const char *sep = c.apart ? "&" : ";";
	char *save = NULL, *w;

	if (strncmp(line, "reload ", 7) == 0) {
		c.n = 1;
		if (!parse_reload(line, s, &c.op[0]))
			return false;
		line = NULL;
	}
	for (w = line == NULL ? NULL : strtok_r(line, sep, &save); w != NULL;
	     w = strtok_r(NULL, sep, &save))
		if (c.n == OPS_MAX || !parse_op(w, s, &c.op[c.n++]))
			return false;
	if (c.n == 0 || s->n_commands == COMMANDS_MAX)
		return false;
	s->command[s->n_commands++] = c;
	return true;
}

int
script_parse(const char *text, struct script *ret, int *ret_line)
{
	cleanup_(freep) char *copy = strdup(text);
	char *rest = copy, *line;

	*ret = (struct script){ 0 };
	*ret_line = 0;
	if (copy == NULL)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n")) != NULL) {
		bool good;

		++*ret_line;
		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (strncmp(line, "sup ", 4) == 0)
			good = parse_sup(line, ret);
		else if (strncmp(line, "work ", 5) == 0)
			good = parse_work(line, ret);
		else
			good = parse_command(line, ret);
		if (!good)
			return -EINVAL;
	}
	return ret->item[1].used && ret->n_commands > 0 ? 0 : -EINVAL;
}

/* ---- smaller ------------------------------------------------------------ */

void
script_drop_command(struct script *s, int i)
{
	s->n_commands--;
	memmove(&s->command[i], &s->command[i + 1],
	    (size_t)(s->n_commands - i) * sizeof(s->command[0]));
}

static void
drop_ops(struct script *s, int id)
{
	for (int i = s->n_commands - 1; i >= 0; i--) {
		struct command *c = &s->command[i];
		int n = 0;

		for (int k = 0; k < c->n; k++)
			if (c->op[k].kind < OP_RELOAD || c->op[k].id != id)
				c->op[n++] = c->op[k];
		c->n = n;
		if (n == 0)
			script_drop_command(s, i);
	}
}

static void
drop_from_reloads(struct script *s, int id)
{
	for (int i = 0; i < s->n_reloads; i++) {
		struct reload *r = &s->reload[i];
		int n = 0;

		for (int k = 0; k < r->n; k++)
			if (r->child[k].id != id)
				r->child[n++] = r->child[k];
		r->n = n;
	}
}

void
script_drop_item(struct script *s, int id)
{
	for (int i = id + 1; i <= ITEMS_MAX; i++)
		if (s->item[i].used && s->item[i].parent == id)
			script_drop_item(s, i);
	drop_ops(s, id);
	drop_from_reloads(s, id);
	s->item[id].used = false;
}
