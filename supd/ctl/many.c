/* SPDX-License-Identifier: ISC */
#include "ctl/many.h"

#include <string.h>

struct target {
	int64_t id;
	json_t *answer; /* owned, until it has been told */
};

struct many {
	struct ctl *c;
	int n;
	char *const *paths;
	struct target *target;
	int n_told; /* the first so many have been told */
	int code;
};

static void
count_code(struct many *m, int code)
{
	if (m->code == CTL_OK)
		m->code = code;
	else if (code != CTL_OK && code != m->code)
		m->code = CTL_FAILED;
}

static int
send_all(struct many *m, const char *method, const json_t *common)
{
	for (int i = 0; i < m->n; i++) {
		json_t *params = json_deep_copy(common);
		int code;

		if (params != NULL && json_object_set_new(params, "path",
					  json_string(m->paths[i])) < 0) {
			json_decref(params);
			ctl_errx(m->c, "%s: not UTF-8", m->paths[i]);
			return CTL_USAGE;
		}
		code = ctl_send(m->c, method, params, &m->target[i].id);
		if (code != CTL_OK)
			return code;
	}
	return CTL_OK;
}

/* Keep the answer with the target it belongs to; false: an error for all. */
static bool
keep(struct many *m, json_t *msg)
{
	const json_t *id = json_object_get(msg, "id");

	for (int i = 0; i < m->n; i++)
		if (json_is_integer(id) && m->target[i].answer == NULL &&
		    m->target[i].id == json_integer_value(id)) {
			m->target[i].answer = msg;
			return true;
		}
	if (json_object_get(msg, "error") != NULL && !json_is_integer(id)) {
		json_t *nodes;

		count_code(m, ctl_answer(m->c, msg, &nodes));
		json_decref(nodes);
		return false;
	}
	json_decref(msg);
	return true;
}

/* Tell what can be told in order. */
static void
tell(struct many *m,
    void (*each)(
	struct ctl *c, const char *path, const json_t *nodes, void *ctx),
    void *ctx)
{
	for (; m->n_told < m->n; m->n_told++) {
		struct target *t = &m->target[m->n_told];
		const char *path = m->paths[m->n_told];
		json_t *nodes;

		if (t->answer == NULL)
			return;
		count_code(m, ctl_answer(m->c, take_ptr(t->answer), &nodes));
		if (nodes != NULL)
			each(m->c, path, nodes, ctx);
		json_decref(nodes);
	}
}

int
many_call(struct ctl *c, const char *method, int n, char *const *paths,
    json_t *common,
    void (*each)(
	struct ctl *c, const char *path, const json_t *nodes, void *ctx),
    void *ctx)
{
	cleanup_(freep) struct target *target =
	    calloc((size_t)n + 1, sizeof(*target));
	struct many m = { .c = c, .n = n, .paths = paths, .target = target };
	json_t *msg;
	int code;

	if (target == NULL || common == NULL) {
		json_decref(common);
		ctl_errx(c, "%s", strerror(ENOMEM));
		return CTL_FAILED;
	}
	code = ctl_connect(c);
	if (code == CTL_OK) {
		if (json_object_get(common, "timeout_ns") != NULL)
			ctl_allow_grace(c);
		code = send_all(&m, method, common);
	}
	json_decref(common);
	while (code == CTL_OK && m.n_told < n) {
		code = ctl_receive(c, &msg);
		if (code == CTL_OK && !keep(&m, msg))
			break;
		if (code == CTL_OK)
			tell(&m, each, ctx);
	}
	for (int i = m.n_told; i < n; i++)
		json_decref(target[i].answer);
	count_code(&m, code);
	return m.code;
}
