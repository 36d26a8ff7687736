/* SPDX-License-Identifier: ISC */
#include "engine/ready.h"

#include "base/log.h"
#include "engine/lookup.h"
#include "engine/text.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define RETRY_MIN_NS (20 * NS_PER_MS)
#define RETRY_MAX_NS (250 * NS_PER_MS)

/* A connect that gets no answer at all is given up after this. */
#define ATTEMPT_NS NS_PER_S

struct probe {
	struct shell *sh;
	node_t n;
	struct ready_addr addr[READY_ADDRS_MAX];
	int n_addr;            /* 0: a name that is not resolved yet */
	struct lookup *lookup; /* asking for that name, or NULL */
	uint64_t inc;          /* being probed, or 0 */
	int fd;                /* connecting, or -EBADF */
	struct watch *writable;
	struct timer *timer; /* to the next attempt, or the end of this one */
	int64_t delay_ns;
	uint32_t failures;
	const char *last_error; /* static text */
};

int
ready_split(const char *addr, char host[NI_MAXHOST], char port[NI_MAXSERV])
{
	const char *colon = strrchr(addr, ':');
	const char *from = addr, *end = colon;

	if (colon == NULL || colon[1] == '\0')
		return -EINVAL;
	if (*addr == '[') {
		if (colon == addr || colon[-1] != ']')
			return -EINVAL;
		from++;
		end--;
	} else if (memchr(addr, ':', (size_t)(colon - addr)) != NULL) {
		return -EINVAL; /* a bare IPv6 address is ambiguous */
	}
	if (end - from >= NI_MAXHOST || strlen(colon + 1) >= NI_MAXSERV)
		return -EINVAL;
	memcpy(host, from, (size_t)(end - from));
	host[end - from] = '\0';
	strlcpy(port, colon + 1, NI_MAXSERV);
	return 0;
}

/* This machine, without asking anybody. */
static int
lookup_local(const char *port, struct ready_addr ret[READY_ADDRS_MAX])
{
	static const char *const hosts[] = { "127.0.0.1", "::1" };
	int n = 0;

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct addrinfo hint = {
			.ai_flags = AI_NUMERICHOST,
			.ai_socktype = SOCK_STREAM,
		};
		struct addrinfo *ai;

		if (getaddrinfo(hosts[i], port, &hint, &ai) != 0)
			continue;
		memcpy(&ret[n].sa, ai->ai_addr, ai->ai_addrlen);
		ret[n++].len = ai->ai_addrlen;
		freeaddrinfo(ai);
	}
	return n;
}

static int
take_addrs(const struct addrinfo *ai, struct ready_addr ret[READY_ADDRS_MAX])
{
	int n = 0;

	for (; ai != NULL && n < READY_ADDRS_MAX; ai = ai->ai_next) {
		memcpy(&ret[n].sa, ai->ai_addr, ai->ai_addrlen);
		ret[n++].len = ai->ai_addrlen;
	}
	return n;
}

int
ready_lookup_tcp(const char *addr, struct ready_addr ret[READY_ADDRS_MAX],
    char *why, size_t why_len)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];
	struct addrinfo hint = {
		.ai_flags = AI_NUMERICHOST,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *ai;
	int r, n = 0;

	if (ready_split(addr, host, port) < 0) {
		snprintf(why, why_len, "not host:port");
		return -EINVAL;
	}
	if (*host == '\0' || strcmp(host, "localhost") == 0) {
		n = lookup_local(port, ret);
		if (n == 0)
			snprintf(why, why_len, "no such port");
		return n > 0 ? n : -EINVAL;
	}
	r = getaddrinfo(host, port, &hint, &ai);
	if (r == EAI_NONAME)
		return 0;
	if (r != 0) {
		snprintf(why, why_len, "%s", gai_strerror(r));
		return -EINVAL;
	}
	n = take_addrs(ai, ret);
	freeaddrinfo(ai);
	return n;
}

int
ready_lookup_unix(const char *path, const char *cwd, struct ready_addr *ret)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&ret->sa;
	bool relative = *path != '/' && cwd != NULL;
	int n;

	*ret = (struct ready_addr){ .len = sizeof(*un) };
	un->sun_family = AF_UNIX;
	n = snprintf(un->sun_path, sizeof(un->sun_path), "%s%s%s",
	    relative ? cwd : "", relative ? "/" : "", path);
	return n > 0 && (size_t)n < sizeof(un->sun_path) ? 0 : -ENAMETOOLONG;
}

static void
resolve_failed(struct node *nd, const char *addr, const char *why)
{
	nd->prep_error = EINVAL;
	nd->prep_step = STEP_NONE;
	free(nd->prep_text);
	if (asprintf(&nd->prep_text, "cannot resolve %s: %s", addr, why) < 0)
		nd->prep_text = NULL;
}

static void
ask_name(struct probe *p)
{
	const struct node *nd = &p->sh->nodes[p->n];
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (p->n_addr == 0 && p->lookup == NULL &&
	    ready_split(nd->conf->worker.ready_addr, host, port) == 0)
		p->lookup = lookup_begin(&p->sh->lookups, host, port);
}

void
ready_resolve(struct shell *sh, node_t n)
{
	struct node *nd = &sh->nodes[n];
	const struct conf_worker *w = &nd->conf->worker;
	char why[128] = "";
	struct probe *p;
	int r;

	if (w->ready != READY_MODE_TCP && w->ready != READY_MODE_UNIX)
		return;
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		resolve_failed(nd, w->ready_addr, strerror(ENOMEM));
		return;
	}
	*p = (struct probe){ .sh = sh, .n = n, .fd = -EBADF };
	nd->probe = p;
	if (w->ready == READY_MODE_TCP) {
		r = ready_lookup_tcp(w->ready_addr, p->addr, why, sizeof(why));
		p->n_addr = r;
	} else {
		r = ready_lookup_unix(w->ready_addr, w->cwd, &p->addr[0]);
		p->n_addr = 1;
		if (r < 0)
			strlcpy(why, strerror(-r), sizeof(why));
	}
	if (r < 0) {
		resolve_failed(nd, w->ready_addr, why);
		ready_free(nd);
	} else {
		ask_name(p);
	}
}

static void
attempt_close(struct probe *p)
{
	watch_free(p->writable);
	p->writable = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -EBADF;
}

/* `error`: static text. */
static void
attempt_failed(struct probe *p, const char *error)
{
	attempt_close(p);
	p->failures++;
	p->last_error = error;
	if (timer_set(p->timer, p->delay_ns) < 0)
		run_broken(p->sh, "readiness timer", ENOMEM);
	p->delay_ns *= 2;
	if (p->delay_ns > RETRY_MAX_NS)
		p->delay_ns = RETRY_MAX_NS;
}

/*
 * A connect to a free port of the ephemeral range can reach itself (TCP's
 * simultaneous open): then nobody is listening.
 */
static bool
is_own_echo(int fd)
{
	struct sockaddr_storage a = { 0 }, b = { 0 };
	socklen_t a_len = sizeof(a), b_len = sizeof(b);

	return getsockname(fd, (struct sockaddr *)&a, &a_len) == 0 &&
	       getpeername(fd, (struct sockaddr *)&b, &b_len) == 0 &&
	       a.ss_family != AF_UNIX && a_len == b_len &&
	       memcmp(&a, &b, a_len) == 0;
}

static void
attempt_succeeded(struct probe *p)
{
	struct event ev = { .kind = EV_READY, .node = p->n, .inc = p->inc };

	if (is_own_echo(p->fd)) {
		attempt_failed(p, strerrordesc_np(ECONNREFUSED));
		return;
	}
	run_post(p->sh, &ev);
	ready_stop(&p->sh->nodes[p->n]);
}

static void
connect_done(void *arg)
{
	struct probe *p = arg;
	struct shell *sh = p->sh;
	socklen_t len = sizeof(int);
	int error = 0;

	run_enter(sh);
	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error != 0)
		attempt_failed(p, strerrordesc_np(error));
	else
		attempt_succeeded(p);
	run_leave(sh);
}

/* Has the name been resolved?  If that has failed it is asked for again. */
static bool
take_name(struct probe *p, const char **ret_why)
{
	const struct node *nd = &p->sh->nodes[p->n];
	const struct addrinfo *ai;
	int r = EAI_MEMORY;

	if (p->n_addr > 0)
		return true;
	ask_name(p);
	if (p->lookup != NULL)
		r = lookup_result(p->lookup, &ai);
	if (r == EAI_INPROGRESS) {
		*ret_why = "its name is being looked up";
		return false;
	}
	*ret_why = gai_strerror(r);
	if (r != 0 && *ret_why != p->last_error)
		log_warnx("%s: cannot resolve %s: %s; asking again while it "
			  "starts",
		    text_short(nd->path), nd->conf->worker.ready_addr,
		    *ret_why);
	if (r == 0)
		p->n_addr = take_addrs(ai, p->addr);
	lookup_drop(&p->sh->lookups, p->lookup);
	p->lookup = NULL;
	return p->n_addr > 0;
}

static void
attempt(struct probe *p)
{
	const struct ready_addr *a;
	const char *why;

	if (!take_name(p, &why)) {
		attempt_failed(p, why);
		return;
	}
	a = &p->addr[p->failures % (uint32_t)p->n_addr];
	p->fd = socket(
	    a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0) {
		attempt_failed(p, strerrordesc_np(errno));
		return;
	}
	if (connect(p->fd, (const struct sockaddr *)&a->sa, a->len) == 0) {
		attempt_succeeded(p);
		return;
	}
	if (errno != EINPROGRESS) {
		attempt_failed(p, strerrordesc_np(errno));
		return;
	}
	p->writable =
	    watch_new(p->sh->loop, p->fd, WATCH_WRITE, connect_done, p);
	if (p->writable == NULL || watch_arm(p->writable) < 0 ||
	    timer_set(p->timer, ATTEMPT_NS) < 0)
		run_broken(p->sh, "readiness watch", ENOMEM);
}

static void
timer_due(void *arg)
{
	struct probe *p = arg;
	struct shell *sh = p->sh;

	run_enter(sh);
	if (p->fd >= 0)
		attempt_failed(p, strerrordesc_np(ETIMEDOUT));
	else
		attempt(p);
	run_leave(sh);
}

void
ready_start(struct shell *sh, node_t n, uint64_t inc)
{
	struct probe *p = sh->nodes[n].probe;

	if (p == NULL || p->inc == inc)
		return;
	ready_stop(&sh->nodes[n]);
	p->inc = inc;
	p->delay_ns = RETRY_MIN_NS;
	p->failures = 0;
	p->last_error = NULL;
	p->timer = timer_new(sh->loop, timer_due, p);
	if (p->timer == NULL) {
		run_broken(sh, "readiness timer", ENOMEM);
		return;
	}
	attempt(p);
}

void
ready_stop(struct node *nd)
{
	struct probe *p = nd->probe;

	if (p == NULL || p->inc == 0)
		return;
	attempt_close(p);
	timer_free(p->timer);
	p->timer = NULL;
	p->inc = 0;
}

void
ready_free(struct node *nd)
{
	ready_stop(nd);
	if (nd->probe != NULL)
		lookup_drop(&nd->probe->sh->lookups, nd->probe->lookup);
	free(nd->probe);
	nd->probe = NULL;
}

void
ready_awaited(const struct shell *sh, node_t n, char *buf, size_t len)
{
	const struct node *nd = &sh->nodes[n];
	const struct probe *p = nd->probe;
	char what[256];

	if (nd->held_inc != 0) {
		strlcpy(buf, "its log and mailbox", len);
		return;
	}
	if (nd->pid == 0) {
		strlcpy(buf, "its turn to be spawned", len);
		return;
	}
	strlcpy(buf, text_awaited(&nd->conf->worker, what, sizeof(what)), len);
	if (p != NULL && p->inc != 0 && p->failures > 0) {
		size_t at = strlen(buf);

		snprintf(buf + at, len - at, " (%u failure%s, last: %s)",
		    p->failures, p->failures == 1 ? "" : "s", p->last_error);
	} else if (nd->status != NULL) {
		size_t at = strlen(buf);

		snprintf(buf + at, len - at, " (status: %s)", nd->status);
	}
}

void
ready_detail(const struct shell *sh, node_t n, char *buf, size_t len)
{
	mono_t deadline = engine_node_deadline(sh->core, n);
	char what[256], left[TEXT_DURATION_LEN];

	ready_awaited(sh, n, what, sizeof(what));
	if (mono_is_never(deadline))
		snprintf(buf, len, "waiting for %s", what);
	else
		snprintf(buf, len, "waiting for %s, %s left", what,
		    text_duration(
			deadline.ns - sh->now.ns, left, sizeof(left)));
}
