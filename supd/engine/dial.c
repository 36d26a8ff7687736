/* SPDX-License-Identifier: ISC */
#include "engine/dial.h"

#include "base/log.h"
#include "engine/lookup.h"
#include "engine/text.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

struct dial {
	struct shell *sh;
	const char *path;
	char *text;
	struct dial_addr addr[DIAL_ADDRS_MAX];
	int n_addr;            /* 0: a name that is not resolved yet */
	bool is_name;          /* it was looked up */
	struct lookup *lookup; /* asking for that name, or NULL */
	const char *complaint; /* the last failure of it that was logged */
	int at;                /* the address being tried */
	int fd;                /* connecting, or -EBADF */
	struct watch *writable;
	struct timer *timer; /* the end of this try */
	int64_t limit_ns;
	void (*done)(void *arg, int fd, const char *error); /* NULL: idle */
	void *arg;
};

int
dial_split(const char *addr, char host[NI_MAXHOST], char port[NI_MAXSERV])
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
lookup_local(const char *port, struct dial_addr ret[DIAL_ADDRS_MAX])
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
take_addrs(const struct addrinfo *ai, struct dial_addr ret[DIAL_ADDRS_MAX])
{
	int n = 0;

	for (; ai != NULL && n < DIAL_ADDRS_MAX; ai = ai->ai_next) {
		memcpy(&ret[n].sa, ai->ai_addr, ai->ai_addrlen);
		ret[n++].len = ai->ai_addrlen;
	}
	return n;
}

int
dial_lookup_tcp(const char *addr, struct dial_addr ret[DIAL_ADDRS_MAX],
    char *why, size_t why_len)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];
	struct addrinfo hint = {
		.ai_flags = AI_NUMERICHOST,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *ai;
	int r, n = 0;

	if (dial_split(addr, host, port) < 0) {
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
dial_lookup_unix(const char *path, const char *cwd, struct dial_addr *ret)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&ret->sa;
	bool relative = *path != '/' && cwd != NULL;
	int n;

	*ret = (struct dial_addr){ .len = sizeof(*un) };
	un->sun_family = AF_UNIX;
	n = snprintf(un->sun_path, sizeof(un->sun_path), "%s%s%s",
	    relative ? cwd : "", relative ? "/" : "", path);
	return n > 0 && (size_t)n < sizeof(un->sun_path) ? 0 : -ENAMETOOLONG;
}

/* ---- names -----------------------------------------------------------------
 */

static void
ask_name(struct dial *d)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (d->lookup == NULL && dial_split(d->text, host, port) == 0)
		d->lookup = lookup_begin(&d->sh->lookups, host, port);
}

/* Has the name been resolved?  If that has failed it is asked for again. */
static bool
take_name(struct dial *d, const char **ret_why)
{
	const struct addrinfo *ai;
	int r = EAI_MEMORY;

	if (d->n_addr == 0)
		ask_name(d);
	if (d->lookup != NULL)
		r = lookup_result(d->lookup, &ai);
	if (r == EAI_INPROGRESS) {
		*ret_why = "its name is being looked up";
		return d->n_addr > 0;
	}
	if (d->lookup == NULL && d->n_addr > 0)
		return true;
	*ret_why = gai_strerror(r);
	if (r != 0 && *ret_why != d->complaint)
		log_warnx("%s: cannot resolve %s: %s; asking again",
		    text_short(d->path), d->text, *ret_why);
	d->complaint = r != 0 ? *ret_why : NULL;
	if (r == 0)
		d->n_addr = take_addrs(ai, d->addr);
	lookup_drop(&d->sh->lookups, d->lookup);
	d->lookup = NULL;
	return d->n_addr > 0;
}

void
dial_refresh(struct dial *d)
{
	if (d->is_name)
		ask_name(d);
}

int
dial_new(struct shell *sh, const char *path, bool is_unix, const char *addr,
    const char *cwd, struct dial **ret_dial, char *why, size_t why_len)
{
	struct dial *d = calloc(1, sizeof(*d));
	int r;

	if (d == NULL) {
		strlcpy(why, strerror(ENOMEM), why_len);
		return -ENOMEM;
	}
	/* Its own copy: a reload may replace what `addr` is part of. */
	*d = (struct dial){
		.sh = sh,
		.path = path,
		.text = strdup(addr),
		.fd = -EBADF,
	};
	if (d->text == NULL) {
		strlcpy(why, strerror(ENOMEM), why_len);
		free(d);
		return -ENOMEM;
	}
	if (is_unix) {
		r = dial_lookup_unix(addr, cwd, &d->addr[0]);
		d->n_addr = 1;
		if (r < 0)
			strlcpy(why, strerror(-r), why_len);
	} else {
		r = dial_lookup_tcp(addr, d->addr, why, why_len);
		d->n_addr = r;
	}
	if (r < 0) {
		free(d->text);
		free(d);
		return r;
	}
	d->is_name = d->n_addr == 0;
	dial_refresh(d);
	*ret_dial = d;
	return 0;
}

/* ---- tries -----------------------------------------------------------------
 */

static void
close_try(struct dial *d)
{
	watch_free(d->writable);
	d->writable = NULL;
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -EBADF;
}

void
dial_cancel(struct dial *d)
{
	close_try(d);
	timer_free(d->timer);
	d->timer = NULL;
	d->done = NULL;
}

void
dial_free(struct dial *d)
{
	if (d == NULL)
		return;
	dial_cancel(d);
	lookup_drop(&d->sh->lookups, d->lookup);
	free(d->text);
	free(d);
}

/* The last thing that is done with `d`: it may be gone afterwards. */
static void
finish(struct dial *d, int fd, const char *error)
{
	void (*done)(void *arg, int fd, const char *error) = d->done;
	void *arg = d->arg;

	dial_cancel(d);
	done(arg, fd, error);
}

static void try_next(struct dial *d);

static void
try_failed(struct dial *d, const char *error)
{
	close_try(d);
	if (++d->at < d->n_addr)
		try_next(d);
	else
		finish(d, -1, error);
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
try_succeeded(struct dial *d)
{
	if (is_own_echo(d->fd))
		try_failed(d, strerrordesc_np(ECONNREFUSED));
	else
		finish(d, take_fd(&d->fd), NULL);
}

static void
connect_done(void *arg)
{
	struct dial *d = arg;
	struct shell *sh = d->sh;
	socklen_t len = sizeof(int);
	int error = 0;

	run_enter(sh);
	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error != 0)
		try_failed(d, strerrordesc_np(error));
	else
		try_succeeded(d);
	run_leave(sh);
}

static void
timer_due(void *arg)
{
	struct dial *d = arg;
	struct shell *sh = d->sh;

	run_enter(sh);
	try_failed(d, strerrordesc_np(ETIMEDOUT));
	run_leave(sh);
}

static void
try_next(struct dial *d)
{
	const struct dial_addr *a = &d->addr[d->at];

	d->fd = socket(
	    a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0) {
		try_failed(d, strerrordesc_np(errno));
		return;
	}
	if (connect(d->fd, (const struct sockaddr *)&a->sa, a->len) == 0) {
		try_succeeded(d);
		return;
	}
	if (errno != EINPROGRESS) {
		try_failed(d, strerrordesc_np(errno));
		return;
	}
	d->writable =
	    watch_new(d->sh->loop, d->fd, WATCH_WRITE, connect_done, d);
	if (d->writable == NULL || watch_arm(d->writable) < 0 ||
	    timer_set(d->timer, d->limit_ns) < 0)
		run_broken(d->sh, "connection watch", ENOMEM);
}

void
dial_begin(struct dial *d, int64_t limit_ns,
    void (*done)(void *arg, int fd, const char *error), void *arg)
{
	const char *why = NULL;

	dial_cancel(d);
	d->done = done;
	d->arg = arg;
	d->at = 0;
	d->timer = timer_new(d->sh->loop, timer_due, d);
	if (d->timer == NULL) {
		run_broken(d->sh, "connection timer", ENOMEM);
	} else if (take_name(d, &why)) {
		d->limit_ns = limit_ns / d->n_addr;
		try_next(d);
	} else {
		finish(d, -1, why);
	}
}
