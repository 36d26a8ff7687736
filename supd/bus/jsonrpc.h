/* SPDX-License-Identifier: ISC */
#ifndef BUS_JSONRPC_H
#define BUS_JSONRPC_H

#include "base/attr.h"
#include "base/buf.h"
#include "wire/wire.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* JSON-RPC 2.0 and the JSON shapes of supd/HACKING, section 3. */

enum rpc_error {
	RPC_PARSE = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_NO_METHOD = -32601,
	RPC_INVALID_PARAMS = -32602,
};

#define RPC_ID_MAX                                                             \
	128 /* bytes of a text id: every stream record repeats it              \
	     */

struct rpc_request {
	json_t *root;         /* owned */
	const json_t *id;     /* NULL: a notification, never answered */
	const char *method;   /* borrowed from root */
	const json_t *params; /* an object; never NULL */
};

/*
 * Parse one line.  Returns 0, or an enum rpc_error with its message in
 * *ret_text; then ret->id is what could be told of it (JSON null if nothing).
 * Release with rpc_request_fini() in both cases.
 */
must_check int rpc_parse(const char *line, size_t len, struct rpc_request *ret,
    const char **ret_text);
void rpc_request_fini(struct rpc_request *r);

/* Take a value, print it and release it; NULL marks the buffer as failed. */
void json_to_buf(struct buf *out, json_t *take);

/* A whole answer with its newline.  data: NULL, or JSON text. */
void rpc_put_result(struct buf *out, const json_t *id, const char *result);
void rpc_put_error(struct buf *out, const json_t *id, int code,
    const char *message, const char *data);
/* A stream record: `params` takes over and gets "id". */
void rpc_put_stream(
    struct buf *out, const json_t *id, const char *method, json_t *take_params);

/* Text from outside: what is not UTF-8 becomes U+FFFD. */
bool text_is_utf8(const char *s, size_t len);
json_t *text_json(const char *s, size_t len);
/* The same without control characters, as a malloc'ed string, or NULL. */
char *text_clean(const char *s, size_t len);

/* "2026-01-02T03:04:05.678901234Z". */
#define RFC3339_MAX 36
void rfc3339(int64_t wall_ns, char out[RFC3339_MAX]);

json_t *node_json(const struct wire_row *row);
json_t *event_json(const struct wire_event *ev);
/* Of a WIRE_CHANGE frame. */
json_t *change_json(const struct wire_hdr *h);

/* 15 for "TERM", "SIGTERM" or "15"; 0 if there is no such signal. */
int signal_of_name(const char *name);

#endif /* BUS_JSONRPC_H */
