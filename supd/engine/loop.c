/* SPDX-License-Identifier: ISC */
#include "engine/loop.h"

#include "base/mono.h"

#include <event2/event.h>
#include <stdlib.h>

struct loop {
	struct event_base *base;
};

struct watch {
	struct event *ev;
	unsigned what;
	void (*cb)(void *arg);
	void *arg;
};

struct timer {
	struct event *ev;
	void (*cb)(void *arg);
	void *arg;
};

int
loop_open(struct loop **ret_loop)
{
	struct event_config *cfg = event_config_new();
	struct loop *l = calloc(1, sizeof(*l));

	if (cfg != NULL && l != NULL) {
		/* Without it timers have epoll's 1 ms grain, rounded up. */
		event_config_set_flag(cfg, EVENT_BASE_FLAG_PRECISE_TIMER);
		l->base = event_base_new_with_config(cfg);
	}
	if (cfg != NULL)
		event_config_free(cfg);
	if (l == NULL || l->base == NULL) {
		free(l);
		return -ENOMEM;
	}
	*ret_loop = l;
	return 0;
}

void
loop_close(struct loop *l)
{
	if (l == NULL)
		return;
	event_base_free(l->base);
	free(l);
}

int
loop_run(struct loop *l)
{
	return event_base_dispatch(l->base) < 0 ? -EIO : 0;
}

void
loop_stop(struct loop *l)
{
	event_base_loopbreak(l->base);
}

static void
watch_fired(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	(void)what;
	w->cb(w->arg);
}

struct watch *
watch_new(
    struct loop *l, int fd, unsigned what, void (*cb)(void *arg), void *arg)
{
	struct watch *w = calloc(1, sizeof(*w));
	bool reads = what == WATCH_READ;

	if (w == NULL)
		return NULL;
	*w = (struct watch){ .what = what, .cb = cb, .arg = arg };
	w->ev = event_new(l->base, fd, reads ? EV_READ | EV_PERSIST : EV_WRITE,
	    watch_fired, w);
	if (w->ev == NULL || (reads && event_add(w->ev, NULL) < 0)) {
		watch_free(w);
		return NULL;
	}
	return w;
}

int
watch_arm(struct watch *w)
{
	return event_add(w->ev, NULL) < 0 ? -ENOMEM : 0;
}

void
watch_disarm(struct watch *w)
{
	event_del(w->ev);
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	if (w->ev != NULL)
		event_free(w->ev);
	free(w);
}

static void
timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	t->cb(t->arg);
}

struct timer *
timer_new(struct loop *l, void (*cb)(void *arg), void *arg)
{
	struct timer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	*t = (struct timer){ .cb = cb, .arg = arg };
	t->ev = event_new(l->base, -1, 0, timer_fired, t);
	if (t->ev == NULL) {
		timer_free(t);
		return NULL;
	}
	return t;
}

int
timer_set(struct timer *t, int64_t delay_ns)
{
	struct timeval tv = { 0 };

	/* Rounded up: never early (libevent counts in microseconds). */
	if (delay_ns > 0) {
		tv.tv_sec = delay_ns / NS_PER_S;
		tv.tv_usec = (delay_ns % NS_PER_S + 999) / 1000;
		if (tv.tv_usec == 1000000) {
			tv.tv_sec++;
			tv.tv_usec = 0;
		}
	}
	return event_add(t->ev, &tv) < 0 ? -ENOMEM : 0;
}

void
timer_clear(struct timer *t)
{
	event_del(t->ev);
}

void
timer_free(struct timer *t)
{
	if (t == NULL)
		return;
	if (t->ev != NULL)
		event_free(t->ev);
	free(t);
}
