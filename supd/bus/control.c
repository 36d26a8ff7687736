/* SPDX-License-Identifier: ISC */
#include "bus/control.h"

#include "base/log.h"
#include "bus/bus.h"
#include "bus/inbox.h"
#include "bus/jsonrpc.h"
#include "bus/requests.h"
#include "bus/stream.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define READ_PER_TURN   (64 * 1024)
#define LINES_PER_TURN  64
#define ACCEPT_PER_TURN 16
#define ACCEPT_AGAIN_MS 100

static void client_readable(evutil_socket_t fd, short what, void *arg);
static void client_writable(evutil_socket_t fd, short what, void *arg);

struct client *
control_guest(struct bus *b, uint64_t pid)
{
	struct client *c;

	if (PROTO_PID_SLOT(pid) != PROTO_GUEST_SLOT)
		return NULL;
	TAILQ_FOREACH (c, &b->control.clients, entry)
		if (c->guest == pid)
			break;
	return c;
}

/* ---- clients --------------------------------------------------------------
 */

static void
client_free(struct client *c)
{
	struct request *r;

	while ((r = TAILQ_FIRST(&c->requests)) != NULL)
		request_drop(r);
	inbox_ended(c);
	event_del(&c->read);
	event_del(&c->write);
	close(c->fd);
	evbuffer_free(c->in);
	evbuffer_free(c->out);
	free(c);
}

void
client_close(struct client *c)
{
	struct control *ctl = &c->bus->control;

	if (c->closing)
		return;
	c->closing = true;
	event_del(&c->read);
	event_del(&c->write);
	ctl->n_clients--;
	ctl->n_strangers -= !c->permitted;
	TAILQ_REMOVE(&ctl->clients, c, entry);
	TAILQ_INSERT_TAIL(&ctl->graves, c, entry);
	event_active(&ctl->sweep, EV_TIMEOUT, 0);
}

static void
control_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct bus *b = arg;
	struct client *c;

	(void)fd;
	(void)what;
	while ((c = TAILQ_FIRST(&b->control.graves)) != NULL) {
		TAILQ_REMOVE(&b->control.graves, c, entry);
		client_free(c);
	}
}

static bool
client_busy(const struct client *c)
{
	return c->n_requests >= CLIENT_REQUESTS_MAX ||
	       client_out_len(c) >= CLIENT_OUT_PAUSE;
}

static bool
client_has_line(const struct client *c)
{
	return evbuffer_search_eol(c->in, NULL, NULL, EVBUFFER_EOL_LF).pos >= 0;
}

/* Everything it asked for has been said. */
static void
client_check_done(struct client *c)
{
	if (c->eof && c->n_requests == 0 && client_out_len(c) == 0 &&
	    !c->paused && !client_has_line(c))
		client_close(c);
}

void
client_resume(struct client *c)
{
	if (c->closing || c->peer != NULL)
		return;
	if (c->paused && !client_busy(c)) {
		c->paused = false;
		if (!c->eof)
			event_add(&c->read, NULL);
		event_active(&c->read, EV_READ, 0);
	}
	client_check_done(c);
}

size_t
client_out_len(const struct client *c)
{
	return c->peer == NULL ? evbuffer_get_length(c->out) : 0;
}

void
client_send(struct client *c, const struct buf *line)
{
	if (c->closing)
		return;
	if (line->failed || client_out_len(c) > CLIENT_OUT_MAX) {
		log_warnx("control client of uid %u: %s; closed it", c->uid,
		    line->failed ? "out of memory for its answer"
				 : "it does not read its answers");
		client_close(c);
		return;
	}
	if (evbuffer_add(c->out, line->data, line->len) < 0) {
		client_close(c);
		return;
	}
	event_add(&c->write, NULL);
}

static void
client_writable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)what;
	if (client_out_len(c) != 0 && evbuffer_write(c->out, fd) < 0 &&
	    errno != EAGAIN && errno != EINTR) {
		client_close(c);
		return;
	}
	if (client_out_len(c) == 0)
		stream_drained(c);
	inbox_drained(c);
	if (client_out_len(c) != 0)
		event_add(&c->write, NULL);
	client_resume(c);
}

static void
client_too_long(struct client *c)
{
	cleanup_(buf_fini) struct buf line = { 0 };

	evbuffer_drain(c->in, evbuffer_get_length(c->in));
	c->skipping = true;
	rpc_put_error(&line, json_null(), RPC_PARSE,
	    "a line is longer than 1 MB; skipped it", NULL);
	client_send(c, &line);
}

/* Take the next whole line.  False when there is none yet. */
static bool
client_next_line(struct client *c)
{
	size_t len;
	char *line = evbuffer_readln(c->in, &len, EVBUFFER_EOL_LF);

	if (line == NULL) {
		if (c->skipping)
			evbuffer_drain(c->in, evbuffer_get_length(c->in));
		else if (evbuffer_get_length(c->in) > CLIENT_LINE_MAX)
			client_too_long(c);
		return false;
	}
	if (c->skipping)
		c->skipping = false;
	else if (len > CLIENT_LINE_MAX) {
		client_too_long(c);
		c->skipping = false;
	} else if (len != 0)
		client_line(c, line, len);
	free(line);
	return !c->closing;
}

static void
client_lines(struct client *c)
{
	for (unsigned i = 0; i < LINES_PER_TURN; i++) {
		if (client_busy(c)) {
			c->paused = true;
			event_del(&c->read);
			return;
		}
		if (!client_next_line(c))
			return;
	}
	event_active(&c->read, EV_READ, 0);
}

/* After the end of input, what has no newline is a line too. */
static void
client_last_line(struct client *c)
{
	size_t len = evbuffer_get_length(c->in);

	if (len == 0 || c->skipping || client_has_line(c) || client_busy(c))
		return;
	client_line(c, (char *)evbuffer_pullup(c->in, -1), len);
	evbuffer_drain(c->in, len);
}

/* Has it closed both ways, so that nobody will read an answer? */
static bool
client_is_gone(const struct client *c)
{
	struct pollfd p = { .fd = c->fd };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

static void
client_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	int n = 0;

	(void)what;
	if (!c->eof) {
		n = evbuffer_read(c->in, fd, READ_PER_TURN);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			client_close(c);
			return;
		}
		if (n == 0) {
			c->eof = true;
			event_del(&c->read);
		}
	}
	client_lines(c);
	if (!c->eof || c->closing)
		return;
	client_last_line(c);
	if (client_is_gone(c) && !client_has_line(c))
		client_close(c);
	else {
		stream_client_eof(c);
		client_check_done(c);
	}
}

/* ---- accepting ------------------------------------------------------------
 */

/* The one that has been there longest with nothing asked or half said. */
static struct client *
client_idle(struct control *ctl)
{
	struct client *c;

	TAILQ_FOREACH (c, &ctl->clients, entry)
		if (c->permitted && !c->closing && c->inbox == NULL &&
		    c->n_requests == 0 && evbuffer_get_length(c->in) == 0 &&
		    client_out_len(c) == 0)
			return c;
	return NULL;
}

/* Whoever only holds a connection gives it up for one who wants something. */
static bool
client_fits(struct control *ctl, bool permitted)
{
	struct client *idle;

	if (!permitted)
		return ctl->n_strangers < STRANGERS_MAX;
	if (ctl->n_clients - ctl->n_strangers < CLIENTS_MAX)
		return true;
	idle = client_idle(ctl);
	if (idle != NULL)
		client_close(idle);
	return idle != NULL;
}

/* Say why: to a client, a closed connection looks like the end of supd. */
static void
client_refuse(struct control *ctl, int fd, uint32_t uid)
{
	static const char text[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,"
	    "\"message\":\"supd has too many clients; try again later\"}}\n";

	(void)!send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
	if (!ctl->refusing)
		log_warnx("control: too many clients; refused one of uid %u, "
			  "and more until some have left",
		    uid);
	ctl->refusing = true;
}

static void
client_new(struct bus *b, int fd)
{
	struct control *ctl = &b->control;
	struct ucred cred = { 0, (uid_t)-1, (gid_t)-1 };
	socklen_t len = sizeof(cred);
	struct client *c;
	bool permitted;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
		close(fd);
		return;
	}
	permitted = cred.uid == 0 || cred.uid == geteuid();
	if (!client_fits(ctl, permitted)) {
		client_refuse(ctl, fd, cred.uid);
		return;
	}
	ctl->refusing = false;
	c = calloc(1, sizeof(*c));
	if (c == NULL || (c->in = evbuffer_new()) == NULL ||
	    (c->out = evbuffer_new()) == NULL) {
		if (c != NULL && c->in != NULL)
			evbuffer_free(c->in);
		free(c);
		close(fd);
		return;
	}
	c->bus = b;
	c->fd = fd;
	c->uid = cred.uid;
	c->os_pid = cred.pid;
	c->permitted = permitted;
	c->guest = PROTO_PID(PROTO_GUEST_SLOT, ++ctl->last_guest);
	TAILQ_INIT(&c->requests);
	TAILQ_INSERT_TAIL(&ctl->clients, c, entry);
	ctl->n_clients++;
	ctl->n_strangers += !permitted;
	event_assign(
	    &c->read, b->base, fd, EV_READ | EV_PERSIST, client_readable, c);
	event_assign(&c->write, b->base, fd, EV_WRITE, client_writable, c);
	event_add(&c->read, NULL);
}

static void
control_accept(evutil_socket_t fd, short what, void *arg)
{
	struct timeval tv = { 0, ACCEPT_AGAIN_MS * 1000 };
	struct bus *b = arg;

	(void)what;
	for (unsigned i = 0; i < ACCEPT_PER_TURN; i++) {
		int s = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (s >= 0) {
			b->control.starving = false;
			client_new(b, s);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			/* It would stay readable: look again a bit later. */
			if (!b->control.starving)
				log_warn("control: accept; trying again every "
					 "%d ms",
				    ACCEPT_AGAIN_MS);
			b->control.starving = true;
			event_del(&b->control.accept);
			event_add(&b->control.again, &tv);
		}
		return;
	}
}

static void
control_again(evutil_socket_t fd, short what, void *arg)
{
	struct bus *b = arg;

	(void)fd;
	(void)what;
	event_add(&b->control.accept, NULL);
}

int
control_init(struct bus *b, int fd)
{
	struct control *ctl = &b->control;

	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return -errno;
	ctl->fd = fd;
	event_assign(
	    &ctl->accept, b->base, fd, EV_READ | EV_PERSIST, control_accept, b);
	evtimer_assign(&ctl->again, b->base, control_again, b);
	evtimer_assign(&ctl->sweep, b->base, control_sweep, b);
	ctl->has_events = true;
	return event_add(&ctl->accept, NULL) < 0 ? -ENOMEM : 0;
}

void
control_fini(struct bus *b)
{
	struct control *ctl = &b->control;
	struct client *c;

	while ((c = TAILQ_FIRST(&ctl->clients)) != NULL) {
		if (client_out_len(c) != 0)
			(void)evbuffer_write(c->out, c->fd);
		client_close(c);
	}
	control_sweep(-1, 0, b);
	if (!ctl->has_events)
		return;
	event_del(&ctl->accept);
	event_del(&ctl->again);
	event_del(&ctl->sweep);
}
