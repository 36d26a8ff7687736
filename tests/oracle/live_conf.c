/* SPDX-License-Identifier: ISC */
#include "live.h"

#include <stdio.h>
#include <string.h>

static json_t *
duration(int ms)
{
	char text[24];

	if (ms == FOR_EVER)
		return json_string("infinity");
	if (ms == BRUTAL)
		return json_string("brutal_kill");
	snprintf(text, sizeof(text), "%dms", ms);
	return json_string(text);
}

static const char *
restart_word(enum restart_type r)
{
	return r == PERMANENT   ? "permanent"
	       : r == TRANSIENT ? "transient"
	                        : "temporary";
}

static json_t *
readiness(enum ready_by by)
{
	if (by == READY_BY_EVENT)
		return json_string("notify");
	if (by == READY_BY_DELAY)
		return json_pack("{ss}", "delay", "10ms");
	return json_string("exec");
}

/* Keys of a worker, or of a pool's template: `it` is any of its children. */
static json_t *
worker_keys(const struct live *l, const struct item *it, const char *id)
{
	static const char *const hows[] = { "obey", "slow", "refuse" };
	static const char *const answers[] = { "term", "exit 0", "exit 1" };
	json_t *w = json_object(), *command;

	if (id != NULL)
		command = json_pack("[ssssss]", l->mole, "told", l->sock, id,
		    hows[it->on_stop], answers[it->answer]);
	else
		command = json_pack("[sss]", l->mole, "told", l->sock);
	json_object_set_new(w, "command", command);
	json_object_set_new(
	    w, "restart", json_string(restart_word(it->restart)));
	json_object_set_new(w, "shutdown", duration(it->shutdown_ms));
	json_object_set_new(w, "ready", readiness(it->ready_by));
	json_object_set_new(w, "start_timeout", duration(it->timeout_ms));
	if (it->ready_by == READY_BY_GRACE)
		json_object_set_new(w, "start_grace", json_string("20ms"));
	return w;
}

static json_t *
worker(const struct live *l, int id)
{
	const struct item *it = &l->s->item[id];
	char name[16];
	json_t *w;

	snprintf(name, sizeof(name), "%d", id);
	w = worker_keys(l, it, name);
	json_object_set_new(w, "worker", json_string(name));
	if (it->significant)
		json_object_set_new(w, "significant", json_true());
	if (!it->enabled)
		json_object_set_new(w, "enabled", json_false());
	return w;
}

/* All of a pool's children are started in the same way. */
static json_t *
template_of(const struct live *l, int id)
{
	const struct item *it = &l->s->item[id];
	struct item child = {
		.restart = it->pool_restart,
		.shutdown_ms = it->shutdown_ms,
		.ready_by = READY_BY_EVENT,
		.timeout_ms = FOR_EVER,
	};

	return worker_keys(l, &child, NULL);
}

static json_t *supervisor(const struct live *l, int id);

static json_t *
children(const struct live *l, int id)
{
	json_t *list = json_array();

	for (int i = id + 1; i <= ITEMS_MAX; i++) {
		const struct item *it = &l->s->item[i];

		if (it->used && it->is_static && it->parent == id)
			json_array_append_new(
			    list, it->is_sup ? supervisor(l, i) : worker(l, i));
	}
	return list;
}

static json_t *
supervisor(const struct live *l, int id)
{
	static const char *const strategies[] = { "one_for_one", "rest_for_one",
		"one_for_all", "simple_one_for_one" };
	static const char *const autos[] = { "never", "any_significant",
		"all_significant" };
	const struct item *it = &l->s->item[id];
	char name[16], period[24];
	json_t *s = json_object();

	snprintf(name, sizeof(name), "%d", id);
	snprintf(period, sizeof(period), "%ds", it->period_s);
	json_object_set_new(s, "supervisor", json_string(name));
	json_object_set_new(
	    s, "strategy", json_string(strategies[it->strategy]));
	json_object_set_new(s, "intensity", json_integer(it->intensity));
	json_object_set_new(s, "period", json_string(period));
	if (it->auto_shutdown != AUTO_NEVER)
		json_object_set_new(
		    s, "auto_shutdown", json_string(autos[it->auto_shutdown]));
	if (id > 1) {
		json_object_set_new(
		    s, "restart", json_string(restart_word(it->restart)));
		if (it->significant)
			json_object_set_new(s, "significant", json_true());
	}
	if (it->strategy == SIMPLE_ONE_FOR_ONE)
		json_object_set_new(s, "template", template_of(l, id));
	else
		json_object_set_new(s, "children", children(l, id));
	return s;
}

static char *
as_text(json_t *j)
{
	char *text = json_dumps(j, JSON_INDENT(1));

	json_decref(j);
	return text;
}

char *
live_conf(const struct live *l)
{
	return as_text(supervisor(l, 1));
}

char *
live_spec(const struct live *l, int id)
{
	static const char *const hows[] = { "obey", "slow", "refuse" };
	static const char *const answers[] = { "term", "exit 0", "exit 1" };
	const struct item *it = &l->s->item[id];
	char name[16];

	if (l->s->item[it->parent].strategy != SIMPLE_ONE_FOR_ONE)
		return as_text(it->is_sup ? supervisor(l, id) : worker(l, id));
	snprintf(name, sizeof(name), "%d", id);
	return as_text(
	    json_pack("[sss]", name, hows[it->on_stop], answers[it->answer]));
}

bool
live_path(const struct live *l, int id, char *buf, size_t len)
{
	const struct item *it = &l->s->item[id];
	char above[LIVE_PATH];
	int name = id;

	if (id == 1) {
		snprintf(buf, len, "1");
		return true;
	}
	if (!live_path(l, it->parent, above, sizeof(above)))
		return false;
	if (l->s->item[it->parent].strategy == SIMPLE_ONE_FOR_ONE) {
		for (name = 1; name <= l->n_pool[it->parent]; name++)
			if (l->pool_child[it->parent][name] == id)
				break;
		if (name > l->n_pool[it->parent])
			return false;
	}
	snprintf(buf, len, "%s/%d", above, name);
	return true;
}

int
live_item(const struct live *l, const char *path)
{
	const char *at = strchr(path, '/');
	int id = 1;

	if (atoi(path) != 1)
		return 0;
	for (; at != NULL; at = strchr(at + 1, '/')) {
		int name = atoi(at + 1);

		if (name < 1 || name > ITEMS_MAX)
			return 0;
		if (l->s->item[id].strategy == SIMPLE_ONE_FOR_ONE)
			id = l->pool_child[id][name];
		else
			id = name;
	}
	return id;
}
