/* SPDX-License-Identifier: ISC */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/mono.h"

#include <jansson.h>
#include <stdbool.h>

/*
 * A connection to supd's control socket: JSON-RPC 2.0, one object a line.
 *
 * Nothing here waits beyond `deadline` (MONO_NEVER: for ever, or until supd
 * ends).  Requests may be sent one after another before the first answer is
 * read; answers carry the id of their request.
 */

#define CLIENT_LINE_MAX (256 * 1024 * 1024) /* a whole answer, in bytes */

struct client {
	int fd;
	mono_t deadline;
	int64_t last_id;
	struct buf in;
	size_t used; /* bytes of `in` already given out */
	size_t seen; /* bytes of `in` known to hold no newline beyond used */
};

#define CLIENT_NULL ((struct client){ .fd = -EBADF })

/*
 * Connect to the socket at `path`.  Returns 0, -ENOENT or -ECONNREFUSED (no
 * supd), -EACCES, -ETIMEDOUT, -ENAMETOOLONG or another -errno.
 */
must_check int client_open(struct client *c, const char *path, mono_t deadline);
void client_close(struct client *c);

/*
 * Send a request; takes `params`, an object.  *ret_id is its id, from 1 up.
 * Returns 0, -ETIMEDOUT, -EPIPE (supd is gone), -ENOMEM or -errno.
 */
must_check int client_send(
    struct client *c, const char *method, json_t *params, int64_t *ret_id);

/*
 * Receive the next object, the caller's to json_decref().  Returns 0,
 * -ETIMEDOUT, -EPIPE (supd closed the connection), -EBADMSG (it is no JSON
 * object, or longer than CLIENT_LINE_MAX), -ENOMEM or -errno.
 */
must_check int client_recv(struct client *c, json_t **ret_msg);

/* Is there one that client_recv() gives without waiting? */
bool client_has_line(const struct client *c);

/*
 * Wait until the process that listens on the socket has ended, which is later
 * than the end of this connection.  Returns 0, -ETIMEDOUT or -errno.
 */
must_check int client_wait_end(struct client *c);

#endif /* CTL_CLIENT_H */
