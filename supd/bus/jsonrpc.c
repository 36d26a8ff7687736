/* SPDX-License-Identifier: ISC */
#include "bus/jsonrpc.h"

#include "base/mono.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- text ---------------------------------------------------------------- */

/* The length of the valid UTF-8 sequence at s, 0 if there is none: RFC 3629,
 * table of section 4. */
static size_t
utf8_len(const unsigned char *s, size_t len)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (len < n)
		return 0;
	if (s[0] == 0xe0)
		lo = 0xa0;
	else if (s[0] == 0xed)
		hi = 0x9f;
	else if (s[0] == 0xf0)
		lo = 0x90;
	else if (s[0] == 0xf4)
		hi = 0x8f;
	if (s[1] < lo || s[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return n;
}

bool
text_is_utf8(const char *s, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_len((const unsigned char *)s + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

static void
text_repair(struct buf *out, const char *s, size_t len, bool keep_controls)
{
	size_t n;

	for (size_t i = 0; i < len; i += n != 0 ? n : 1) {
		n = utf8_len((const unsigned char *)s + i, len - i);
		if (n == 0)
			buf_puts(out, "\xef\xbf\xbd");
		else if (!keep_controls &&
			 ((unsigned char)s[i] < ' ' || s[i] == 0x7f))
			buf_puts(out, " ");
		else
			buf_add(out, s + i, n);
	}
}

json_t *
text_json(const char *s, size_t len)
{
	cleanup_(buf_fini) struct buf b = { 0 };

	if (len == 0)
		return json_string(""); /* s may be NULL */
	if (text_is_utf8(s, len))
		return json_stringn(s, len);
	text_repair(&b, s, len, true);
	return b.failed ? NULL : json_stringn(buf_str(&b), b.len);
}

char *
text_clean(const char *s, size_t len)
{
	cleanup_(buf_fini) struct buf b = { 0 };

	text_repair(&b, s, len, false);
	return b.failed ? NULL : strdup(buf_str(&b));
}

void
rfc3339(int64_t wall_ns, char out[RFC3339_MAX])
{
	int64_t ns = wall_ns % NS_PER_S;
	time_t t = (time_t)(wall_ns / NS_PER_S);
	struct tm tm = { 0 };
	char day[24];

	if (ns < 0) {
		ns += NS_PER_S;
		t--;
	}
	gmtime_r(&t, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, RFC3339_MAX, "%s.%09uZ", day, (unsigned)ns);
}

int
signal_of_name(const char *name)
{
	char *end;
	long n = strtol(name, &end, 10);

	if (*name >= '0' && *name <= '9')
		return *end == '\0' && n >= 1 && n <= 64 ? (int)n : 0;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (int s = 1; s < 65; s++) {
		const char *abbrev = sigabbrev_np(s);

		if (abbrev != NULL && strcasecmp(abbrev, name) == 0)
			return s;
	}
	return 0;
}

/* ---- requests ------------------------------------------------------------ */

static bool
id_ok(const json_t *id)
{
	return id == NULL || json_is_null(id) || json_is_number(id) ||
	       (json_is_string(id) && json_string_length(id) <= RPC_ID_MAX);
}

int
rpc_parse(const char *line, size_t len, struct rpc_request *ret,
    const char **ret_text)
{
	json_error_t err;
	const json_t *version, *params;

	*ret = (struct rpc_request){ .id = json_null() };
	ret->root = json_loadb(
	    line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &err);
	if (ret->root == NULL) {
		*ret_text = "not one JSON value on this line";
		return RPC_PARSE;
	}
	if (!json_is_object(ret->root)) {
		*ret_text = "not a JSON object (batches are not served)";
		return RPC_INVALID_REQUEST;
	}
	if (!id_ok(json_object_get(ret->root, "id"))) {
		*ret_text = "\"id\" must be a number, null or a text of at "
			    "most 128 bytes";
		return RPC_INVALID_REQUEST;
	}
	version = json_object_get(ret->root, "jsonrpc");
	ret->method = json_string_value(json_object_get(ret->root, "method"));
	if (!json_is_string(version) ||
	    strcmp(json_string_value(version), "2.0") != 0 ||
	    ret->method == NULL) {
		if (json_object_get(ret->root, "id") != NULL)
			ret->id = json_object_get(ret->root, "id");
		*ret_text = "\"jsonrpc\":\"2.0\" and \"method\" are needed";
		return RPC_INVALID_REQUEST;
	}
	ret->id = json_object_get(ret->root, "id");
	params = json_object_get(ret->root, "params");
	if (params == NULL) {
		json_object_set_new(ret->root, "params", json_object());
		params = json_object_get(ret->root, "params");
	}
	if (!json_is_object(params)) {
		*ret_text = "\"params\" must be an object";
		return RPC_INVALID_PARAMS;
	}
	ret->params = params;
	return 0;
}

void
rpc_request_fini(struct rpc_request *r)
{
	json_decref(r->root);
	*r = (struct rpc_request){ 0 };
}

/* ---- answers ------------------------------------------------------------- */

static int
dump_to_buf(const char *p, size_t len, void *arg)
{
	struct buf *out = arg;

	buf_add(out, p, len);
	return out->failed ? -1 : 0;
}

void
json_to_buf(struct buf *out, json_t *take)
{
	if (take == NULL || json_dump_callback(take, dump_to_buf, out,
				JSON_COMPACT | JSON_ENCODE_ANY) != 0)
		out->failed = true;
	json_decref(take);
}

static void
put_head(struct buf *out, const json_t *id)
{
	buf_puts(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	json_to_buf(out, json_deep_copy(id));
}

void
rpc_put_result(struct buf *out, const json_t *id, const char *result)
{
	put_head(out, id);
	buf_puts(out, ",\"result\":");
	buf_puts(out, result);
	buf_puts(out, "}\n");
}

void
rpc_put_error(struct buf *out, const json_t *id, int code, const char *message,
    const char *data)
{
	put_head(out, id);
	buf_printf(out, ",\"error\":{\"code\":%d,\"message\":", code);
	json_to_buf(out, text_json(message, strlen(message)));
	if (data != NULL) {
		buf_puts(out, ",\"data\":");
		buf_puts(out, data);
	}
	buf_puts(out, "}}\n");
}

void
rpc_put_stream(
    struct buf *out, const json_t *id, const char *method, json_t *take_params)
{
	json_object_set_new(take_params, "id", json_deep_copy(id));
	json_to_buf(out, json_pack("{s:s,s:s,s:o}", "jsonrpc", "2.0", "method",
			     method, "params", take_params));
	buf_puts(out, "\n");
}

/* ---- shapes -------------------------------------------------------------- */

static json_t *
text_of(const char *s)
{
	return text_json(s, strlen(s));
}

static json_t *
text_or_null(const char *s)
{
	return s[0] != '\0' ? text_of(s) : json_null();
}

static json_t *
int_or_null(bool known, int64_t n)
{
	return known ? json_integer(n) : json_null();
}

json_t *
node_json(const struct wire_row *w)
{
	bool sup = (w->flags & ROW_SUP) != 0;
	bool ended = (w->flags & ROW_HAS_EXIT) != 0;
	bool up = strcmp(w->state, "ready") == 0 || strcmp(w->state, "up") == 0;
	const char *slash = strrchr(w->path, '/');

	return json_pack("{s:o,s:o,s:s,s:o,s:s,s:o,s:I,s:o,s:I,s:I,s:o,s:o,"
			 "s:o,s:o,s:o,s:o,s:o,s:b,s:b,s:b,s:o,s:I,s:I}",
	    "path", text_of(w->path), "name",
	    text_of(slash != NULL ? slash + 1 : w->path), "type",
	    sup ? "supervisor" : "worker", "state", text_of(w->state),
	    "desired", w->flags & ROW_WANTED ? "up" : "down", "pid",
	    int_or_null(w->pid > 0, w->pid), "incarnation", (json_int_t)w->inc,
	    "uptime_ns", int_or_null(up, w->since_ns), "since_ns",
	    (json_int_t)w->since_ns, "restarts", (json_int_t)w->restarts,
	    "last_exit", ended ? text_or_null(w->last_exit) : json_null(),
	    "last_exit_ago_ns", int_or_null(ended, w->last_exit_ns), "strategy",
	    sup ? text_or_null(w->kind) : json_null(), "restart",
	    sup ? json_null() : text_or_null(w->kind), "used",
	    int_or_null(sup, w->used), "intensity", int_or_null(sup, w->limit),
	    "period_ns", int_or_null(sup, w->period_ns), "busy",
	    (w->flags & ROW_BUSY) != 0, "dynamic",
	    (w->flags & ROW_DYNAMIC) != 0, "enabled",
	    (w->flags & ROW_ENABLED) != 0, "detail", text_or_null(w->detail),
	    "depth", (json_int_t)w->depth, "order", (json_int_t)w->order);
}

json_t *
event_json(const struct wire_event *w)
{
	char when[RFC3339_MAX];

	rfc3339(w->wall_ns, when);
	return json_pack("{s:I,s:o,s:s,s:I,s:I,s:o,s:o,s:o,s:I,s:o}", "seq",
	    (json_int_t)w->seq, "cause",
	    int_or_null(w->cause != 0, (int64_t)w->cause), "time", when,
	    "time_ns", (json_int_t)w->wall_ns, "mono_ns",
	    (json_int_t)w->mono_ns, "kind", text_of(w->kind), "path",
	    text_of(w->path), "pid", int_or_null(w->pid > 0, w->pid),
	    "incarnation", (json_int_t)w->inc, "text", text_of(w->text));
}

/* {"change":"key","path","key","old","new","origin","at_start"} */
static json_t *
key_json(const struct wire_change *w, const char *old, const char *now)
{
	return json_pack("{s:s,s:o,s:s,s:o,s:o,s:o,s:b}", "change", "key",
	    "path", text_json(w->path, strlen(w->path)), "key", w->key, "old",
	    (w->flags & CHANGE_NO_OLD) != 0 ? json_null()
					    : text_json(old, strlen(old)),
	    "new",
	    (w->flags & CHANGE_NO_NEW) != 0 ? json_null()
					    : text_json(now, strlen(now)),
	    "origin", text_or_null(w->origin), "at_start",
	    (w->flags & CHANGE_AT_START) != 0);
}

/* {"change":"restart","path","type","because","strategy","result","text"} */
static json_t *
deed_json(const struct wire_change *w, const char *name, const char *text)
{
	return json_pack("{s:s,s:o,s:s,s:o,s:o,s:o,s:o}", "change", name,
	    "path", text_json(w->path, strlen(w->path)), "type",
	    (w->flags & CHANGE_SUP) != 0 ? "supervisor" : "worker", "because",
	    text_or_null(w->other), "strategy", text_or_null(w->kind), "result",
	    text_or_null(w->key), "text", text_or_null(text));
}

json_t *
change_json(const struct wire_hdr *h)
{
	static const char *const names[CHANGE_WHAT_N] = {
		[CHANGE_ADDED] = "added",
		[CHANGE_REMOVED] = "removed",
		[CHANGE_MOVED] = "moved",
		[CHANGE_KEY] = "key",
		[CHANGE_START] = "start",
		[CHANGE_STOP] = "stop",
		[CHANGE_RESTART] = "restart",
		[CHANGE_MORE] = "more",
	};
	const struct wire_change *w = wire_body(h);
	const char *old, *now = "";
	size_t len, first;

	old = wire_tail(h, &len);
	if (len == 0)
		old = "";
	first = strlen(old) + 1;
	if (first < len)
		now = old + first;
	switch (w->what) {
	case CHANGE_KEY:
		return key_json(w, old, now);
	case CHANGE_START:
	case CHANGE_STOP:
	case CHANGE_RESTART:
		return deed_json(w, names[w->what], now);
	case CHANGE_MORE:
		return json_pack("{s:s,s:I}", "change", names[w->what], "n",
		    (json_int_t)w->n);
	case CHANGE_MOVED:
		return json_pack("{s:s,s:o,s:o}", "change", names[w->what],
		    "path", text_json(w->path, strlen(w->path)), "behind",
		    text_or_null(w->other));
	default:
		return json_pack("{s:s,s:o,s:s,s:o}", "change",
		    w->what < CHANGE_WHAT_N ? names[w->what] : "?", "path",
		    text_json(w->path, strlen(w->path)), "type", w->kind,
		    "origin", text_or_null(w->origin));
	}
}
